"""A server of the OpenAI dialect on the loopback that answers with letters, or as a test wants."""

import json
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

MODEL = "letters"
POLL_S = 0.01


class Stream:
    """One streamed answer: headers now, then events, then its end or none."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()

    def send(self, data: Any) -> None:
        """One event; text goes as it is, everything else as JSON."""
        text = data if isinstance(data, str) else json.dumps(data)
        self.write(f"data: {text}\n\n".encode())

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def text(self, text: str, *, logprobs: Any = None, **more: Any) -> None:
        """A piece of the answer."""
        choice = {"index": 0, "delta": {"content": text}, "logprobs": logprobs}
        self.send({"choices": [choice], **more})

    def finish(self, reason: str, **more: Any) -> None:
        """The last piece."""
        self.send({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], **more})

    def done(self) -> None:
        """The event and the chunk that say that no more come."""
        self.send("[DONE]")
        self._handler.wfile.write(b"0\r\n\r\n")


class OpenAIServer:
    """Answers chats with `pieces`, one character a chunk, and texts with vectors of letters.

    Attributes:
        behave: answers chats in the place of all this, when a test sets it.
        asked: path, headers and body of every request, in order.
        gate: cleared by a test, it holds answers back before each piece.
        hung_up: set when a client went away before its answer's end.
        most_open: the most chats that were open together.
    """

    def __init__(self, pieces: Sequence[str], port: int = 0) -> None:
        self.pieces = pieces
        self.behave: Callable[[BaseHTTPRequestHandler, dict[str, Any]], None] | None = None
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.gate, self.hung_up = Event(), Event()
        self.gate.set()
        self.most_open = 0
        self._open = 0
        self._lock = Lock()
        self._server = Server(("127.0.0.1", port), self._handler())
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of all chats."""
        return [body for path, _, body in self.asked if path.endswith("/chat/completions")]

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def chat(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """The letters, up to a stop text or the most tokens."""
        stream = Stream(handler)
        stream.send({"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]})
        text, made, reason = "".join(self.pieces), 0, "stop"
        end = min((at for stop in body.get("stop", ()) if (at := text.find(stop)) >= 0), default=-1)
        for piece in self.pieces[: end if end >= 0 else None]:
            self.hold(handler)
            made += 1
            counts = {"timings": {"prompt_n": 7, "predicted_n": made, "cache_n": 2}}
            stream.text(
                piece,
                logprobs=body.get("logprobs") and logprobs(piece, body["top_logprobs"]),
                **(counts if body.get("timings_per_token") else {}),
            )
            if made == body["max_tokens"]:
                reason = "length"
                break
        stream.finish(reason)
        usage = {"prompt_tokens": 9, "completion_tokens": made}
        stream.send({"choices": [], "usage": usage})
        stream.done()

    def hold(self, handler: BaseHTTPRequestHandler) -> None:
        """Wait for the gate to open. Raises: ConnectionError when the client goes away before."""
        while not self.gate.wait(POLL_S):
            if is_gone(handler.connection):
                raise ConnectionResetError

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append((self.path, dict(self.headers), {}))
                answer_json(self, {"data": [{"id": MODEL, "max_model_len": 4096}]})

            def do_POST(self) -> None:
                outer.answer(self)

            def log_message(self, *arguments: Any) -> None:
                """Stay quiet."""

        return Handler

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.asked.append((handler.path, dict(handler.headers), body))
        if handler.path.endswith("/embeddings"):
            answer_json(handler, embeddings(body))
            return
        with self._lock:
            self._open += 1
            self.most_open = max(self.most_open, self._open)
        try:
            (self.behave or self.chat)(handler, body)
        except ConnectionError:
            self.hung_up.set()
        finally:
            with self._lock:
                self._open -= 1


class Server(ThreadingHTTPServer):
    """Takes many connections at once, and does not wait for those that are still open."""

    request_queue_size = 128
    daemon_threads = True
    block_on_close = False


def answer_json(
    handler: BaseHTTPRequestHandler, body: Any, status: int = 200, **headers: str
) -> None:
    """A whole answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def logprobs(piece: str, most: int) -> dict[str, Any]:
    """What is told of one token."""
    likeliest = [{"token": token, "logprob": -0.1 - 9 * (token != piece)} for token in (piece, "?")]
    return {"content": [{**likeliest[0], "top_logprobs": likeliest[:most]}]}


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """Counts of letters, the texts in the wrong order."""
    vectors = [
        {
            "index": index,
            "embedding": [Counter(text)[chr(97 + letter)] + 0.5 for letter in range(26)],
        }
        for index, text in enumerate(body["input"])
    ]
    usage = {"prompt_tokens": sum(map(len, body["input"])), "total_tokens": 0}
    return {"data": vectors[::-1], "model": body["model"], "usage": usage}


def is_gone(connection: socket.socket) -> bool:
    """Whether the other end has hung up."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.setblocking(True)
