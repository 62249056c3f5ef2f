"""The lingerer closes connections politely, without waiting for clients that never do."""

import socket
import time
from collections.abc import Iterator

import pytest

from marketplace.web import worker
from marketplace.web.worker import Lingerer


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    yield ours, theirs
    ours.close()
    theirs.close()


def wait_until_closed(ours: socket.socket) -> None:
    deadline = time.monotonic() + 5
    while ours.fileno() >= 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_that_closes_is_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    Lingerer().take(ours)
    assert theirs.recv(1) == b""
    theirs.close()
    wait_until_closed(ours)


def test_a_client_that_never_closes_is_closed_in_the_end(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LINGER_S", 0.1)
    ours, _theirs = pair
    Lingerer().take(ours)
    wait_until_closed(ours)


def test_a_connection_that_is_gone_already_is_let_go(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    theirs.close()
    ours.close()
    Lingerer().take(ours)
    assert ours.fileno() == -1
