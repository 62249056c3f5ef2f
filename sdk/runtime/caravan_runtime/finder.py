"""Imports and files of the app's release, asked from the host one by one."""

import base64
import importlib.util
import io
import marshal
from collections.abc import Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from caravan_runtime import bridge

# A .pyc file: 4 bytes of magic, 4 of flags, 8 of hash; then the marshalled code.
HEADER_BYTES = 16


def pack(code: CodeType) -> str:
    """The code as a .pyc file in base64."""
    header = importlib.util.MAGIC_NUMBER.ljust(HEADER_BYTES, b"\0")
    return base64.b64encode(header + marshal.dumps(code)).decode()


class ReleaseLoader(InspectLoader):
    """Loads one module that the host has found in the release."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.path: str = found["path"]
        self.package: bool = found["package"]
        self.bytecode: str | None = found["bytecode"]

    def is_package(self, fullname: str) -> bool:
        """Whether the module is a package."""
        return self.package

    def get_source(self, fullname: str) -> str:
        """The module's text, for importing and for the lines of a traceback."""
        return read_bytes(self.path).decode("utf-8-sig")

    def get_code(self, fullname: str) -> CodeType:
        """The bytecode made at publication, or else the source compiled now."""
        if self.bytecode is not None:
            raw = base64.b64decode(self.bytecode)
            if raw.startswith(importlib.util.MAGIC_NUMBER):
                code = marshal.loads(raw[HEADER_BYTES:])  # noqa: S302
                if isinstance(code, CodeType):
                    return code
        return compile(self.get_source(fullname), self.path, "exec", dont_inherit=True)

    def get_data(self, path: str) -> bytes:
        """The bytes of a file of the release, as `pkgutil.get_data` asks for them."""
        return read_bytes(path)


class ReleaseFinder(MetaPathFinder):
    """Finds the modules of the release."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The specification of a module the release has, or None."""
        found = bridge.call("loader.find", {"name": fullname})
        if found is None:
            return None
        loader = ReleaseLoader(found)
        spec = ModuleSpec(fullname, loader, origin=loader.path, is_package=loader.package)
        spec.has_location = True
        return spec


def read_bytes(path: str) -> bytes:
    """A file of the release. Raises FileNotFoundError where the release has none of this name."""
    text: str | None = bridge.call("loader.read", {"path": path})
    if text is None:
        raise FileNotFoundError(2, "The app's release has no such file", path)
    return base64.b64decode(text)


def open_file(file: Any, mode: str = "r", *positional: Any, **options: Any) -> io.IOBase:
    """`open` for the files of the release, which can be read and nothing else."""
    if isinstance(file, int) or set(mode) - set("rtbU"):
        raise PermissionError(1, "An app can only read the files of its own release", str(file))
    data = io.BytesIO(read_bytes(str(file)))
    if "b" in mode:
        return data
    # After the mode `open` takes buffering, encoding, errors, newline.
    names = dict(zip(("buffering", "encoding", "errors", "newline"), positional, strict=False))
    names.update(options)
    return io.TextIOWrapper(
        data,
        encoding=names.get("encoding") or "utf-8",
        errors=names.get("errors"),
        newline=names.get("newline"),
    )
