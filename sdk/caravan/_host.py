"""The only door to the store: one function, one JSON object in, one JSON value out.

Inside the sandbox the runtime installs the real door; `caravan.testing.Simulator` installs a
pretended one. An operation that is declined raises `HostError(code, message)`.

- `llm.open` {messages [{role, content}], and where set max_tokens, temperature, json_schema}
  -> a handle; `llm.next` {handle} -> {text} as often as there is more, then {end: reason};
- `llm.complete` {as llm.open} -> {text, reason};
- `llm.forward` {as llm.open} -> {text, reason, usage}, after the store wrote it to the output;
- `llm.embed` {texts} -> one list of numbers for each;
- `kv.get` {scope, key} -> the value or null; `kv.set` {scope, key, value} and
  `kv.delete` {scope, key} -> null; `kv.incr` {scope, key, by} -> the new whole number;
  `kv.cas` {scope, key, expected, value} -> whether it was `expected` and is now `value`;
  `kv.keys` {scope, prefix} -> the keys in order; scope is user or app;
- `settings.get` {} -> {name: value}, a secret being a placeholder that only the egress replaces;
- `files.read` {file, offset, length} -> {base64, size_bytes};
- `http.fetch` {method, url, headers, body_base64} -> {status, headers, body_base64};
- `form.ask` {schema, title} -> the person's answers;
- `ads.slot` {name} -> null; `billing.entitled` {product} -> true or false;
  `meter.add` {name, n} -> null;
- `log.write` {level: info, warning or error; text} -> null;
- `output.write` {one item that `App.run` yields} -> null; the runtime calls it, not the app;
  `output.progress` {done, total, text} -> null.
"""

from collections.abc import Callable
from typing import Any

from caravan.errors import HostError

Call = Callable[[str, dict[str, Any]], Any]


def _absent(op: str, payload: dict[str, Any]) -> Any:
    raise HostError(
        "host.absent",
        f"“{op}” needs a store. Start the app with `caravan run` or `caravan dev`, "
        "or use caravan.testing.Simulator in a test.",
    )


class _Door:
    """Holds the installed function, so that `call` may be imported by name."""

    call: Call = staticmethod(_absent)


def install(call: Call | None) -> Call:
    """Use `call` for every host call from now on (None: none), and return the one before."""
    before = _Door.call
    _Door.call = staticmethod(call or _absent)
    return before


def call(op: str, payload: dict[str, Any]) -> Any:
    """Ask the store for one operation. Raises: HostError."""
    return _Door.call(op, payload)
