"""The two sides of a comparison behind one face: our engine process, and llama-server."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from benchmarks.support import peer
from marketplace.inference.client import EngineClient
from marketplace.inference.ports import Finished, Generation, Message, Piece

ROOT = Path(__file__).resolve().parents[2]
TEMPERATURE, TOP_K, TOP_P = 0.8, 40, 0.95
CONTEXT_GRAIN = 256
TEMPLATE_TOKENS = 32  # more than any chat template writes around two messages
PATIENCE_S = 120.0


class UnfairRun(Exception):
    """The two sides cannot be compared: one was not given what the other has."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question of one person to one app."""

    app: str
    person: str
    user: str
    max_tokens: int
    system: str = ""

    @property
    def messages(self) -> list[tuple[str, str]]:
        """The conversation as (role, content)."""
        turns = [("system", self.system), ("user", self.user)]
        return [(role, content) for role, content in turns if content]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request. `first_s` is None when it was stopped before its first words."""

    request: Request
    first_s: float | None
    pieces: int
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What both sides are started with. `context` is that of one sequence, in tokens."""

    model: Path
    context: int
    sequences: int
    threads: int

    @classmethod
    def holding(cls, model: Path, tokens: int, sequences: int, threads: int) -> "Shape":
        """A shape whose sequences hold a prompt and answer of so many tokens of text."""
        needed = tokens + TEMPLATE_TOKENS
        return cls(model, -(-needed // CONTEXT_GRAIN) * CONTEXT_GRAIN, sequences, threads)


class Side(Protocol):
    """One server that answers requests."""

    name: str

    def ask(self, request: Request) -> Answer:
        """One request, from beginning to end."""
        ...

    def abort(self) -> None:
        """Stop every request that is open; each `ask` then returns what it has."""
        ...

    def close(self) -> None:
        """End the server."""
        ...


class Ours:
    """Our engine process and its client, as the web process uses them."""

    name = "caravan"

    def __init__(self, shape: Shape, folder: Path, **settings: Any) -> None:
        self.socket_path = folder / "engine.sock"
        given = {
            "max_sequences": shape.sequences,
            "context": shape.context,
            "threads": shape.threads,
            "queue_per_app": 2048,
            "queue_total": 4096,
            **settings,
        }
        command = [sys.executable, "-m", "marketplace.inference.process"]
        command += ["--socket", str(self.socket_path), "--model", str(shape.model)]
        self._command = [*command, "--settings", json.dumps(given)]
        self.process = self._launch()
        self.client = EngineClient(self.socket_path, patience_s=PATIENCE_S)
        self._numbers = count()
        self._lock = Lock()
        self._open: set[str] = set()
        self.ask(Request("warm", "warm", "hello", 1))
        status = self.client.status()
        if (status.context, status.max_sequences) != (shape.context, shape.sequences):
            self.close()
            raise UnfairRun(
                f"The engine has {status.max_sequences} sequences of {status.context} tokens, "
                f"not {shape.sequences} of {shape.context}: free memory, or take another model."
            )

    def ask(self, request: Request) -> Answer:
        """One request through the client, events and all."""
        generation = self.generation(request)
        with self._lock:
            self._open.add(generation.request_id)
        first_s, started = None, time.perf_counter()
        try:
            for event in self.client.generate(generation):
                if isinstance(event, Piece) and first_s is None:
                    first_s = time.perf_counter() - started
                elif isinstance(event, Finished):
                    usage = event.usage
        finally:
            with self._lock:
                self._open.discard(generation.request_id)
        tokens = (usage.prompt_tokens, usage.cached_tokens, usage.generated_tokens)
        # The client hands over as one what came together; each piece was a token.
        return Answer(request, first_s, usage.generated_tokens, *tokens)

    def generation(self, request: Request) -> Generation:
        """The request in the engine's words."""
        number = next(self._numbers)
        return Generation(
            request_id=f"{request.app}-{number}",
            app=request.app,
            person=request.person,
            messages=tuple(Message(role, content) for role, content in request.messages),
            max_tokens=request.max_tokens,
            temperature=TEMPERATURE,
            top_k=TOP_K,
            top_p=TOP_P,
            seed=number,
        )

    def abort(self) -> None:
        """Cancel every open request."""
        with self._lock:
            waiting = list(self._open)
        for request_id in waiting:
            self.client.cancel(request_id)

    def kill(self) -> None:
        """End the engine with SIGKILL and start it anew, as its supervisor does."""
        self.process.kill()
        self.process.wait()
        self._hang_up()
        self.process = self._launch()

    def close(self) -> None:
        """End the engine."""
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._hang_up()

    def _launch(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
        )

    def _hang_up(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


class Theirs:
    """llama-server over HTTP, its stream counted and not parsed: the lightest client there is."""

    name = "llama-server"

    def __init__(self, shape: Shape, *options: str) -> None:
        """Start it, with options of its own where they are given."""
        self._peer = peer.run(
            shape.model,
            *options,
            context=shape.context,
            sequences=shape.sequences,
            threads=shape.threads,
        )
        self._numbers = count()
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._aborted: set[socket.socket] = set()
        self.ask(Request("warm", "warm", "hello", 1))

    def ask(self, request: Request) -> Answer:
        """One request over its own connection."""
        body = json.dumps(self._body(request))
        started = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", self._peer.port, timeout=600)
        with closing(connection):
            connection.connect()
            sock = connection.sock
            with self._lock:
                self._open.add(sock)
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/v1/chat/completions", body, headers)
                answer = _read(request, connection.getresponse(), started)
            except (OSError, HTTPException):
                if sock not in self._aborted:
                    raise
                answer = Answer(request, None, 0)
            finally:
                with self._lock:
                    self._open.discard(sock)
            if not answer.generated_tokens and sock not in self._aborted:
                raise UnfairRun("llama-server ended a stream before its end.")
            return answer

    def abort(self) -> None:
        """Close every open connection, which is how llama-server is told to stop."""
        with self._lock:
            self._aborted |= self._open
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the server."""
        self._peer.stop()

    def _body(self, request: Request) -> dict[str, Any]:
        return {
            "messages": [{"role": role, "content": content} for role, content in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": TEMPERATURE,
            "top_k": TOP_K,
            "top_p": TOP_P,
            "seed": next(self._numbers),
            "samplers": ["top_k", "top_p", "temperature"],
            "stream": True,
            "stream_options": {"include_usage": True},
        }


def _read(request: Request, response: HTTPResponse, started: float) -> Answer:
    if response.status != 200:
        raise UnfairRun(f"llama-server answered {response.status}: {response.read(300)!r}")
    first_s, received = None, bytearray()
    with suppress(OSError, HTTPException):  # an aborted stream ends with what has come
        while data := response.read1(65_536):
            received += data
            if first_s is None and b'"content":"' in data:
                first_s = time.perf_counter() - started
    usage: dict[str, Any] = {}
    for line in received.splitlines():
        if line.startswith(b"data: {") and b'"usage"' in line:
            usage = json.loads(line[6:]).get("usage") or usage
    details = usage.get("prompt_tokens_details") or {}
    return Answer(
        request,
        first_s,
        received.count(b'"content":"'),
        usage.get("prompt_tokens", 0),
        details.get("cached_tokens", 0),
        usage.get("completion_tokens", 0),
    )


@dataclass(frozen=True, slots=True)
class Run:
    """One load on one side."""

    answers: list[Answer]
    seconds: float

    @property
    def tokens_per_s(self) -> float:
        """Generated tokens a second over the whole load."""
        return sum(answer.generated_tokens for answer in self.answers) / self.seconds

    @property
    def cached_share(self) -> float:
        """The part of all prompt tokens that was not computed again."""
        prompts = sum(answer.prompt_tokens for answer in self.answers)
        return sum(answer.cached_tokens for answer in self.answers) / max(1, prompts)

    def first_s(self) -> Iterator[float]:
        """Every time to first words."""
        return (answer.first_s for answer in self.answers if answer.first_s is not None)


def carry_out(side: Side, requests: Iterable[Request], workers: int) -> Run:
    """Ask all requests in their order, `workers` of them at a time."""
    started = time.perf_counter()
    with ThreadPoolExecutor(max_workers=workers) as pool:
        answers = list(pool.map(side.ask, requests))
    return Run(answers, time.perf_counter() - started)
