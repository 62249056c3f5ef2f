"""Reads a WebAssembly component as far as its rules need it, and runs nothing of it.

The format: WebAssembly/component-model, design/mvp/Binary.md. A component is a list of sections;
core modules and further components stand inside it as sections of their own.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from caravan.findings import BundleRefused
from caravan.house import house

COMPONENT_FILE = "component.wasm"
WIT = house("sdk/runtime/wit") / "caravan-app.wit"
PREAMBLE = b"\0asm\x0d\0\x01\0"
CORE_PREAMBLE = b"\0asm\x01\0\0\0"
# The real ones have a few hundred sections and two levels.
MOST_SECTIONS = 20_000
DEEPEST = 8
MOST_IN_A_LIST = 100_000
FUNCTION, INSTANCE = 1, 5
ENCODINGS = {0: "UTF-8", 1: "UTF-16", 2: "Latin-1"}
# Options of a call that name a memory or a function.
PLAIN_OPTIONS = frozenset({3, 4, 5})


class NotAComponent(BundleRefused):
    """The file is something else, or broken."""


@dataclass
class Component:
    """What a component declares.

    Args:
        imports, exports: name → kind of the outermost component.
        memories: how many linear memories its modules define.
        odd_memories: whether one of them is shared, 64-bit or of another page size.
        starts: whether something of it would run as soon as it is instantiated.
        encodings: how its strings cross the border.
    """

    imports: dict[str, int] = field(default_factory=dict)
    exports: dict[str, int] = field(default_factory=dict)
    memories: int = 0
    odd_memories: bool = False
    starts: bool = False
    encodings: set[str] = field(default_factory=set)
    sections: int = 0


def world() -> frozenset[str]:
    """The names of the interfaces a component may import, from the WIT itself."""
    found = re.search(r"^world app \{(.*?)^\}", WIT.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise RuntimeError(f"{WIT} has no world “app”.")
    names = re.findall(r"^ +import ([a-z-]+);", found[1], re.MULTILINE)
    return frozenset(f"caravan:app/{name}@1.0.0" for name in names)


def read(data: bytes) -> Component:
    """What the component declares. Raises: NotAComponent, and nothing else."""
    if data.startswith(b"\x7fELF"):
        raise _refused("native", "is compiled for a processor already", "Send the WebAssembly.")
    if data.startswith(CORE_PREAMBLE):
        fix = "Make a component of it, with `wasm-tools component new` or your language's tool."
        raise _refused("module", "is a core module, not a component", fix)
    if data.lstrip()[:1] in {b"(", b";"}:
        raise _refused("text", "is WebAssembly as text", "Send the binary form.")
    if not data.startswith(PREAMBLE):
        raise _refused("broken", "is not a WebAssembly component")
    found = Component()
    try:
        _read_component(_Bytes(data, len(PREAMBLE), len(data)), found, depth=0)
    except (IndexError, UnicodeDecodeError):
        raise _refused("broken", "ends in the middle, or is damaged") from None
    return found


def _refused(rule: str, what: str, fix: str = "Build it again from its source.") -> NotAComponent:
    return NotAComponent(f"component.{rule}", f"{COMPONENT_FILE} {what}.", COMPONENT_FILE, fix=fix)


class _Bytes:
    """A part of the file, read from its beginning."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        if end > len(data):
            raise IndexError(end)
        self.data = data
        self.at = at
        self.end = end

    def byte(self) -> int:
        if self.at >= self.end:
            raise IndexError(self.at)
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """An unsigned LEB128 of at most 64 bits."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise IndexError(self.at)

    def part(self, size: int) -> "_Bytes":
        """The next `size` bytes."""
        self.at += size
        if self.at > self.end:
            raise IndexError(self.at)
        return _Bytes(self.data, self.at - size, self.at)

    def expect(self, start: bytes) -> None:
        """Go past `start`, which must be here."""
        inside = self.part(len(start))
        if self.data[inside.at : inside.end] != start:
            raise IndexError(inside.at)

    def text(self) -> str:
        inside = self.part(self.number())
        return self.data[inside.at : inside.end].decode()

    def each(self, read_one: Callable[["_Bytes"], None]) -> None:
        """Read a list."""
        count = self.number()
        if count > MOST_IN_A_LIST:
            raise _refused("complex", "is larger than any app needs", "Make it simpler.")
        for _ in range(count):
            read_one(self)

    def sections(self, found: Component) -> Iterator[tuple[int, "_Bytes"]]:
        """The sections up to the end: number and content."""
        while self.at < self.end:
            found.sections += 1
            if found.sections > MOST_SECTIONS:
                raise _refused("complex", "has more parts than any app needs", "Make it simpler.")
            number = self.byte()
            yield number, self.part(self.number())


def _read_component(content: _Bytes, found: Component, *, depth: int) -> None:
    if depth > DEEPEST:
        raise _refused("complex", "is nested too deeply", "Make it simpler.")
    for number, part in content.sections(found):
        match number:
            case 1:
                _read_module(part, found)
            case 4:
                part.expect(PREAMBLE)
                _read_component(part, found, depth=depth + 1)
            case 8:
                part.each(lambda each: _read_canonical(each, found))
            case 9:
                found.starts = True
            case 10 if depth == 0:
                part.each(lambda each: _read_import(each, found))
            case 11 if depth == 0:
                part.each(lambda each: _read_export(each, found))


def _read_module(content: _Bytes, found: Component) -> None:
    content.expect(CORE_PREAMBLE)
    for number, part in content.sections(found):
        match number:
            case 5:
                part.each(lambda each: _read_memory(each, found))
            case 8:
                found.starts = True


def _read_memory(content: _Bytes, found: Component) -> None:
    found.memories += 1
    flags = content.byte()
    # Bit 0 says that there is a maximum; the others are proposals that stores do not run.
    found.odd_memories |= flags > 1
    for _ in range(1 + (flags & 1) + (flags >> 3 & 1)):
        content.number()


def _read_canonical(content: _Bytes, found: Component) -> None:
    """A function that crosses the border: lifted, lowered, or about a resource."""
    match content.byte():
        case 0:
            content.byte()
            content.number()
            content.each(lambda each: _read_option(each, found))
            content.number()
        case 1:
            content.byte()
            content.number()
            content.each(lambda each: _read_option(each, found))
        case 2 | 3 | 4:
            content.number()
        case _:
            raise _asynchronous()


def _read_option(content: _Bytes, found: Component) -> None:
    option = content.byte()
    if option in ENCODINGS:
        found.encodings.add(ENCODINGS[option])
    elif option in PLAIN_OPTIONS:
        content.number()
    else:
        raise _asynchronous()


def _asynchronous() -> NotAComponent:
    return _refused(
        "asynchronous",
        "uses asynchronous calls, which stores do not make",
        "Build it for plain calls: an app does one thing at a time.",
    )


def _read_name(content: _Bytes) -> str:
    if content.byte() > 1:
        raise IndexError(content.at)
    return content.text()


def _read_import(content: _Bytes, found: Component) -> None:
    name = _read_name(content)
    found.imports[name] = _read_description(content)


def _read_export(content: _Bytes, found: Component) -> None:
    name = _read_name(content)
    kind = content.byte()
    if kind == 0:
        content.byte()
    content.number()
    found.exports[name] = kind
    if content.byte():
        _read_description(content)


def _read_description(content: _Bytes) -> int:
    """The kind of what is imported or exported."""
    kind = content.byte()
    match kind:
        case 0:
            content.byte()
            content.number()
        case 2 | 3:
            if content.byte() == 0 or kind == 2:
                content.number()
        case _:
            content.number()
    return kind
