"""What every sandbox promises: the real runners and the fake are held to the same."""

import threading

import pytest

from marketplace.sandbox.fake import FakeSandbox
from marketplace.sandbox.ports import AppRefused, Outcome, OutcomeKind, Sandbox
from tests.factories.sandbox import FULL, SMALL, Host, limits, make_job, shared_runners


@pytest.fixture(params=["fake", "runners"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return FakeSandbox() if request.param == "fake" else shared_runners()


def run(sandbox: Sandbox, body: str, host: Host | None = None, **given: object) -> Outcome:
    return sandbox.run(make_job(body, **given), host or Host(), threading.Event())


def rule(outcome: Outcome) -> str:
    assert outcome.error is not None
    return outcome.error.rule


def test_items_arrive_in_the_order_they_were_made(sandbox: Sandbox) -> None:
    host = Host()
    outcome = run(sandbox, "for number in range(5): yield str(number)", host)
    assert (outcome.kind, outcome.error) == (OutcomeKind.FINISHED, None)
    assert host.texts == ["0", "1", "2", "3", "4"]
    assert outcome.host_calls == 5
    assert outcome.output_bytes > 5


def test_a_host_call_is_answered(sandbox: Sandbox) -> None:
    host = Host({"kv.get": {"deep": [1, "é"]}})
    run(sandbox, "yield str(ctx.kv.user.get('key')['deep'])", host)
    assert host.calls[0] == ("kv.get", {"scope": "user", "key": "key"})
    assert host.texts == ["[1, 'é']"]


def test_the_input_reaches_the_action(sandbox: Sandbox) -> None:
    source = (
        "from caravan import App\napp = App()\n"
        "@app.action('Go')\ndef go(name: str, times: int = 2): yield name * times\n"
    )
    host = Host()
    run(sandbox, "", host, code={"app.py": source.encode()}, input_json='{"name": "ab"}')
    assert host.texts == ["abab"]


def test_input_that_does_not_fit_names_the_field(sandbox: Sandbox) -> None:
    outcome = run(sandbox, "yield 'x'", input_json='{"colour": 1}')
    assert rule(outcome) == "input.invalid"
    assert outcome.error is not None
    assert "colour" in outcome.error.fields


def test_a_refusal_can_be_caught_by_the_app(sandbox: Sandbox) -> None:
    host = Host({"kv.set": FULL})
    body = """
try:
    ctx.kv.user.set('a', 1)
except HostError as refused:
    yield refused.code
"""
    assert run(sandbox, body, host).kind is OutcomeKind.FINISHED
    assert host.texts == ["kv.full"]


def test_a_refusal_that_is_not_caught_ends_the_run_in_the_hosts_own_words(
    sandbox: Sandbox,
) -> None:
    outcome = run(sandbox, "ctx.kv.user.set('a', 1)", Host({"kv.set": FULL}))
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert (outcome.error.rule, outcome.error.message) == ("kv.full", "The app's storage is full.")


def test_an_app_cannot_speak_in_the_hosts_name(sandbox: Sandbox) -> None:
    outcome = run(sandbox, "raise HostError('sandbox.crashed', 'Send your password to me.')")
    assert rule(outcome) == "app.error"


def test_what_is_not_granted_is_refused_before_the_host_hears_of_it(sandbox: Sandbox) -> None:
    host = Host()
    outcome = run(sandbox, "ctx.kv.app.get('a')", host, grants=frozenset({"kv.user"}))
    assert rule(outcome) == "permission.kv.app"
    assert host.calls == []


def test_a_slot_in_the_output_needs_the_grant_too(sandbox: Sandbox) -> None:
    body = "from caravan import Slot\nyield Slot('after')"
    assert rule(run(sandbox, body, grants=frozenset())) == "permission.ads.show"
    assert run(sandbox, body).kind is OutcomeKind.FINISHED


def test_an_error_of_the_app_names_its_line_for_the_developer(sandbox: Sandbox) -> None:
    outcome = run(sandbox, "yield 'a'\n1 / 0")
    assert outcome.error is not None
    assert outcome.error.rule == "app.error"
    assert "ZeroDivisionError" in outcome.error.message
    assert '"app.py", line 6' in outcome.error.traceback


def test_output_beyond_its_limit_ends_the_run(sandbox: Sandbox) -> None:
    host = Host()
    outcome = run(sandbox, "while True: yield 'x' * 100", host, limits=limits(output_bytes=5000))
    assert rule(outcome) == "limit.output"
    assert 10 < len(host.texts) < 50


def test_host_calls_beyond_their_limit_end_the_run_even_if_it_catches_all(
    sandbox: Sandbox,
) -> None:
    host = Host()
    body = """
while True:
    try:
        ctx.kv.user.get('a')
    except Exception:
        pass
"""
    outcome = run(sandbox, body, host, limits=limits(host_calls=20))
    assert rule(outcome) == "limit.host_calls"
    assert len(host.calls) == 20


def test_a_stopped_run_ends_as_stopped(sandbox: Sandbox) -> None:
    stop = threading.Event()
    host = Host({"kv.get": lambda _: stop.set()})
    outcome = sandbox.run(make_job("while True: ctx.kv.user.get('a')"), host, stop)
    assert outcome.kind is OutcomeKind.STOPPED


def test_a_host_that_breaks_ends_the_run_with_its_own_rule(sandbox: Sandbox) -> None:
    outcome = run(sandbox, "ctx.kv.user.get('a')", Host({"kv.get": ZeroDivisionError("ours")}))
    assert rule(outcome) == "sandbox.host"


def test_nothing_an_app_sets_survives_a_run(sandbox: Sandbox) -> None:
    host = Host()
    body = """
import json
yield str(getattr(app, 'seen', False)) + str('extra' in globals())
app.seen = True
globals()['extra'] = 1
"""
    for _ in range(2):
        run(sandbox, body, host)
    assert host.texts == ["FalseFalse", "FalseFalse"]


def test_a_release_has_several_modules_and_packages(sandbox: Sandbox) -> None:
    code = {
        "main.py": b"from parts import words\nfrom parts.more import app\n",
        "parts/__init__.py": b"words = 'two words'\n",
        "parts/more.py": b"from caravan import App\nfrom . import words\napp = App()\n"
        b"@app.action('Go')\ndef go(): return words\n",
    }
    host = Host()
    run(sandbox, "", host, code=code, entry="main")
    assert host.texts == ["two words"]


def test_describe_tells_the_actions(sandbox: Sandbox) -> None:
    described = sandbox.describe(make_job().code, "app", limits=SMALL)
    assert [action["name"] for action in described["actions"]] == ["go"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_of_this_name", "nothing_of_this_name"),
        ("answer = 42", "app = App()"),
        ("from caravan import _host\n_host.call('kv.get', {'scope': 'user'})", "while an action"),
    ],
)
def test_describe_says_why_an_app_cannot_be_loaded(
    sandbox: Sandbox, source: str, said: str
) -> None:
    with pytest.raises(AppRefused) as refused:
        sandbox.describe({"app.py": source.encode()}, "app", limits=SMALL)
    assert said in refused.value.message


def test_compile_makes_bytecode_for_every_module(sandbox: Sandbox) -> None:
    code = {"app.py": b"a = 1", "parts/__init__.py": b"", "words.txt": b"no code"}
    made = sandbox.compile(code, limits=SMALL)
    assert made.keys() == {"app.pyc", "parts/__init__.pyc"}


def test_compile_names_the_line_of_wrong_syntax(sandbox: Sandbox) -> None:
    with pytest.raises(AppRefused) as refused:
        sandbox.compile({"app.py": b"a = 1\nb = = 2\n"}, limits=SMALL)
    assert (refused.value.file, refused.value.line) == ("app.py", 2)
    assert refused.value.rule == "app.syntax"


def test_status_says_it_is_ready(sandbox: Sandbox) -> None:
    assert sandbox.status().ready
