"""Apps that mean harm: what each does, and the rules one of which must end it."""

from collections.abc import Collection

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

LITTLE_CPU_MS, AMPLE_CPU_MS = 300, 5000


def cpu_ms_for(rules: Collection[str]) -> int:
    """Little where computing time is what ends the case, so that it ends soon.

    Elsewhere ample: a slow machine must not end a case before its own fault does.
    """
    return LITTLE_CPU_MS if "limit.cpu" in rules else AMPLE_CPU_MS


# Body of the action → rules.
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
    "log flood": ("while True: print('x' * 1000)", {"limit.output"}),
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
        {"app.error", "output.kind"},
    ),
    "a lone surrogate": ("yield chr(0xD800)\n1 / 0", {"app.error"}),
    "an import loop": ("import app\nimport importlib\nimportlib.reload(app)\n1 / 0", {"app.error"}),
}
