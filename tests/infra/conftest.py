"""What the tests of the infra room share."""

import threading
from collections.abc import Iterator, MutableMapping
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.infra.small_internet import Site


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, instead of its rendering."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the site of the small internet listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
