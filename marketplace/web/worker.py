"""The gunicorn worker: gthread, with slow and silent clients kept off its main loop."""

import errno
import re
import resource
import selectors
import socket
import struct
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

RECEIVE_TIMEOUT_S = 10
SEND_TIMEOUT_S = 20
LINGER_S = 2.0
# How long a request may take to arrive before a thread is given to it; of a body, only that of an
# ordinary form is waited for.
ARRIVAL_S = 10.0
MOST_HEAD_BYTES = 64 * 1024
MOST_FORM_BYTES = 64 * 1024
# Connections without a request that are kept open; a further one closes the oldest.
MOST_IDLE = 2000
MOST_FILES = 65_536
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
# Who sends this waits for our word before the body.
EXPECTS = re.compile(rb"\r\nexpect:", re.IGNORECASE)
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)
NOT_NOW = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}
NO_ROOM = {errno.EMFILE, errno.ENFILE}


def has_arrived(data: bytes | bytearray) -> bool:
    """Whether a thread can serve the request without waiting: its head and, if small, its body."""
    head, end, body = data.partition(HEAD_END)
    if not end:
        return False
    found = LENGTH.search(head + end)
    length = int(found[1]) if found else 0
    return len(body) >= length or length > MOST_FORM_BYTES or EXPECTS.search(head) is not None


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
    """gthread whose threads no client can take by being slow, and whose main loop none can hold up.

    gthread gives a thread to each connection and waits there for the request, so as many silent
    clients as there are threads stop everybody. Here a request arrives on the main loop; only a
    whole one gets a thread, and the connections that wait are not counted as work.
    """

    def init_process(self) -> None:
        """Set the timeouts that accepted connections inherit, then start as gthread does."""
        self.lingerer = Lingerer()
        self._arrived: dict[TConn, bytearray] = {}
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = MOST_FILES if most == resource.RLIM_INFINITY else min(MOST_FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
        for listener in self.sockets:
            for option, seconds in (
                (socket.SO_RCVTIMEO, RECEIVE_TIMEOUT_S),
                (socket.SO_SNDTIMEO, SEND_TIMEOUT_S),
            ):
                listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
        super().init_process()

    @property
    def worker_connections(self) -> int:
        """With how many connections this worker stops accepting; idle ones do not count."""
        return self._most_working + len(self.pending_conns) + len(self.keepalived_conns)

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        self._most_working = most

    def accept(self, listener: Any) -> None:
        """Take one connection, and let its request arrive."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                self._drop_oldest()
            elif error.errno not in NOT_NOW:
                raise
            return
        self.nr_conns += 1
        self._await(TConn(self.cfg, client, address, listener.getsockname()))
        if len(self.pending_conns) + len(self.keepalived_conns) > MOST_IDLE:
            self._drop_oldest()

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Let the next request of a kept connection arrive."""
        self.keepalived_conns.remove(conn)
        self.poller.unregister(client)
        self._await(conn)
        self.on_pending_socket_readable(conn, client)

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Take what has come; give a thread to the request once it is whole."""
        try:
            data = client.recv(MOST_HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(conn, data)
        else:
            self._drop(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep or close a connection; some of its next request may have come already."""
        is_kept = not fs.cancelled() and fs.exception() is None and fs.result() is True
        rest = conn.parser.unreader.take_buffered() if is_kept else b""
        if not rest:
            super().finish_request(conn, fs)
            return
        conn.sock.setblocking(False)
        self._await(conn)
        self._take(conn, rest)

    def murder_pending(self) -> None:
        """Close the connections whose request has not arrived in time."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout < now:
            self._drop(self.pending_conns[0])

    def handle(self, conn: TConn) -> Any:
        """Serve one request; a connection that is over is closed elsewhere than the main loop."""
        if arrived := self._arrived.pop(conn, None):
            conn.init()
            conn.parser.unreader.unread(bytes(arrived))
        result = super().handle(conn)
        if result is False and isinstance(conn.sock, socket.socket) and conn.sock.fileno() >= 0:
            self.lingerer.take(socket.socket(fileno=conn.sock.detach()))
            # The main loop still counts the connection down; there is nothing left to close.
            conn.close = lambda graceful=False: None
        return result

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits no longer for requests that have not arrived either."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _await(self, conn: TConn) -> None:
        conn.timeout = time.monotonic() + ARRIVAL_S
        self._arrived[conn] = bytearray()
        self.pending_conns.append(conn)
        self.poller.register(
            conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn)
        )

    def _take(self, conn: TConn, data: bytes) -> None:
        arrived = self._arrived[conn]
        arrived += data
        if has_arrived(arrived):
            self.poller.unregister(conn.sock)
            self.pending_conns.remove(conn)
            self.enqueue_req(conn)
        elif len(arrived) > MOST_HEAD_BYTES + MOST_FORM_BYTES:
            with suppress(OSError):
                conn.sock.send(TOO_LARGE)
            self._drop(conn)

    def _drop_oldest(self) -> None:
        if self.pending_conns:
            self._drop(self.pending_conns[0])
        elif self.keepalived_conns:
            self.keepalived_conns[0].timeout = 0
            self.murder_keepalived()

    def _drop(self, conn: TConn) -> None:
        self.pending_conns.remove(conn)
        del self._arrived[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
