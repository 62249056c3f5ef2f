"""Apps that mean harm: each ends in a clear rule while its neighbour goes on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from marketplace.sandbox.ports import Outcome, OutcomeKind
from tests.factories.sandbox import Host, limits, make_job, shared_runners

TIGHT = limits(wall_ms=30_000, cpu_ms=300, output_bytes=20_000, host_calls=300)
IMPATIENT = limits(wall_ms=700, cpu_ms=5_000)

HOARDER = """
x = []
while True:
    try:
        while True: x.append(bytearray(10 ** 6))
    except MemoryError:
        pass
"""
CRAFTED = """
def f(): pass
f.__code__ = f.__code__.replace(co_code=bytes(range(256)) * 8, co_stacksize=1)
f()
"""

# What the app does → the rules one of which must end it.
ATTACKS = {
    "endless loop": ("while True: pass", {"limit.cpu"}),
    "loop that catches everything": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: continue",
        {"limit.cpu"},
    ),
    "huge power": ("x = 10 ** 10 ** 8", {"limit.cpu", "limit.memory"}),
    "catastrophic regex": ("import re; re.match('(a+)+$', 'a' * 60 + 'b')", {"limit.cpu"}),
    "endless sum": ("import itertools; sum(itertools.count())", {"limit.cpu"}),
    "loop in a destructor": (
        "class Late:\n    def __del__(self):\n        while True: pass\nLate()",
        {"limit.cpu"},
    ),
    "long sleep": ("import time; time.sleep(30)", {"limit.wall"}),
    "endless sleeps": ("import time\nwhile True: time.sleep(0.001)", {"limit.wall"}),
    "one huge object": ("x = bytearray(10 ** 9)", {"limit.memory"}),
    "growing list": ("x = []\nwhile True: x.append('a' * 100_000)", {"limit.memory"}),
    "huge text": ("yield 'x' * 30_000_000", {"app.error", "limit.memory", "limit.payload"}),
    "memory bomb that catches": (
        HOARDER,
        {"limit.cpu", "limit.memory"},
    ),
    "recursion": ("def f(): f()\nf()", {"app.error"}),
    "recursion without a limit": (
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()",
        {"sandbox.crashed", "app.error"},
    ),
    "deep json": ("import json; json.loads('[' * 200_000)", {"sandbox.crashed", "app.error"}),
    "deep source": (
        "eval('(' * 5000 + ')' * 5000)",
        {"sandbox.crashed", "app.error", "limit.memory"},
    ),
    "output flood": ("while True: yield 'x' * 1000", {"limit.output"}),
    "many small items": ("while True: yield 'x'", {"limit.host_calls"}),
    "log flood": ("while True: print('x' * 1000)", {"limit.host_calls"}),
    "host call flood": ("while True: ctx.kv.user.get('a')", {"limit.host_calls"}),
    "read a file": ("open('/etc/passwd').read()", {"app.error"}),
    "write a file": ("open('/tmp/x', 'w')", {"app.error"}),
    "climb out of the release": ("open('../../etc/passwd')", {"app.error"}),
    "a socket": ("import socket; socket.socket()", {"app.error"}),
    "the C socket": ("import _socket; _socket.socket()", {"app.error", "sandbox.crashed"}),
    "the C file": ("import posix; posix.open('/etc/passwd', 0)", {"app.error"}),
    "a thread": ("import threading; threading.Thread(target=print).start()", {"app.error"}),
    "a process": ("import subprocess; subprocess.run(['id'])", {"app.error"}),
    "fork": ("import os; os.fork()", {"app.error"}),
    "exit of the process": ("import os; os._exit(0)", {"app.error"}),
    "exit": ("raise SystemExit(0)", {"app.error"}),
    "abort": ("import faulthandler; faulthandler._sigabrt()", {"sandbox.crashed", "app.error"}),
    "segfault": ("import faulthandler; faulthandler._sigsegv()", {"sandbox.crashed"}),
    "crafted bytecode": (
        CRAFTED,
        {"sandbox.crashed", "app.error", "limit.cpu"},
    ),
    "bad marshal": (
        "import marshal; marshal.loads(b'c' + b'\\xff' * 80)",
        {"sandbox.crashed", "app.error"},
    ),
    "reloaded modules": (
        "import importlib, io, os\nimportlib.reload(io)\nio.open('/etc/passwd')",
        {"app.error", "sandbox.crashed"},
    ),
    "ctypes": ("import ctypes", {"app.error"}),
    "an op that does not exist": (
        "from caravan import _host\n_host.call('fs.read', {'path': '/'})",
        {"host.unknown-op", "app.error"},
    ),
    "an ungranted permission": (
        "from caravan import _host\n_host.call('billing.entitled', {'product': 'a'})",
        {"permission.billing.entitlement"},
    ),
    "a forged scope": (
        "from caravan import _host\n_host.call('kv.get', {'scope': ['user'], 'key': 'a'})",
        {"permission.kv.unknown"},
    ),
    "the interface itself": (
        "from wit_world.imports import kv\nkv.get('[1]')",
        {"app.error"},
    ),
    "no json": ("from wit_world.imports import kv\nkv.get('{')", {"app.error"}),
    "deep json to the host": (
        "from wit_world.imports import kv\nkv.get('[' * 100_000)",
        {"app.error"},
    ),
    "an item of output that is none": (
        "from caravan import _host\n_host.call('output.write', {'kind': 'html'})\n1 / 0",
        {"app.error"},
    ),
    "a lone surrogate": ("yield chr(0xD800)\n1 / 0", {"app.error"}),
    "an import loop": ("import app\nimport importlib\nimportlib.reload(app)\n1 / 0", {"app.error"}),
}


def perform(body: str, host: Host) -> Outcome:
    tight = IMPATIENT if "sleep" in body else TIGHT
    job = make_job(body, limits=tight, grants=frozenset({"kv.user"}))
    return shared_runners().run(job, host, threading.Event())


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Host]:
    """A run that is there the whole time, and must not notice anything."""
    go_on = threading.Event()
    host = Host({"kv.get": lambda _: go_on.wait(60)})
    body = "yield 'before'\nctx.kv.user.get('wait')\nyield 'after'"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            shared_runners().run, make_job(body, limits=limits(wall_ms=60_000)), host,
            threading.Event(),
        )  # fmt: skip
        yield host
        go_on.set()
        assert running.result(30).kind is OutcomeKind.FINISHED
        assert host.texts == ["before", "after"]


@pytest.fixture(scope="module")
def outcomes(neighbour: Host) -> dict[str, tuple[Outcome, Host]]:
    """Every attack, three at a time."""
    hosts = {name: Host() for name in ATTACKS}
    with ThreadPoolExecutor(3) as pool:
        ended = pool.map(lambda name: perform(ATTACKS[name][0], hosts[name]), ATTACKS)
        return {name: (each, hosts[name]) for name, each in zip(ATTACKS, ended, strict=True)}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_in_a_clear_rule(
    outcomes: dict[str, tuple[Outcome, Host]], name: str
) -> None:
    outcome, _ = outcomes[name]
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert outcome.error.rule in ATTACKS[name][1]
    assert outcome.error.message.endswith((".", "!")) or outcome.error.rule == "app.error"


def test_the_runners_are_all_well_after_the_attacks(
    outcomes: dict[str, tuple[Outcome, Host]],
) -> None:
    host = Host()
    assert perform("yield 'well'", host).kind is OutcomeKind.FINISHED
    assert host.texts == ["well"]


def test_refused_calls_never_reach_the_host(outcomes: dict[str, tuple[Outcome, Host]]) -> None:
    for name in ("an ungranted permission", "a forged scope", "an op that does not exist"):
        asked = [op for op, _ in outcomes[name][1].calls if op != "run.queued"]
        assert asked == []
