"""Texts into vectors: a context and a thread of their own beside the ones that answer."""

import logging
import time
from collections.abc import Callable, Hashable
from threading import Condition, Thread
from typing import Any

import numpy as np

from marketplace.inference.embedding_queue import EmbeddingQueue, Job, type_batch
from marketplace.inference.engine.library import llama, take_last_error
from marketplace.inference.engine.model import Model
from marketplace.inference.pace import late_at
from marketplace.inference.ports import (
    BadGeneration,
    Embedded,
    Embedding,
    ModelUnavailable,
    Usage,
)
from marketplace.inference.settings import InferenceSettings
from marketplace.inference.wire import type_event

log = logging.getLogger(__name__)

MEAN = 1  # LLAMA_POOLING_TYPE_MEAN
MODELS_OWN = -1
BATCH_TEXTS = 64
JOIN_S = 5.0

type_events = list[tuple[Hashable, type_event]]


class EmbeddingContext:
    """A context that computes one vector for each of several texts; one thread uses it."""

    def __init__(self, model: Model, *, tokens: int, threads: int) -> None:
        """Raises: ModelUnavailable when there is no memory for it."""
        params = llama.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = tokens
        params.n_seq_max = BATCH_TEXTS
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = threads
        params.embeddings = True
        # Models made for vectors say how theirs are drawn together; others give the mean.
        params.pooling_type = MODELS_OWN if model.pools_vectors else MEAN
        params.no_perf = True
        self._handle = llama.llama_init_from_model(model.handle, params)
        if not self._handle:
            raise ModelUnavailable(
                f"There is not enough memory for vectors: {take_last_error()}. "
                "Set a smaller `embedding_tokens`.",
                rule="llm.embed",
            )
        self._memory = llama.llama_get_memory(self._handle)
        self._size: int = llama.llama_model_n_embd_out(model.handle)
        self._batch = llama.llama_batch_init(tokens, 0, 1)

    def vectors(self, texts: list[Any]) -> list[tuple[float, ...]]:
        """One vector of length 1 for each text, given as tokens that fit together.

        Raises: ModelUnavailable when llama.cpp cannot compute them.
        """
        if self._memory:
            llama.llama_memory_clear(self._memory, False)
        self._fill(texts)
        status = llama.llama_decode(self._handle, self._batch)
        if status != 0:
            raise ModelUnavailable(
                f"The model could not compute these vectors (llama_decode answered {status}: "
                f"{take_last_error()}). Try again.",
                rule="llm.compute",
            )
        return [self._vector(index) for index in range(len(texts))]

    def close(self) -> None:
        """Free the context."""
        llama.llama_batch_free(self._batch)
        llama.llama_free(self._handle)

    def _fill(self, texts: list[Any]) -> None:
        batch, at = self._batch, 0
        for index, tokens in enumerate(texts):
            for position, token in enumerate(tokens.tolist()):
                batch.token[at] = token
                batch.pos[at] = position
                batch.n_seq_id[at] = 1
                batch.seq_id[at][0] = index
                batch.logits[at] = 1
                at += 1
        batch.n_tokens = at

    def _vector(self, index: int) -> tuple[float, ...]:
        pointer = llama.llama_get_embeddings_seq(self._handle, index)
        raw = np.ctypeslib.as_array(pointer, shape=(self._size,)).astype(np.float64)
        length = float(np.linalg.norm(raw))
        return tuple((raw / length).tolist()) if length else tuple(raw.tolist())


class Embedder:
    """Takes requests from any thread and answers them from its own, which starts with the first.

    Args:
        emit: takes outcomes from the embedder's thread; it must not block.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        model: Model,
        settings: InferenceSettings,
        emit: Callable[[type_events], None],
        *,
        threads: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._emit = emit
        self._threads = threads
        self._clock = clock
        self._most_tokens = min(settings.embedding_tokens, model.trained_context)
        self._queue = EmbeddingQueue(
            batch_tokens=self._most_tokens,
            batch_texts=BATCH_TEXTS,
            queue_per_app=settings.queue_per_app,
            queue_total=settings.queue_total,
        )
        self._changed = Condition()
        self._is_stopping = False
        self._thread: Thread | None = None
        self.late_at: float | None = None  # by `clock`; None between steps

    def submit(self, key: Hashable, embedding: Embedding) -> None:
        """Take a request.

        Raises: BadGeneration for a text that is too long or has no tokens, QueueFull when too
            many wait.
        """
        texts = []
        for number, text in enumerate(embedding.texts, 1):
            tokens = self._model.tokens(text, reads_control=False)
            if len(tokens) > self._most_tokens:
                raise BadGeneration(
                    f"Text {number} is {len(tokens)} tokens long; a text that becomes a vector "
                    f"may have {self._most_tokens}. Send it in parts.",
                    rule="llm.embed",
                )
            texts.append(tokens)
        with self._changed:
            self._queue.submit(
                Job(key, embedding.app, embedding.person, tuple(texts), self._clock())
            )
            if self._thread is None:
                self._thread = Thread(target=self._live, name="embed", daemon=True)
                self._thread.start()
            self._changed.notify()

    def cancel(self, key: Hashable) -> None:
        """Forget a request that waits, from any thread. Unknown keys are ignored."""
        with self._changed:
            job = self._queue.withdraw(key)
        if job is not None:
            sentence = "The request for vectors was cancelled."
            self._emit([(key, ModelUnavailable(sentence, rule="llm.cancelled"))])

    def stop(self) -> None:
        """End the thread after the present step and free its context."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(JOIN_S)

    def _live(self) -> None:
        context: EmbeddingContext | None = None
        while batch := self._next():
            tokens = sum(len(job.texts[index]) for job, index in batch)
            self.late_at = late_at(self._clock(), tokens)
            try:
                if context is None:
                    context = EmbeddingContext(
                        self._model, tokens=self._most_tokens, threads=self._threads
                    )
                outcomes = self._compute(context, batch)
            except ModelUnavailable as error:
                outcomes = self._fail(batch, error)
            self.late_at = None
            self._emit(outcomes)
        if context is not None:
            context.close()

    def _next(self) -> type_batch:
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping or self._queue.waiting)
            return [] if self._is_stopping else self._queue.take()

    def _compute(self, context: EmbeddingContext, batch: type_batch) -> type_events:
        began = self._clock()
        vectors = context.vectors([job.texts[index] for job, index in batch])
        took_s = self._clock() - began
        with self._changed:
            self._queue.computed(len(batch), took_s)
        done: type_events = []
        for (job, index), vector in zip(batch, vectors, strict=True):
            job.begun_at = began if job.begun_at is None else job.begun_at
            job.vectors[index] = vector
            job.computed_s += took_s / len(batch)
            if job.is_done:
                done.append((job.key, self._outcome(job)))
        return done

    def _fail(self, batch: type_batch, error: ModelUnavailable) -> type_events:
        log.error("%s", error.message)
        keys = dict.fromkeys(job.key for job, _ in batch)
        with self._changed:
            for key in keys:
                self._queue.withdraw(key)
        return [(key, error) for key in keys]

    def _outcome(self, job: Job) -> Embedded:
        begun_at = job.submitted_at if job.begun_at is None else job.begun_at
        usage = Usage(
            prompt_tokens=job.tokens,
            queue_ms=round((begun_at - job.submitted_at) * 1000),
            prefill_ms=round(job.computed_s * 1000),
        )
        vectors = tuple(vector for vector in job.vectors if vector is not None)
        return Embedded(vectors, usage, self._model.name)
