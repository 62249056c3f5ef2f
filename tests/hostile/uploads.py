"""Uploads that mean harm: how each is made, and the rule that turns it down."""

import io
import stat
import zipfile
from collections.abc import Callable

from caravan.bundle import pack

from tests.factories.components import ANSWER, HOST, make_component
from tests.factories.publishing import PRODUCT, manifest_text
from tests.sdk.bundles import with_changes, zip_of

Changes = dict[str, str | bytes | None]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{}</svg>'
APP = "from caravan import App\n{}\napp = App()\n\n@app.action('Go')\ndef go():\n    yield 'x'\n"
POINTER = (
    "{'name': 'go', 'title': 'Go', 'doc': '', 'input_schema': "
    "{'type': 'object', '$ref': 'http://169.254.169.254/latest'}}"
)
DEEP = "(" * 3000 + ")" * 3000
NATIVE = b"\x7fELF\x02\x01\x01" + b"\0" * 99
UTF16 = "string-encoding=utf16"
LOADER = f'(import "caravan:app/loader@1.0.0" (instance (export "read" {HOST})))'
WHOLE: Changes = {"evals/first.toml": None, "listing/ar.toml": None}


def files(ident: str, changes: Changes, more: str = "", kind: str = "python") -> dict[str, bytes]:
    """The files of a sound app, some changed."""
    manifest = manifest_text(ident=ident, name=ident.rpartition(".")[2], more=more)
    if kind == "component":
        manifest = manifest.replace('kind = "python"\nentry = "app"', 'kind = "component"')
        changes = {"app.py": None, **changes}
    return with_changes({"caravan.toml": manifest, "app.py": APP.format(""), **WHOLE, **changes})


def changed(**given: str | bytes | None) -> Callable[[str], bytes]:
    """A bundle with some files changed; `__` in a name stands for a slash, `_dot_` for a dot."""
    changes = {k.replace("__", "/").replace("_dot_", "."): v for k, v in given.items()}
    return lambda ident: pack(files(ident, changes))


def more(text: str) -> Callable[[str], bytes]:
    """A bundle with this at the end of its manifest."""
    return lambda ident: pack(files(ident, {}, f"\n{text}\n"))


def hosts(name: str) -> Callable[[str], bytes]:
    """A bundle that wants to reach this host."""
    reason = '[[permission]]\nname = "net.fetch"\nreason = "The attack may need it."'
    return more(f'{reason}\n[network]\nallow = ["{name}"]')


def version(number: str) -> Callable[[str], bytes]:
    """A bundle of this version."""

    def make(ident: str) -> bytes:
        changed = files(ident, {})
        manifest = changed["caravan.toml"].replace(b'"1.0.0"', f'"{number}"'.encode())
        return pack({**changed, "caravan.toml": manifest})

    return make


def icon(inside: str) -> Callable[[str], bytes]:
    """A bundle whose icon has this inside."""
    return lambda ident: pack(files(ident, {"assets/icon.svg": SVG.format(inside)}))


def at_import(body: str) -> Callable[[str], bytes]:
    """A bundle whose module does this when it is imported."""
    return lambda ident: pack(files(ident, {"app.py": APP.format(body)}))


def component(data: bytes | None) -> Callable[[str], bytes]:
    """A bundle with this component."""
    return lambda ident: pack(files(ident, {"component.wasm": data}, kind="component"))


def with_entry(
    path: str, data: bytes = b"x", *, mode: int = 0, bits: int = 0
) -> Callable[[str], bytes]:
    """A sound bundle and one entry more, whatever its name or kind."""

    def make(ident: str) -> bytes:
        entry = zipfile.ZipInfo(path)
        entry.external_attr = mode << 16
        made = zip_of(
            [
                *((zipfile.ZipInfo(name), each) for name, each in files(ident, {}).items()),
                (entry, data),
            ]
        )
        if bits:
            # The flag of the last entry in the central directory.
            at = made.rindex(b"PK\x01\x02") + 8
            made = made[:at] + bytes([made[at] | bits]) + made[at + 1 :]
        return made

    return make


def many_entries(_ident: str) -> bytes:
    return zip_of([(zipfile.ZipInfo(f"f{n}.txt"), b"") for n in range(2_000)])


def bomb(_ident: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.txt", b"\0" * 30_000_000)
    return buffer.getvalue()


def without_lock(ident: str) -> bytes:
    return zip_of([(zipfile.ZipInfo(path), data) for path, data in files(ident, {}).items()])


UPLOADS: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "no zip at all": ("bundle.broken", lambda _: b"MZ" + b"\0" * 200),
    "half a zip": ("bundle.broken", lambda ident: pack(files(ident, {}))[:300]),
    "zip slip": ("bundle.path", with_entry("../../evil.py")),
    "an absolute path": ("bundle.path", with_entry("/etc/passwd")),
    "a backslash": ("bundle.path", with_entry("a\\b.py")),
    "a name without end": ("bundle.path", with_entry("a" * 300 + ".py")),
    "a link": ("bundle.link", with_entry("link.py", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)),
    "a device": ("bundle.link", with_entry("dev.py", b"", mode=stat.S_IFCHR | 0o666)),
    "an encrypted entry": ("bundle.encrypted", with_entry("secret.py", bits=1)),
    "twice the same file": ("bundle.duplicate", with_entry("APP.py")),
    "a file that is a folder": ("bundle.duplicate", with_entry("app.py/x.py")),
    "a library in native code": ("bundle.file-kind", with_entry("evil.so", b"\x7fELF")),
    "a zip in the zip": ("bundle.file-kind", with_entry("42.zip", b"PK")),
    "a page": ("bundle.file-kind", with_entry("index.html", b"<script>")),
    "a second component": ("bundle.file-kind", with_entry("other.wasm", b"\0asm")),
    "too many files": ("bundle.too-many-files", many_entries),
    "a zip bomb": ("bundle.ratio", bomb),
    "no lock": ("bundle.lock", without_lock),
    "a lock that lies": ("bundle.lock", with_entry("more.txt")),
    "no manifest": ("bundle.manifest", lambda ident: pack({"app.py": b"x = 1"})),
    "a manifest that is no text": ("manifest.encoding", changed(caravan_dot_toml=b"\xff\xfe[")),
    "a manifest without end": ("manifest.syntax", changed(caravan_dot_toml="a = " + "[" * 5000)),
    "an unknown permission": (
        "manifest.value",
        more('[[permission]]\nname = "root"\nreason = "Give me everything."'),
    ),
    "an unknown key": ("manifest.unknown-key", more("[network2]\na = 1")),
    "an id that only looks like another": (
        "manifest.value",
        lambda ident: pack(files(ident.replace("o", "\N{CYRILLIC SMALL LETTER O}"), {})),
    ),
    "a version without a number": ("manifest.value", version("latest")),
    "every host there is": ("manifest.value", hosts("*")),
    "every host below one ending": ("manifest.value", hosts("*.org")),
    "an inner address as a host": ("manifest.value", hosts("169.254.169.254")),
    "this machine as a host": ("manifest.value", hosts("localhost")),
    "a host with a port": ("manifest.value", hosts("example.org:22")),
    "a host that only looks like another": (
        "manifest.value",
        hosts("ex\N{CYRILLIC SMALL LETTER A}mple.org"),
    ),
    "a secret that may go anywhere": (
        "manifest.value",
        more('[[setting]]\nname = "token"\ntype = "secret"\nlabel = "Token"'),
    ),
    "a schedule of every second": (
        "manifest.value",
        more('[[schedule]]\naction = "go"\nevery = "1s"'),
    ),
    "a price below nothing": (
        "manifest.value",
        more(PRODUCT.replace("4.99", "-5")),
    ),
    "a script in the icon": ("icon.unsafe", icon("<script>alert(1)</script>")),
    "an event in the icon": ("icon.unsafe", icon('<rect onload="alert(1)" width="9" height="9"/>')),
    "a page in the icon": ("icon.unsafe", icon("<foreignObject/>")),
    "a link out of the icon": ("icon.unsafe", icon('<use href="https://evil.example/x.svg"/>')),
    "entities in the icon": (
        "icon.unsafe",
        changed(assets__icon_dot_svg='<!DOCTYPE a [<!ENTITY b "c">]>' + SVG.format("&b;")),
    ),
    "no python": ("code.syntax", changed(app_dot_py="def (:")),
    "source nested without end": ("code.syntax", changed(app_dot_py=f"x = {DEEP}")),
    "a module that is not there": ("code.import", at_import("import requests")),
    "a library of the machine": ("code.import", at_import("import ctypes")),
    "a name of the SDK's": ("code.shadow", changed(json_dot_py="x = 1")),
    "no action": ("actions.none", changed(app_dot_py="from caravan import App\napp = App()\n")),
    "a permission it does not ask for": (
        "permissions.missing",
        changed(app_dot_py=APP.format("") + "    ctx.kv.user.get('a')\n"),
    ),
    "a loop at import": ("limit.cpu", at_import("while True: pass")),
    "a loop in a decorator": (
        "limit.cpu",
        at_import("def loop(made):\n    while True: pass\n@loop\ndef made(): pass"),
    ),
    "a loop when a class is made": (
        "limit.cpu",
        at_import(
            "class A:\n    def __init_subclass__(cls):\n        while True: pass\nclass B(A): pass"
        ),
    ),
    "all memory at import": ("limit.memory", at_import("x = [b'x' * n for n in range(10**6)]")),
    "the end at import": ("app.error", at_import("raise SystemExit(0)")),
    "an error at import": ("app.error", at_import("1 / 0")),
    "a description that is none": (
        "sandbox.describe",
        at_import("App.describe = lambda self: {'actions': [5]}"),
    ),
    "a schema that points elsewhere": (
        "sandbox.describe",
        at_import("App.describe = lambda self: {'actions': [" + POINTER + "]}"),
    ),
    "a call at import": (
        "host.absent",
        at_import("from caravan import _host\n_host.call('log.write', {'text': 'x'})"),
    ),
    "compiled code as a component": ("component.native", component(NATIVE)),
    "text as a component": ("component.text", component(b"(component)")),
    "a core module": ("component.module", component(b"\0asm\x01\0\0\0")),
    "no component": ("component.missing", component(None)),
    "half a component": ("component.broken", component(make_component()[:-150])),
    "a component that wants WASI": (
        "component.imports",
        component(make_component(imports='(import "wasi:filesystem/preopens@0.2.0" (instance))')),
    ),
    "a component that wants the loader": (
        "component.imports",
        component(make_component(imports=LOADER)),
    ),
    "another version of the world": (
        "component.imports",
        component(make_component(imports='(import "caravan:app/kv@2.0.0" (instance))')),
    ),
    "several memories": ("component.memories", component(make_component(module="(memory $b 1)"))),
    "fifty memories": (
        "component.memories",
        component(make_component(component="(core module (memory 1))" * 50)),
    ),
    "shared memory": (
        "component.memory",
        component(make_component(memory='(memory (export "memory") 2 3 shared)')),
    ),
    "texts in UTF-16": ("component.encoding", component(make_component(encoding=UTF16))),
    "a start function": (
        "component.start",
        component(make_component(module="(func $s (loop $l (br $l))) (start $s)")),
    ),
    "lists of records": (
        "component.types",
        component(make_component(host=f'(func (param "payload" (list u8)) {ANSWER})')),
    ),
    "more memory than there is": (
        "component.instance",
        component(make_component(memory='(memory (export "memory") 40000)')),
    ),
    "many tables": (
        "component.instance",
        component(make_component(module="(table 1 funcref)" * 10)),
    ),
    "a table without end": (
        "component.instance",
        component(make_component(module="(table 1000000 funcref)")),
    ),
    "pairs in its types": (
        "component.types",
        component(make_component(host=f'(func (param "payload" (tuple u32 u32)) {ANSWER})')),
    ),
    "a run of another shape": (
        "component.types",
        component(
            make_component(
                run_type=f'(param "action" string) {ANSWER}',
                run_core="(param i32 i32) (result i32)",
            )
        ),
    ),
    "a proposal that is off": ("component.invalid", component(make_component(module="(tag $t)"))),
    "a component that traps when asked": (
        "sandbox.crashed",
        component(make_component(describe="(unreachable)")),
    ),
    "a component that never says what it does": (
        "limit.cpu",
        component(make_component(describe="(loop $l (br $l)) (unreachable)")),
    ),
}  # fmt: skip
