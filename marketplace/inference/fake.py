"""A language model that says what it is told, behind the same door as the real one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import hypot
from threading import Event, Lock
from zlib import crc32

from marketplace.inference.ports import (
    Embedded,
    Embedding,
    EngineStatus,
    Finished,
    Generation,
    ModelUnavailable,
    Piece,
    Scored,
    ToolCall,
    Usage,
    type_answer_event,
)
from marketplace.inference.text import TextStream
from marketplace.inference.wire import check, check_embedding

VECTOR_SIZE = 64
FREE = Usage()

type_pieces = Sequence[str | ToolCall]
type_answer = type_pieces | Callable[[Generation], type_pieces]


class FakeInference:
    """Answers every request with the same pieces, or with what a function makes of it.

    Args:
        pieces: the answer, one token a piece, calls of tools among them; or a function from the
            request to it.
        why_not: makes it an engine without a model, with this sentence.
        costs: what each answer takes beside its tokens.

    Attributes:
        asked: every generation it was asked for, in order.
        embedded: every embedding it was asked for, in order.
        forgotten: every release that was said to be gone, in order.
        gate: cleared by a test, it holds answers back before each piece.
    """

    def __init__(
        self,
        pieces: type_answer = ("Hello", "."),
        why_not: str | None = None,
        costs: Usage = FREE,
    ) -> None:
        self._costs = costs
        self._pieces = pieces
        self._why_not = why_not
        self._lock = Lock()
        self._cancelled: dict[str, Event] = {}
        self._generated_tokens = 0
        self.asked: list[Generation] = []
        self.embedded: list[Embedding] = []
        self.forgotten: list[str] = []
        self.gate = Event()
        self.gate.set()

    def generate(self, generation: Generation) -> Iterator[type_answer_event]:
        """Stream the answer; see `Inference.generate`."""
        check(generation)
        self._refuse_without_model()
        cancelled = Event()
        with self._lock:
            self.asked.append(generation)
            self._cancelled[generation.request_id] = cancelled
        try:
            yield from self._answer(generation, cancelled)
        finally:
            with self._lock:
                self._cancelled.pop(generation.request_id, None)

    def embed(self, embedding: Embedding) -> Embedded:
        """Vectors of the words in each text: texts that share words are near each other."""
        check_embedding(embedding)
        self._refuse_without_model()
        self.embedded.append(embedding)
        words = sum(len(text.split()) for text in embedding.texts)
        vectors = tuple(_vector(text) for text in embedding.texts)
        return Embedded(vectors, Usage(prompt_tokens=words), "Fake")

    def cancel(self, request_id: str) -> None:
        """Stop a request from any thread."""
        with self._lock:
            cancelled = self._cancelled.get(request_id)
        if cancelled is not None:
            cancelled.set()

    def forget(self, release: str) -> None:
        """Note which release is gone."""
        self.forgotten.append(release)

    def status(self) -> EngineStatus:
        """A ready engine, unless it was made without a model."""
        if self._why_not is not None:
            return EngineStatus(ready=False, why_not=self._why_not)
        return EngineStatus(
            ready=True,
            model="Fake",
            context=4096,
            max_sequences=8,
            active=len(self._cancelled),
            generated_tokens_total=self._generated_tokens,
        )

    def _refuse_without_model(self) -> None:
        if self._why_not is not None:
            raise ModelUnavailable(self._why_not, rule="llm.model")

    def _answer(self, generation: Generation, cancelled: Event) -> Iterator[type_answer_event]:
        pieces = self._pieces(generation) if callable(self._pieces) else self._pieces
        text = TextStream(generation.stop)
        made, reason = 0, "stop"
        for piece in pieces:
            while not self.gate.wait(0.01) and not cancelled.is_set():
                continue
            if cancelled.is_set():
                reason = "cancelled"
                break
            made += 1
            self._generated_tokens += 1
            if generation.logprobs is not None and isinstance(piece, str):
                likeliest = ((piece, 0.0),) if generation.logprobs else ()
                yield Scored(piece, 0.0, likeliest)  # nothing else could have come
            if isinstance(piece, ToolCall):
                yield piece
            elif shown := text.push(piece.encode()):
                yield Piece(shown)
            if text.is_stopped:
                break
            if made == generation.max_tokens:
                reason = "length"
                break
        if rest := text.finish():
            yield Piece(rest)
        words = sum(len(message.content.split()) for message in generation.messages)
        usage = replace(self._costs, prompt_tokens=words, generated_tokens=made)
        yield Finished(reason, usage, "Fake")


def _vector(text: str) -> tuple[float, ...]:
    counts = [0.0] * VECTOR_SIZE
    for word in text.lower().split() or [text]:
        counts[crc32(word.encode()) % VECTOR_SIZE] += 1.0
    length = hypot(*counts)
    return tuple(count / length for count in counts)
