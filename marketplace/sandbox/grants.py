"""Capabilities: which permission each host call needs. Pure."""

from collections.abc import Mapping
from typing import Any

# Every app may show its result, ask its person, write its log and read its settings.
ALWAYS = frozenset({"output.write", "output.progress", "log.write", "settings.get", "form.ask"})
PERMISSIONS = {
    "llm.open": "llm.generate",
    "llm.next": "llm.generate",
    "llm.complete": "llm.generate",
    "llm.forward": "llm.generate",
    "llm.embed": "llm.embed",
    "http.fetch": "net.fetch",
    "files.read": "files.read",
    "meter.add": "billing.meter",
    "ads.slot": "ads.show",
    "billing.entitled": "billing.entitlement",
}
KV_OPS = frozenset({"kv.get", "kv.set", "kv.delete", "kv.incr", "kv.cas", "kv.keys"})
KV_SCOPES = frozenset({"user", "app"})
OPS = ALWAYS | PERMISSIONS.keys() | KV_OPS

WHAT = {
    "llm.generate": "use the language model",
    "llm.embed": "compare texts by their meaning",
    "kv.user": "keep your data between runs",
    "kv.app": "keep data shared by everyone who uses it",
    "billing.meter": "count use that you pay for",
    "files.read": "read the files you pick for a run",
    "net.fetch": "send and fetch data on the web",
    "ads.show": "show advertisements",
    "billing.entitlement": "ask what you have bought",
}
EVERYTHING = frozenset(WHAT)


def needed(op: str, payload: Mapping[str, Any]) -> str | None:
    """The permission that a known `op` needs, or None where it needs none.

    A slot in the output is an advertisement too. An unknown scope needs a permission that
    no app can have.
    """
    if op == "output.write" and payload.get("kind") == "slot":
        return "ads.show"
    if op in KV_OPS:
        scope = payload.get("scope")
        return f"kv.{scope}" if isinstance(scope, str) and scope in KV_SCOPES else "kv.unknown"
    return PERMISSIONS.get(op)


def refusal(op: str, payload: Mapping[str, Any], granted: frozenset[str]) -> tuple[str, str] | None:
    """Why an app may not make this call, as rule and sentence; None where it may."""
    if op not in OPS:
        return "host.unknown-op", f"The store has no function “{op[:60]}”."
    permission = needed(op, payload)
    if permission is None or permission in granted:
        return None
    what = WHAT.get(permission, "do this")
    sentence = (
        f"This app may not {what}: it has not been granted “{permission}”. "
        "Its developer can ask for it in caravan.toml."
    )
    return f"permission.{permission}", sentence
