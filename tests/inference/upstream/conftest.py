"""Servers of the OpenAI dialect and clients of them, closed with the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from marketplace.inference.upstream.client import Upstream
from marketplace.inference.upstream.settings import UpstreamSettings
from marketplace.inference.upstream.turnstile import Bounds
from tests.inference.openai_server import OpenAIServer
from tests.inference.upstream.asking import LETTERS, type_connect


@pytest.fixture
def serve() -> Iterator[Callable[..., OpenAIServer]]:
    """Opens servers and closes them with the test."""
    opened: list[OpenAIServer] = []

    def serve_one(pieces: str = LETTERS, port: int = 0) -> OpenAIServer:
        opened.append(OpenAIServer(pieces, port))
        return opened[-1]

    yield serve_one
    for server in opened:
        server.close()


@pytest.fixture
def server(serve: Callable[..., OpenAIServer]) -> OpenAIServer:
    """One server that answers with eight letters."""
    return serve()


@pytest.fixture
def connect() -> Iterator[type_connect]:
    """Makes clients of servers and closes them with the test."""
    made: list[Upstream] = []

    def connect_to(
        *servers: OpenAIServer | str, bounds: Bounds | None = None, **given: Any
    ) -> Upstream:
        urls = [each if isinstance(each, str) else each.url for each in servers]
        settings = UpstreamSettings(url=" ".join(urls), **given)
        made.append(Upstream(settings, bounds or Bounds(8, 8, 16)))
        return made[-1]

    yield connect_to
    for client in made:
        client.close()
