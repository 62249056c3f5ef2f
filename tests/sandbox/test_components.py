"""Uploaded components: compiled apart, kept by content, run like any app."""

import threading
from pathlib import Path
from uuid import uuid4

import pytest

from marketplace.sandbox import components
from marketplace.sandbox.client import RunnerClient
from marketplace.sandbox.components import Component
from marketplace.sandbox.ports import AppRefused, Outcome, OutcomeKind
from tests.factories.components import ANSWER, HOST, make_component
from tests.factories.sandbox import SMALL, Host, limits, make_job, shared_runners, start_zygote

LOADER = f'(import "caravan:app/loader@1.0.0" (instance (export "find" {HOST})))'


def run(data: bytes, host: Host | None = None, **given: object) -> Outcome:
    runners = shared_runners()
    code = {"component.wasm": data}
    job = make_job(code=code | runners.compile(code, limits=SMALL), **given)
    return runners.run(job, host or Host(), threading.Event())


def rule(data: bytes, **given: object) -> str:
    error = run(data, **given).error
    assert error is not None
    return error.rule


def refusal(data: bytes) -> str | None:
    with pytest.raises(AppRefused) as refused:
        shared_runners().compile({"component.wasm": data}, limits=SMALL)
    return refused.value.rule


def test_a_component_runs_and_writes_through_the_host() -> None:
    host = Host()
    assert run(make_component(), host).kind is OutcomeKind.FINISHED
    assert host.texts == ["salaam"]


def test_a_component_says_what_it_can_do() -> None:
    code = {"component.wasm": make_component()}
    described = shared_runners().describe(code, "", limits=SMALL)
    assert [each["name"] for each in described["actions"]] == ["go"]


def test_python_and_components_share_the_runners() -> None:
    for _ in range(3):
        host = Host()
        outcome = shared_runners().run(make_job(), host, threading.Event())
        assert (outcome.kind, host.texts) == (OutcomeKind.FINISHED, ["hello"])
        assert run(make_component()).kind is OutcomeKind.FINISHED


def test_more_components_than_are_kept_ready_all_run() -> None:
    texts = [make_component(module=f'(func (export "f{n}"))') for n in range(10)]
    for data in [*texts, *texts]:
        assert run(data).kind is OutcomeKind.FINISHED


def test_a_component_has_the_limits_of_every_run() -> None:
    write = "(call $write (i32.const 128) (i32.const 31) (i32.const 32))"
    loop = "(loop $on (br $on)) (unreachable)"
    assert rule(make_component(run=loop), limits=limits(cpu_ms=200)) == "limit.cpu"
    flood = f"(loop $on {write} (br $on)) (unreachable)"
    assert rule(make_component(run=flood), limits=limits(host_calls=50)) == "limit.host_calls"
    assert rule(make_component(run="unreachable")) == "sandbox.crashed"
    far = write.replace("128", "0x7fffffff") + "(unreachable)"
    assert rule(make_component(run=far)) == "sandbox.crashed"
    deep = "(call $deep) (unreachable)"
    module = "(func $deep (call $deep) (drop (i32.const 0)))"
    assert rule(make_component(run=deep, module=module)) == "sandbox.crashed"


def test_a_component_grows_to_its_memory_and_no_further() -> None:
    # It answers -1 when memory.grow was refused; 100 MiB are 1,600 pages.
    grown = "(memory.grow (i32.const 1600))"
    data = make_component(
        run=f"(if (i32.eq {grown} (i32.const -1)) (then (unreachable))) (call $ok)"
    )
    assert rule(data) == "sandbox.crashed"
    assert run(data, limits=limits(memory_bytes=128 * 2**20)).kind is OutcomeKind.FINISHED


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        ("component.types", make_component(host=f'(func (param "payload" (list u8)) {ANSWER})')),
        (
            "component.types",
            make_component(
                run_type=f'(param "action" string) {ANSWER}',
                run_core="(param i32 i32) (result i32)",
            ),
        ),
        ("component.invalid", make_component(module="(tag $t)")),
        ("component.instance", make_component(imports=LOADER)),
        ("component.instance", make_component(memory='(memory (export "memory") 40000)')),
    ],
)
def test_what_cannot_be_used_is_refused_by_the_compiler(expected: str, data: bytes) -> None:
    assert refusal(data) == expected


def test_a_component_that_is_too_hard_to_compile_ends_only_its_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Shorter than the compiler takes to begin, on any machine.
    monkeypatch.setattr(components, "COMPILE_WALL_S", 0.05)
    bomb = (
        "(func (result i32) "
        + "(i32.const 1) (i32.const 2) (i32.add) (drop)" * 400_000
        # Never compiled before, or the machine would know it.
        + f"(i32.const {uuid4().int % 2**31}))"
    )
    assert refusal(make_component(module=bomb)) == "component.too-hard"


def test_what_was_compiled_is_found_again_and_damage_is_mended(tmp_path: Path) -> None:
    code = {"component.wasm": make_component()}
    found = Component(tmp_path, code)
    found.ensure()
    [kept] = (tmp_path / "components").glob("*.cwasm")
    before = kept.read_bytes()
    written = kept.stat().st_ctime_ns
    Component(tmp_path, code | {"component.sha256": found.digest}).ensure()
    assert kept.stat().st_ctime_ns == written
    kept.write_bytes(before[:-1] + b"?")
    compiled = components.read(found.open())
    assert kept.read_bytes() != before[:-1] + b"?"
    assert compiled == kept.read_bytes()[32:]


def test_a_machine_that_never_saw_the_component_compiles_it_for_its_first_run(
    tmp_path: Path,
) -> None:
    process, there = start_zygote(tmp_path)
    client = RunnerClient(there._path, tmp_path / "cache")
    try:
        outcome = client.run(
            make_job(code={"component.wasm": make_component()}), Host(), threading.Event()
        )
    finally:
        process.terminate()
        process.wait()
    assert outcome.kind is OutcomeKind.FINISHED
