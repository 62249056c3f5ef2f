"""What can be known of an app's Python without running it."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

LONGEST_FILE_BYTES = 512 * 1024
LONGEST_CODE_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Place:
    """A line of a file."""

    file: str
    line: int


@dataclass(frozen=True)
class Unreadable:
    """A file that is not Python, and why."""

    place: Place
    reason: str


@dataclass
class Source:
    """The facts of all modules together.

    Args:
        imports: top-level names that are imported without a fallback.
        permissions: the permission each use of `ctx` needs.
        slots, products: texts given to `ctx.ads.slot` and `ctx.require`.
        dynamic: calls that make code at run time.
    """

    modules: frozenset[str] = frozenset()
    unreadable: list[Unreadable] = field(default_factory=list)
    imports: list[tuple[str, Place]] = field(default_factory=list)
    permissions: list[tuple[str, Place]] = field(default_factory=list)
    slots: list[tuple[str, Place]] = field(default_factory=list)
    products: list[tuple[str, Place]] = field(default_factory=list)
    dynamic: list[tuple[str, Place]] = field(default_factory=list)
    actions: dict[str, Place] = field(default_factory=dict)
    apps: set[str] = field(default_factory=set)


def read(code: Mapping[str, bytes]) -> Source:
    """Read every module."""
    source = Source(frozenset(_module(path) for path in code))
    for path, data in code.items():
        tree = _parse(path, data, source)
        if tree is None:
            continue
        try:
            _Reader(path, source).visit(tree)
        except RecursionError:
            source.unreadable.append(Unreadable(Place(path, 1), "it is nested too deeply"))
    return source


def _module(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _parse(path: str, data: bytes, source: Source) -> ast.Module | None:
    if len(data) > LONGEST_FILE_BYTES:
        source.unreadable.append(Unreadable(Place(path, 1), "it is longer than 512 KiB"))
        return None
    try:
        return ast.parse(data)
    except SyntaxError as error:
        source.unreadable.append(Unreadable(Place(path, error.lineno or 1), error.msg))
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "it is nested too deeply"
        source.unreadable.append(Unreadable(Place(path, 1), reason))
    return None


class _Reader(ast.NodeVisitor):
    """Collects the facts of one module."""

    def __init__(self, path: str, source: Source) -> None:
        self._path = path
        self._source = source
        self._guarded = 0

    def _at(self, node: ast.AST) -> Place:
        return Place(self._path, getattr(node, "lineno", 1))

    def visit_Try(self, node: ast.Try) -> None:
        """An import with a fallback may fail."""
        catches = any(_catches_import(handler) for handler in node.handlers)
        self._guarded += catches
        self._visit_all(node.body)
        self._guarded -= catches
        self._visit_all([*node.handlers, *node.orelse, *node.finalbody])

    def visit_If(self, node: ast.If) -> None:
        """Imports for the type checker alone do not happen."""
        is_typing = _last_name(node.test) == "TYPE_CHECKING"
        self._guarded += is_typing
        self._visit_all(node.body)
        self._guarded -= is_typing
        self._visit_all([node.test, *node.orelse])

    def _visit_all(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """`import a.b`."""
        for alias in node.names:
            self._import(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from a import b`; a relative one stays inside the bundle."""
        if node.level == 0 and node.module:
            self._import(node.module, node)
        if node.module == "caravan" and "File" in {alias.name for alias in node.names}:
            self._source.permissions.append(("files.read", self._at(node)))

    def _import(self, name: str, node: ast.AST) -> None:
        if not self._guarded:
            self._source.imports.append((name.split(".", maxsplit=1)[0], self._at(node)))

    def visit_Assign(self, node: ast.Assign) -> None:
        """`app = App()`."""
        if isinstance(node.value, ast.Call) and _last_name(node.value.func) == "App":
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if "app" in names:
                self._source.apps.add(_module(self._path))
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """`@app.action(…)` above a function."""
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and _last_name(decorator.func) == "action":
                self._source.actions.setdefault(node.name, self._at(node))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """`ctx.llm.stream`, `ctx.kv.user`, `ctx.http.get`, `ctx.ads.slot`, `ctx.user.locale`."""
        permission = _PERMISSION_OF.get((_last_name(node.value), node.attr))
        if permission:
            self._source.permissions.append((permission, self._at(node)))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Calls whose first text matters, and calls that make code."""
        name = _last_name(node.func)
        text = _first_text(node)
        is_method = isinstance(node.func, ast.Attribute)
        if is_method and name in {"require", "entitled"}:
            self._source.permissions.append(("billing.entitlement", self._at(node)))
            if text is not None:
                self._source.products.append((text, self._at(node)))
        if is_method and name == "meter":
            self._source.permissions.append(("billing.meter", self._at(node)))
        if text is not None and ((is_method and name == "slot") or name == "Slot"):
            self._source.slots.append((text, self._at(node)))
        if not is_method and name in {"eval", "exec", "compile", "__import__"}:
            self._source.dynamic.append((name, self._at(node)))
        self.generic_visit(node)


_PERMISSION_OF = {
    ("llm", "stream"): "llm.generate",
    ("llm", "complete"): "llm.generate",
    ("llm", "forward"): "llm.generate",
    ("llm", "json"): "llm.generate",
    ("llm", "chat"): "llm.generate",
    ("llm", "embed"): "llm.embed",
    ("kv", "user"): "kv.user",
    ("kv", "app"): "kv.app",
    ("http", "fetch"): "net.fetch",
    ("http", "get"): "net.fetch",
    ("ads", "slot"): "ads.show",
    ("user", "locale"): "user.locale",
}


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _first_text(node: ast.Call) -> str | None:
    values = [*node.args[:1], *(keyword.value for keyword in node.keywords[:1])]
    for value in values[:1]:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None


def _catches_import(handler: ast.ExceptHandler) -> bool:
    names = _names(handler.type) if handler.type else {"Exception"}
    return bool(names & {"ImportError", "ModuleNotFoundError", "Exception"})


def _names(node: ast.AST) -> set[str]:
    return {_last_name(inner) for inner in ast.walk(node)}


def shadowed(source: Source, names: frozenset[str]) -> Iterator[str]:
    """Modules of the app that hide one of `names`."""
    yield from sorted({module.split(".")[0] for module in source.modules} & names)
