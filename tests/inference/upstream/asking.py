"""What tests ask of a client of other servers, and how those servers answer."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from marketplace.inference.upstream.client import Upstream
from marketplace.kernel.errors import CaravanError
from tests.inference.engines import make_generation
from tests.inference.openai_server import answer_json

type_connect = Callable[..., Upstream]
LETTERS = "abcdefgh"


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def answering(status: int, body: Any = b"", **headers: str) -> Any:
    """Answers every chat with this."""
    return lambda handler, _body: answer_json(handler, body, status, **headers)


def refusal_of(client: Upstream, family: type[CaravanError], **given: Any) -> CaravanError:
    """The error a request ends with."""
    with pytest.raises(family) as refused:
        list(client.generate(make_generation(**given)))
    return refused.value
