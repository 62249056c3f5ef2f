"""A client that does not read is dropped before its backlog eats the memory."""

import asyncio
from unittest.mock import create_autospec

import pytest

from marketplace.inference import frames
from marketplace.inference.frames import FrameReader
from marketplace.inference.server import LARGEST_BACKLOG_BYTES, EngineServer, Peer


def make_peer(*, backlog: int) -> tuple[Peer, asyncio.Transport, EngineServer]:
    server = create_autospec(EngineServer, instance=True, peers=set())
    transport = create_autospec(asyncio.Transport, instance=True)
    transport.is_closing.return_value = False
    transport.get_write_buffer_size.return_value = backlog
    peer = Peer(server)
    peer.connection_made(transport)
    return peer, transport, server


def test_a_client_that_reads_keeps_its_connection() -> None:
    peer, transport, _ = make_peer(backlog=LARGEST_BACKLOG_BYTES)
    peer.send({"op": "x"})
    [[written]] = [call.args for call in transport.write.call_args_list]
    assert list(FrameReader().feed(written)) == [{"op": "x"}]
    transport.abort.assert_not_called()


def test_a_client_that_does_not_read_is_dropped_and_its_requests_are_cancelled() -> None:
    peer, transport, server = make_peer(backlog=LARGEST_BACKLOG_BYTES + 1)
    peer.send({"op": "x"})
    transport.abort.assert_called_once()
    peer.connection_lost(None)
    server.abandon.assert_called_once_with(peer)
    assert server.peers == set()
    peer.send({"op": "too late"})
    assert transport.write.call_count == 1


def test_events_that_no_frame_holds_together_are_sent_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "LARGEST_FRAME_BYTES", 300)
    peer, transport, _ = make_peer(backlog=0)
    peer.send_events([[1, "piece", "a" * 200], [2, "piece", "b" * 400], [3, "piece", "c" * 200]])
    written = b"".join(call.args[0] for call in transport.write.call_args_list)
    [first], [second], [third] = [f["events"] for f in FrameReader().feed(written)]
    assert (first, third) == ([1, "piece", "a" * 200], [3, "piece", "c" * 200])
    assert second[:2] == [2, "error"]
    assert any("too large" in str(part) for part in second)
