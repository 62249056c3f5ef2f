"""Components: what is read of them, and each rule that refuses one."""

from contextlib import suppress

import pytest
from caravan import component
from caravan.checks import check, is_publishable
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.components import make_component
from tests.sdk.bundles import MANIFEST, make_bundle

COMPONENT_MANIFEST = MANIFEST.replace('kind = "python"\nentry = "app"', 'kind = "component"')
LOADER = '(import "caravan:app/loader@1.0.0" (instance))'
CORE = b"\0asm\x01\0\0\0"


def rules(data: bytes | None, **changes: str | bytes | None) -> set[str]:
    """The rules of all errors about a bundle with this component."""
    files = {"caravan.toml": COMPONENT_MANIFEST, "app.py": None, "component.wasm": data}
    findings = check(make_bundle({**files, **changes}))
    return {each.rule for each in findings if each.level == "error"}


def test_a_component_of_the_world_can_be_published() -> None:
    data = make_component()
    found = component.read(data)
    assert found.imports == {"caravan:app/output@1.0.0": component.INSTANCE}
    assert found.exports == {"describe": component.FUNCTION, "run": component.FUNCTION}
    assert (found.memories, found.encodings) == (1, {"UTF-8"})
    assert rules(data) == set()


def test_a_python_app_may_not_hide_a_component() -> None:
    findings = check(make_bundle({"component.wasm": make_component()}))
    assert not is_publishable(findings)
    assert "component.unexpected" in {each.rule for each in findings}


@pytest.mark.parametrize(
    ("rule", "data"),
    [
        ("component.missing", None),
        ("component.native", b"\x7fELF\x02\x01\x01" + b"\0" * 60),
        ("component.module", CORE),
        ("component.text", b"\n (component)"),
        ("component.broken", b"GIF89a"),
        ("component.broken", make_component()[:-200]),
        ("component.complex", make_component() + b"\0\0" * 30_000),
        ("component.imports", make_component(imports='(import "wasi:cli/a@0.2.0" (instance))')),
        ("component.imports", make_component(imports=LOADER)),
        ("component.imports", make_component(imports='(import "caravan:app/kv@1.0.0" (func))')),
        ("component.exports", make_component()[:8]),
        ("component.encoding", make_component(encoding="string-encoding=utf16")),
        ("component.encoding", make_component(encoding="string-encoding=latin1+utf16")),
        ("component.memories", make_component(component="(core module (memory 1))")),
        ("component.memories", make_component(module="(memory $other 1)")),
        ("component.memories", make_component(component="(component (core module (memory 1)))")),
        ("component.memory", make_component(memory='(memory (export "memory") 2 3 shared)')),
        ("component.memory", make_component(memory='(memory (export "memory") i64 2)')),
        ("component.start", make_component(module="(func $early) (start $early)")),
        ("component.asynchronous", make_component(component="(canon task.cancel (core func))")),
        ("component.complex", make_component(component="(component" * 9 + ")" * 9)),
    ],
)  # fmt: skip
def test_a_component_that_breaks_a_rule_is_refused_by_its_name(
    rule: str, data: bytes | None
) -> None:
    assert rule in rules(data)


def test_the_world_is_read_from_the_wit() -> None:
    assert "caravan:app/llm@1.0.0" in component.world()
    assert "caravan:app/loader@1.0.0" not in component.world()


@pytest.mark.fuzz
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_a_damaged_component_is_read_or_refused_and_nothing_else(at: int, damage: bytes) -> None:
    whole = make_component()
    at %= len(whole)
    with suppress(component.NotAComponent):
        component.read(whole[:at] + damage + whole[at + len(damage) :])
