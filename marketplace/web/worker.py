"""The gunicorn worker: gthread, with slow and silent clients kept off its main loop."""

import selectors
import socket
import struct
import threading
import time
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

RECEIVE_TIMEOUT_S = 10
SEND_TIMEOUT_S = 20
LINGER_S = 2.0


class Lingerer:
    """Closes connections politely in one thread of its own.

    A server should wait for the client's end before it closes (RFC 9112 §9.6). gthread waits on
    its main loop, up to two seconds for each client: ten clients that never close stop every
    other request for twenty seconds.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._deadlines: dict[socket.socket, float] = {}
        threading.Thread(target=self._loop, name="lingerer", daemon=True).start()

    def take(self, connection: socket.socket) -> None:
        """Half-close the connection, and close it when the client did, or after two seconds."""
        try:
            connection.shutdown(socket.SHUT_WR)
            connection.setblocking(False)
        except OSError:
            connection.close()
            return
        with self._lock:
            self._deadlines[connection] = time.monotonic() + LINGER_S
            self._selector.register(connection, selectors.EVENT_READ)

    def _loop(self) -> None:
        while True:
            ended = [key.fileobj for key, _ in self._selector.select(0.2) if self._has_ended(key)]
            now = time.monotonic()
            with self._lock:
                overdue = [c for c, deadline in self._deadlines.items() if deadline < now]
                for connection in {*ended, *overdue}:
                    self._selector.unregister(connection)
                    del self._deadlines[connection]  # type: ignore[arg-type]
                    connection.close()  # type: ignore[union-attr]

    @staticmethod
    def _has_ended(key: selectors.SelectorKey) -> bool:
        try:
            return not key.fileobj.recv(4096)  # type: ignore[union-attr]
        except OSError:
            return True


class HardenedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gthread whose main loop no client can hold up, and whose sockets time out."""

    def init_process(self) -> None:
        """Set the timeouts that accepted connections inherit, then start as gthread does."""
        self.lingerer = Lingerer()
        for listener in self.sockets:
            for option, seconds in (
                (socket.SO_RCVTIMEO, RECEIVE_TIMEOUT_S),
                (socket.SO_SNDTIMEO, SEND_TIMEOUT_S),
            ):
                listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
        super().init_process()

    def handle(self, conn: TConn) -> Any:
        """Serve one request; a connection that is over is closed elsewhere than the main loop."""
        result = super().handle(conn)
        if result is False and isinstance(conn.sock, socket.socket) and conn.sock.fileno() >= 0:
            self.lingerer.take(socket.socket(fileno=conn.sock.detach()))
            # The main loop still counts the connection down; there is nothing left to close.
            conn.close = lambda graceful=False: None
        return result
