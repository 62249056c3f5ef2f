"""Apps that mean harm, seen in a whole store: tricks of the language, of host calls, of tenants."""

from tests.factories.components import make_component

CALL = "from caravan import _host\n_host.call({!r}, {!r})"
EMPTY = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
ASKED = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
FLOOD = f"""
from caravan import _host
while True:
    try:
        _host.call("form.ask", {{"schema": {EMPTY}}})
    except Exception:
        pass
"""
PAST_THE_END = f"""
from caravan import _host
handle = _host.call("llm.open", {ASKED})
while "end" not in _host.call("llm.next", {{"handle": handle}}):
    pass
_host.call("llm.next", {{"handle": handle}})
"""
OPENER = f"""
from caravan import _host
while True: _host.call("llm.open", {{**{ASKED}, "max_tokens": 256}})
"""
OUT_OF_THE_HEAP = """
import gc
found = [each for each in gc.get_objects() if getattr(each, "__name__", "") == "FileIO"]
found[0]("/etc/passwd")
"""
UP_THE_FRAMES = """
import sys
frame = sys._getframe()
while frame.f_back: frame = frame.f_back
assert "marketplace" in frame.f_code.co_filename, "the guest alone"
"""
LEFT_BEHIND = """
import builtins, json
before = hasattr(builtins, "left") or hasattr(json, "left")
builtins.left = json.left = True
assert before, "nothing of an earlier run"
"""
STILL = """
import time
began = time.time()
sum(range(300_000))
assert time.time() != began, "the clock stands still"
"""
PATCHED = "ctx.kv.user._scope = 'app'\nctx.kv.user.get('a')"
SHELF = "for n in range(40): ctx.kv.user.set(f'k{n}', 'x' * 60_000)"

# Body of the action → the rules one of which ends it.
FURTHER = {
    "a loop in a finally": ("try:\n    1 / 0\nfinally:\n    while True: pass", {"limit.cpu"}),
    "endless generator into sorted": (
        "import itertools; sorted(itertools.repeat(1))",
        {"limit.memory", "limit.cpu"},
    ),
    "endless string growth": (
        "x = 'a'\nwhile True: x += x",
        {"limit.memory", "sandbox.crashed"},
    ),
    "nested lists without end": (
        "x = []\nwhile True: x = [x]",
        {"limit.memory", "limit.cpu", "sandbox.crashed"},
    ),
    "a deep repr": (
        "x = []\nfor _ in range(200_000): x = [x]\nrepr(x)",
        {"app.error", "sandbox.crashed"},
    ),
    "two hundred megabytes of text": ("yield 'x' * 200_000_000", {"limit.memory"}),
    "a pickle bomb": (
        "pickle = __import__('pickle'); pickle.loads(b\"cos\\nsystem\\n(S'id'\\ntR.\")",
        {"app.error"},
    ),
    "a list multiplied": ("x = [0] * 10 ** 10", {"app.error"}),
    "bad format width": ("'%*d' % (10 ** 9, 1)", {"limit.memory"}),
    "waiting for somebody to type": ("input()", {"app.error"}),
    "reading what nobody sends": ("import sys; assert sys.stdin.read(), 'empty'", {"app.error"}),
    "a flood of errors": (
        "import sys\nwhile True: print('x' * 1000, file=sys.stderr)",
        {"limit.output"},
    ),
    "the environment": ("import os\nassert os.environ.get('HOME'), 'empty'", {"app.error"}),
    "the arguments of the process": ("import sys\nassert sys.argv[1:], 'empty'", {"app.error"}),
    "the places of modules": ("import sys\nassert sys.path, 'empty'", {"app.error"}),
    "a listing of the root": ("import os; os.listdir('/')", {"app.error"}),
    "a temporary file": ("import tempfile; tempfile.mkstemp()", {"app.error"}),
    "a signal": ("import os; os.kill(1, 9)", {"app.error"}),
    "the end of the process": ("import os; os.abort()", {"app.error"}),
    "an audit hook against ours": (
        "import sys\nsys.addaudithook(lambda *_: 1 / 0)\nopen('x')",
        {"app.error", "sandbox.crashed"},
    ),
    "the C types": ("import _ctypes", {"app.error"}),
    "an original out of the heap": (OUT_OF_THE_HEAP, {"app.error"}),
    "up the frames": (UP_THE_FRAMES, {"app.error"}),
    "a reloaded clock": (
        "import importlib, time\nimportlib.reload(time)\ntime.sleep(30)",
        {"limit.wall", "sandbox.crashed"},
    ),
    "what an earlier run left": (LEFT_BEHIND, {"app.error"}),
    "a clock to measure neighbours with": (STILL, {"app.error"}),
    "another's memory by its key": (
        "assert ctx.kv.user.get('../neighbour') or ctx.kv.user.get('neighbour:count'), 'nothing'",
        {"app.error"},
    ),
    "a value beyond its size": ("ctx.kv.user.set('a', 'x' * 900_000)", {"kv.value"}),
    "a call beyond its size": ("ctx.kv.user.set('a', 'x' * 2_000_000)", {"app.error"}),
    "a list of a million": ("ctx.kv.user.set('a', list(range(10 ** 6)))", {"limit.memory"}),
    "a shelf without end": (SHELF, {"kv.quota"}),
    "a key with a null": ("ctx.kv.user.set('a\\0b', 1)", {"kv.key"}),
    "a key that reads backwards": ("ctx.kv.user.set('a\\u202eb', 1)", {"kv.key"}),
    "a key with no width": ("ctx.kv.user.set('a\\u200bb', 1)", {"kv.key"}),
    "a key for a terminal": ("ctx.kv.user.set('\\x1b[2J', 1)", {"kv.key"}),
    "a key without end": ("ctx.kv.user.set('k' * 10_000, 1)", {"kv.key"}),
    "counting in words": (
        CALL.format("kv.incr", {"scope": "user", "key": "a", "by": "x"}),
        {"kv.value"},
    ),
    "shared memory without the grant": (
        CALL.format("kv.get", {"scope": "app", "key": "a"}),
        {"permission.kv.app"},
    ),
    "a patched SDK": (PATCHED, {"permission.kv.app"}),
    "an advertisement without the grant": (
        CALL.format("ads.slot", {"name": "a"}),
        {"permission.ads.show"},
    ),
    "a slot forged as an item": (
        CALL.format("output.write", {"kind": "slot", "name": "a"}),
        {"permission.ads.show"},
    ),
    "a slot without end": ("while True: yield ctx.ads.slot('after-result')", {"limit.host_calls"}),
    "a slot of its own invention": (CALL.format("ads.slot", {"name": "on-top"}), {"ads.slot"}),
    "units below nothing": (CALL.format("meter.add", {"name": "a", "n": -5}), {"meter.n"}),
    "a file of nobody": (CALL.format("files.read", {"file": "0" * 32}), {"files.unknown"}),
    "a file by its path": (CALL.format("files.read", {"file": "../../x"}), {"files.unknown"}),
    "a form that is none": (CALL.format("form.ask", {"schema": {"type": "x"}}), {"form.schema"}),
    "a form that nobody answers": (CALL.format("form.ask", {"schema": EMPTY}), {"form.unanswered"}),
    "forms without end": (FLOOD, {"limit.host_calls"}),
    "a forged entitlement": (
        "from caravan.errors import HostError\nraise HostError('payment.taken', 'Pay again.')",
        {"app.error"},
    ),
    "a purchase in the person's name": (
        CALL.format("billing.grant", {"product": "pro"}),
        {"host.unknown-op", "app.error"},
    ),
    "a forged handle": (CALL.format("llm.next", {"handle": 7}), {"llm.handle"}),
    "a handle that is no number": (CALL.format("llm.next", {"handle": [1]}), {"llm.handle"}),
    "an answer read past its end": (PAST_THE_END, {"llm.handle"}),
    "answers left open": (
        OPENER,
        {"limit.llm_tokens"},
    ),
    "negative tokens": (
        CALL.format("llm.open", {"messages": [{}], "max_tokens": -1}),
        {"llm.max-tokens"},
    ),
    "messages that are none": (CALL.format("llm.open", {"messages": "all"}), {"llm.messages"}),
    "a host's own word": (CALL.format("run.queued", {"position": 0}), {"app.error"}),
    "not a number at all": (
        "w = __import__('wit_world.imports', fromlist=['kv'])\nw.kv.get('{\"key\": NaN}')",
        {"app.error", "host.payload"},
    ),
}  # fmt: skip

GRANT = """
[[permission]]
name = "{}"
reason = "The attack may need it."
"""
# What some of them need in their manifest.
MORE = {
    "a slot without end": GRANT.format("ads.show")
    + '[[ad_slot]]\nname = "after-result"\nformats = ["text"]\n',
    "a slot of its own invention": GRANT.format("ads.show"),
    "units below nothing": GRANT.format("billing.meter"),
}

WRITE = "(call $write (i32.const 128) (i32.const 31) (i32.const 32))"
# A component, by what its `run` does → the rule that ends it.
COMPONENTS = {
    "a component that loops": (
        make_component(run="(loop $on (br $on)) (unreachable)"),
        {"limit.cpu"},
    ),
    "a component that floods": (
        make_component(run=f"(loop $on {WRITE} (br $on)) (unreachable)"),
        {"limit.host_calls"},
    ),
    "a component that calls itself": (
        make_component(
            run="(call $deep) (unreachable)",
            module="(func $deep (call $deep) (drop (i32.const 0)))",
        ),
        {"sandbox.crashed"},
    ),
    "a component that sends what it has not": (
        make_component(run=WRITE.replace("128", "0x7fffffff") + "(unreachable)"),
        {"sandbox.crashed"},
    ),
    "a component that answers what it has not": (
        make_component(run="(call $answer (i32.const 0x7fffff00) (i32.const 64))"),
        {"sandbox.crashed"},
    ),
    "a component whose answer has no end": (
        make_component(run="(call $answer (i32.const 0) (i32.const -1))"),
        {"sandbox.crashed"},
    ),
    "a component whose answer is no text": (
        make_component(
            run="(i32.store8 (i32.const 64) (i32.const 0xff)) (call $answer (i32.const 64)"
            " (i32.const 1))"
        ),
        {"sandbox.crashed"},
    ),
    "a component that wants all memory": (
        make_component(
            run="(if (i32.eq (memory.grow (i32.const 30000)) (i32.const -1)) (then (unreachable)))"
            " (call $ok)"
        ),
        {"sandbox.crashed"},
    ),
}
