"""The runtime: its hardened engine, its trampoline, and the world it implements."""

import json
import re
from pathlib import Path

import pytest

from marketplace.sandbox import builder, runtime
from marketplace.sandbox.limits import PAYLOAD_BYTES
from marketplace.sandbox.runtime import Runtime, Trapped
from tests.factories.sandbox import runtime_cache

WIT = (builder.SDK / "runtime" / "wit" / "caravan-app.wit").read_text()
MEMORY_BYTES = 64 * 2**20


@pytest.fixture(scope="module")
def compiled() -> Path:
    return builder.ensure_runtime(runtime_cache())


def host_of(source: str, last: object) -> runtime.Host:
    """A host that gives one app, and raises or answers `last` to anything else."""
    answers = {
        "clock.now": 0,
        "invocation.info": {"entry": "app", "seed": 1, "locale": "en"},
        "loader.find": {"path": "app.py", "package": False, "bytecode": None},
        "loader.read": __import__("base64").b64encode(source.encode()).decode(),
        "random.bytes": "00" * 64,
        "output.write": None,
    }

    def answer(op: str, payload: str) -> tuple[bool, str]:
        if op in answers:
            return True, json.dumps(answers[op])
        if isinstance(last, BaseException):
            raise last
        return True, json.dumps(last)

    return answer


def listening(source: str, heard: list[str]) -> runtime.Host:
    """A host of one app that keeps what the app writes."""
    host = host_of(source, None)

    def answer(op: str, payload: str) -> tuple[bool, str]:
        if op == "output.write":
            heard.append(payload)
        return host(op, payload)

    return answer


def app(body: str) -> str:
    head = "from caravan import App, Context, HostError\napp = App()\n@app.action('Go')\n"
    return f"{head}def go(ctx: Context):\n    {body}\n"


def test_the_host_links_exactly_the_functions_of_the_world() -> None:
    declared = {
        name: tuple(sorted(re.findall(r"^ +([a-z-]+): func", body, re.MULTILINE)))
        for name, body in re.findall(
            r"^interface ([a-z-]+) \{(.*?)^\}", WIT, re.MULTILINE | re.DOTALL
        )
    }
    assert declared == {name: tuple(sorted(each)) for name, each in runtime.INTERFACES.items()}
    imported = re.findall(r"^ +import ([a-z-]+);", WIT, re.MULTILINE)
    assert sorted(imported) == sorted(runtime.INTERFACES)


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), ValueError("ours")])
def test_an_exception_in_a_host_function_is_an_error_for_the_guest_alone(
    compiled: Path, raised: BaseException
) -> None:
    source = app("ctx.kv.user.get('a')")
    ready = Runtime.of_python(runtime.engine(), compiled, memory_bytes=MEMORY_BYTES)
    is_good, text = ready.call("run", ("go", "{}"), host_of(source, raised))
    assert not is_good
    assert json.loads(text)["code"] == "host.failed"
    assert "ours" not in text


def test_a_payload_beyond_its_limit_never_reaches_the_host(compiled: Path) -> None:
    source = app(f"ctx.kv.user.set('a', 'x' * {PAYLOAD_BYTES})")
    ready = Runtime.of_python(runtime.engine(), compiled, memory_bytes=MEMORY_BYTES)
    is_good, text = ready.call("run", ("go", "{}"), host_of(source, AssertionError("reached")))
    assert not is_good
    assert json.loads(text)["code"] == "limit.payload"


def test_warming_up_leaves_no_trace_an_app_could_see(compiled: Path) -> None:
    body = (
        "import sys, random, gc; yield str([random.random(), sorted(sys.modules), sys.argv, "
        "sorted(vars(app)), len(gc.garbage)])"
    )
    said = []
    for is_warm in (False, True):
        ready = Runtime.of_python(runtime.engine(), compiled, memory_bytes=MEMORY_BYTES)
        if is_warm:
            ready.warm()
        heard: list[str] = []
        assert ready.call("run", ("go", "{}"), listening(app(body), heard)) == (True, "{}")
        said += heard
    assert said[0] == said[1]
    assert len(said[0]) > 1000


def test_an_instance_that_trapped_is_dead(compiled: Path) -> None:
    ready = Runtime.of_python(runtime.engine(), compiled, memory_bytes=MEMORY_BYTES)
    source = app("import faulthandler; faulthandler._sigsegv()")
    for _ in range(2):
        with pytest.raises(Trapped):
            ready.call("run", ("go", "{}"), host_of(source, None))


def test_too_little_memory_for_the_runtime_is_refused_at_once(compiled: Path) -> None:
    with pytest.raises(Exception, match="memory"):
        Runtime.of_python(runtime.engine(), compiled, memory_bytes=2**20)


def test_bytes_that_are_no_component_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.wasm").write_bytes(b"\0asm but not really")
    with pytest.raises(Exception, match=r"parse|magic|unexpected|unknown"):
        runtime.compile_component(tmp_path / "bad.wasm", tmp_path / "bad.cwasm")
    assert not (tmp_path / "bad.cwasm").exists()
