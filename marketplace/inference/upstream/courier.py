"""Carries requests to the servers and their answers back; lives in one event loop."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from math import ceil
from typing import Any

import httpx

from marketplace.inference import choice
from marketplace.inference.ports import (
    BadGeneration,
    Embedded,
    Embedding,
    EngineGone,
    Finished,
    Generation,
    ModelUnavailable,
    Piece,
    Queued,
    QueueFull,
    ServedModel,
    Usage,
    type_answer_event,
)
from marketplace.inference.rate import Rate
from marketplace.inference.text import TextStream
from marketplace.inference.upstream import dialect, stream
from marketplace.inference.upstream.breaker import Node, in_order
from marketplace.inference.upstream.settings import UpstreamSettings
from marketplace.inference.upstream.transcript import Transcript, transcript_of
from marketplace.inference.upstream.turnstile import Bounds, Turn, Turnstile
from marketplace.kernel.errors import CaravanError
from marketplace.kernel.words import noted

log = logging.getLogger(__name__)

CONNECT_S = 5.0
BUSY_S = 1  # rest of a server that says it is busy and not for how long
LONGEST_BUSY_S = 60
COMPLAINT_BYTES = 4096
NOT_IMPLEMENTED = 501  # llama-server's answer to what it was not started for
RULE = "llm.upstream"
GONE = "The language model stopped while it was answering. Run it again."
UNREACHABLE = noted(
    "The language model cannot be reached at the moment. Try again in a minute; whoever runs "
    "the store finds the reason with `marketplace doctor`."
)

type_emit = Callable[[type_answer_event], None]


class Courier:
    """The servers, who waits for them, and the connections to them.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        bounds: Bounds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.turnstile = Turnstile(bounds, clock)
        self.nodes = [Node(url) for url in settings.addresses]
        own = settings.embedding_addresses != settings.addresses
        self._embedding_nodes = (
            [Node(url) for url in settings.embedding_addresses] if own else self.nodes
        )
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(settings.silence_s, connect=CONNECT_S, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=bounds.in_flight),
        )
        self.listed: dialect.Listed | None = None
        self.prompt_tokens = 0
        self.generated_tokens = 0
        self._rate = Rate(clock())

    @property
    def tokens_per_s(self) -> float:
        """Pieces a second over the last seconds; 0 when nothing has come for a while."""
        return self._rate.per_s(self._clock())

    async def generate(self, generation: Generation, emit: type_emit) -> None:
        """One answer. Stopped, it ends with `cancelled` and what it cost until then.

        Raises: CaravanError of the family that fits what went wrong.
        """
        queued_at = self._clock()
        began = first = None
        transcript = transcript_of(generation, self._settings)
        reason, model = "cancelled", ""
        turn = Turn(
            generation.app,
            generation.person,
            generation.weight,
            transcript.prompt_guess,
            lambda place: emit(Queued(place)),
        )
        try:
            async with self.turnstile.taken(turn):
                began = self._clock()
                try:
                    model = await self._chosen(generation)
                    body = dialect.chat(generation, self._settings, model)
                    async with aclosing(self._pieces(generation, body, transcript)) as pieces:
                        async for piece in pieces:
                            if first is None and transcript.pieces:
                                first = self._clock()
                            for score in transcript.take_scores():
                                emit(score)
                            if piece:
                                self._rate.add(1, self._clock())
                                emit(Piece(piece))
                finally:
                    turn.usage = transcript.usage()
                    self._count(turn.usage)
            reason = transcript.reason or "stop"
            for call in transcript.tool_calls():
                emit(call)
        except asyncio.CancelledError:
            log.debug("Request %s was stopped.", generation.request_id)
        ended = self._clock()
        # What it never came to took no time.
        began = ended if began is None else began
        first = ended if first is None else first
        usage = replace(
            turn.usage,
            queue_ms=round((began - queued_at) * 1000),
            prefill_ms=round((first - began) * 1000),
            decode_ms=round((ended - first) * 1000),
        )
        emit(Finished(reason, usage, model or self.model_name))

    async def embed(self, embedding: Embedding) -> Embedded:
        """Vectors of texts. Raises: CaravanError of the family that fits what went wrong."""
        queued_at = self._clock()
        size = sum(map(len, embedding.texts)) / dialect.CHARACTERS_PER_TOKEN
        turn = Turn(embedding.app, embedding.person, 1.0, size, lambda _: None)
        async with self.turnstile.taken(turn):
            began = self._clock()
            name = self._settings.embedding_model or await self.model()
            body = dialect.embeddings(embedding, name)
            async with self._sent(
                self._embedding_nodes, "/embeddings", body, embedding.app
            ) as response:
                vectors: dialect.Vectors = dialect.read(dialect.Vectors, await response.aread())
            turn.usage = Usage(prompt_tokens=vectors.usage.prompt_tokens)
            self._count(turn.usage)
            usage = replace(
                turn.usage,
                queue_ms=round((began - queued_at) * 1000),
                prefill_ms=round((self._clock() - began) * 1000),
            )
            return Embedded(vectors.in_order(len(embedding.texts)), usage, name)

    @property
    def model_name(self) -> str:
        """The model's name there, as far as it is known."""
        return self._settings.model or (self.listed.id if self.listed else "")

    async def model(self) -> str:
        """The model's name there. Raises: CaravanError when no server can be asked."""
        if not self.model_name:
            await self.look()
        return self.model_name

    @property
    def served(self) -> tuple[ServedModel, ...]:
        """The models there, as far as they are known, and what apps may ask them for."""
        roles: dict[str, tuple[str, ...]] = {self.model_name: (choice.DEFAULT,)}
        for role, name in self._settings.models.items():
            roles[name] = (*roles.get(name, ()), role)
        if name := self._settings.embedding_model:
            roles[name] = (*roles.get(name, ()), choice.EMBED)
        known = (self.listed.context if self.listed else None) or 0
        return tuple(
            ServedModel(name, name, has, known if name == self.model_name else 0, "loaded")
            for name, has in roles.items()
        )

    async def _chosen(self, generation: Generation) -> str:
        await self.model()
        if generation.model:
            return choice.by_name(generation.model, self.served).name
        found = choice.for_answer(generation.wants, self.served)
        if isinstance(found, choice.Unmet):
            raise ModelUnavailable(found.sentence, rule="llm.wants")
        return found.name

    async def look(self) -> int:
        """Ask every server what it offers. Returns how many answered.

        Raises: CaravanError, the first server's, when none did.
        """
        looks = await asyncio.gather(*map(self._look_at, self.nodes))
        offers = [offer for offer in looks if isinstance(offer, dialect.Listed)]
        if not offers:
            [failure, *_] = [each for each in looks if isinstance(each, CaravanError)]
            raise failure
        self.listed = offers[0]
        return len(offers)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def _look_at(self, node: Node) -> dialect.Listed | CaravanError:
        # Asked seldom, by a command that then ends too: no connection is left open for it.
        headers = {**dialect.headers("", self._settings), "Connection": "close"}
        try:
            response = await self._http.get(
                f"{node.url}/models", headers=headers, timeout=CONNECT_S
            )
            if response.status_code != 200:
                return _refusal(node, response.status_code, response.text, response.headers)
            return dialect.offered(response.content, self._settings.model)
        except httpx.HTTPError as error:
            log.warning("%s cannot be reached: %r", node.url, error)
            return ModelUnavailable(UNREACHABLE, rule=RULE)
        except dialect.Garbled as error:
            return error

    async def _pieces(
        self, generation: Generation, body: Mapping[str, Any], transcript: Transcript
    ) -> AsyncGenerator[str]:
        text = TextStream(generation.stop)
        release = dialect.release_of(generation)
        async with self._sent(self.nodes, "/chat/completions", body, release) as response:
            async for data in stream.events(response.aiter_bytes()):
                yield text.push(transcript.take(data).encode())
                if text.is_stopped:
                    transcript.reason = "stop"
                    return
            if transcript.reason is None:
                raise EngineGone(GONE, rule=RULE)
        yield text.finish()

    @asynccontextmanager
    async def _sent(
        self, nodes: Sequence[Node], path: str, body: Mapping[str, Any], release: str
    ) -> AsyncIterator[httpx.Response]:
        """The response of the first server that takes the request; the others were tried before.

        Whatever breaks while it is read counts against the server that sent it.
        """
        failure = _resting(nodes, self._clock())
        for node in in_order(nodes, release, self._clock()):
            node.breaker.begin()
            node.in_flight += 1
            try:
                response = await self._post(node, path, body, release)
                node.breaker.answer()
                async with aclosing(response):
                    yield response
            except _Elsewhere as refused:
                failure = refused.error
            except httpx.ReadTimeout as error:
                node.breaker.fail(self._clock())
                log.warning("%s said nothing for %s s.", node.url, self._settings.silence_s)
                raise EngineGone(GONE, rule=RULE) from error
            except httpx.HTTPError as error:
                node.breaker.fail(self._clock())
                log.warning("%s broke off its answer: %r", node.url, error)
                raise EngineGone(GONE, rule=RULE) from error
            except (dialect.Garbled, EngineGone):
                node.breaker.fail(self._clock())
                raise
            else:
                node.breaker.succeed()
                return
            finally:
                node.breaker.give_up(self._clock())
                node.in_flight -= 1
        raise failure

    async def _post(
        self, node: Node, path: str, body: Mapping[str, Any], release: str
    ) -> httpx.Response:
        response = await self._send(node, path, body, release)
        status = response.status_code
        if status == 200:
            return response
        async with aclosing(response):
            complaint = await _beginning(response)
        refused = _refusal(node, status, complaint, response.headers)
        if isinstance(refused, QueueFull):
            node.breaker.rest(self._clock(), refused.retry_after_s, is_busy=True)
            raise _Elsewhere(refused)
        if status >= 500 and status != NOT_IMPLEMENTED:
            node.breaker.fail(self._clock())
            raise _Elsewhere(refused)
        node.breaker.succeed()  # it is well; the request is not
        raise refused

    async def _send(
        self, node: Node, path: str, body: Mapping[str, Any], release: str
    ) -> httpx.Response:
        headers = dialect.headers(release, self._settings)
        failure: httpx.HTTPError | None = None
        # Twice: a connection that was kept may have been closed at this very moment.
        for _ in range(2):
            request = self._http.build_request("POST", node.url + path, json=body, headers=headers)
            try:
                return await self._http.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
                break
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
                failure = error
        node.breaker.fail(self._clock())
        log.warning("%s cannot be reached: %r", node.url, failure)
        raise _Elsewhere(ModelUnavailable(UNREACHABLE, rule=RULE)) from failure

    def _count(self, usage: Usage) -> None:
        self.prompt_tokens += usage.prompt_tokens
        self.generated_tokens += usage.generated_tokens


class _Elsewhere(Exception):
    """This server does not take the request; another one may."""

    def __init__(self, error: CaravanError) -> None:
        super().__init__(error.message)
        self.error = error


def _refusal(node: Node, status: int, complaint: str, headers: Mapping[str, str]) -> CaravanError:
    """What a status other than 200 means for whoever asked."""
    said = dialect.complaint(complaint)[: dialect.COMPLAINT]
    log.warning("%s answered %s: %s", node.url, status, said)
    if status in {429, 503}:
        return _busy(_retry_after_s(headers.get("Retry-After", "")))
    if status in {400, 413, 422}:
        return BadGeneration(f"The language model refuses this request: {said}", rule=RULE)
    if status == NOT_IMPLEMENTED:
        return ModelUnavailable(f"The language model's server cannot do this: {said}", rule=RULE)
    if status in {401, 403}:
        return ModelUnavailable(
            "The language model's server does not accept the store's key. Set the right one in "
            "CARAVAN_INFERENCE__UPSTREAM__API_KEY.",
            rule=RULE,
        )
    if status == 404:
        return ModelUnavailable(
            "The language model's server has no such model or address. Check "
            "CARAVAN_INFERENCE__UPSTREAM__URL and …__MODEL.",
            rule=RULE,
        )
    return ModelUnavailable(
        f"The language model's server failed with status {status}. Try again in a minute.",
        rule=RULE,
    )


def _resting(nodes: Sequence[Node], now: float) -> CaravanError:
    """What is said when no server may be asked now: all are busy, or none can be reached."""
    rests = [node.breaker.rests_until - now for node in nodes if node.breaker.is_busy]
    return _busy(max(1, ceil(min(rests)))) if rests else ModelUnavailable(UNREACHABLE, rule=RULE)


def _busy(retry_after_s: int) -> QueueFull:
    return QueueFull(
        f"The language model is busy. Try again in {retry_after_s} s.",
        retry_after_s=retry_after_s,
        rule="llm.queue",
    )


def _retry_after_s(text: str) -> int:
    return min(LONGEST_BUSY_S, max(1, int(text))) if text.isdecimal() else BUSY_S


async def _beginning(response: httpx.Response) -> str:
    """The first words of an error's body; no server makes us read more."""
    read = b""
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) >= COMPLAINT_BYTES:
            break
    return read[:COMPLAINT_BYTES].decode("utf-8", "replace")
