"""The guest's end of the host interfaces: one call, JSON both ways, ordinary exceptions."""

import json
from typing import Any

from caravan.errors import HostError
from componentize_py_types import Err
from wit_world.imports import (
    ads,
    billing,
    clock,
    files,
    form,
    http,
    invocation,
    kv,
    llm,
    loader,
    log,
    meter,
    output,
    random,
    settings,
)

INTERFACES = {
    "ads": ads,
    "billing": billing,
    "clock": clock,
    "files": files,
    "form": form,
    "http": http,
    "invocation": invocation,
    "kv": kv,
    "llm": llm,
    "loader": loader,
    "log": log,
    "meter": meter,
    "output": output,
    "random": random,
    "settings": settings,
}


def call(op: str, payload: dict[str, Any]) -> Any:
    """Ask the host for `op` and return its answer.

    Raises: HostError with the host's code and sentence, also for an op that does not exist.
    """
    interface, _, name = op.partition(".")
    function = getattr(INTERFACES.get(interface), name, None)
    if function is None:
        raise HostError("host.unknown-op", f"The store has no function {op!r}.")
    try:
        answer = function(json.dumps(payload))
    except Err as refused:
        error = json.loads(refused.value)
        raise HostError(error["code"], error["message"]) from None
    return json.loads(answer)
