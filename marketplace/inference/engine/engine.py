"""A loaded model ready to answer: prepares requests in the caller's thread, decodes in its own."""

import logging
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from marketplace.inference import devices, gpus
from marketplace.inference.answers import AnswerStream
from marketplace.inference.engine import library
from marketplace.inference.engine.adapters import Adapters
from marketplace.inference.engine.anteroom import Anteroom
from marketplace.inference.engine.context import Context
from marketplace.inference.engine.decoder import Decoder, type_events
from marketplace.inference.engine.embedder import Embedder
from marketplace.inference.engine.eyes import Eyes, Sight, most_tokens
from marketplace.inference.engine.model import Model, type_tokens
from marketplace.inference.engine.sampling import Sampler
from marketplace.inference.engine.tickets import Ticket
from marketplace.inference.gguf_file import ModelFacts, NotAModel, read_facts
from marketplace.inference.ledger import share_out
from marketplace.inference.placement import Placement, Wish, load, place
from marketplace.inference.ports import (
    BadGeneration,
    Device,
    Embedding,
    EngineStatus,
    Generation,
    ModelUnavailable,
)
from marketplace.inference.sequences import Capacity, Request
from marketplace.inference.settings import InferenceSettings
from marketplace.inference.tool_calls import Dialect, ToolStream, call_schema, opening_of
from marketplace.kernel.errors import CaravanError

log = logging.getLogger(__name__)


class Engine:
    """One model, its context and its decoder. `run` is the decode thread's body."""

    def __init__(
        self,
        path: Path,
        settings: InferenceSettings,
        emit: Callable[[type_events], None],
        blobs: Path | None = None,
        *,
        projector: Path | None = None,
    ) -> None:
        """Load a model and reserve its memory.

        Args:
            projector: the GGUF that lets the model see pictures.
            blobs: the store's blobs, among which are the adapters of its apps.
            emit: takes the events of one step, from the decode thread; it must not block.
        Raises: ModelUnavailable when the model or its context cannot be had.
        """
        library.start()
        self._settings = settings
        self._threads = settings.threads or max(1, devices.usable_cores() - 1)
        self._devices = library.devices()
        self._facts = _facts(path, projector)
        self._projector = projector
        self._eyes: Eyes | None = None
        context = settings.context or self._facts.context
        # With one place there is no sharing it; who computes alone needs no room for a guest.
        guests = 1 if settings.max_sequences > 1 else 0
        self._wish = Wish(
            gpu_layers=settings.gpu_layers,
            sequences=settings.max_sequences + guests + settings.kept_prompts,
            sequence_tokens=min(context, self._facts.context or context),
        )
        self._room = devices.room(self._devices)
        sizes = self._facts.sizes
        self._placement, (self._model, self._context) = load(
            place(sizes, self._wish, self._room),
            sizes,
            self._wish,
            lambda placement: self._load(path, placement),
        )
        self._why_device, self._warning = self._explain()
        if self._warning:
            log.warning("%s", self._warning)
        slots, guests, kept = share_out(
            self._context.places,
            slots=settings.max_sequences,
            guests=guests,
            kept=settings.kept_prompts,
        )
        capacity = self._capacity = Capacity(
            slots=slots,
            guests=guests,
            kept=kept,
            least_shared=self._context.least_shared,
            slot_tokens=self._context.slot_tokens,
            batch_tokens=self._context.batch_tokens,
            prefill_chunk=settings.prefill_chunk,
            queue_per_app=settings.queue_per_app,
            queue_total=settings.queue_total,
            step_s=settings.step_ms / 1000,
            # llama.cpp can be stopped on the processor alone, and only lists of cells be cut.
            can_stop=self._context.can_cut and self._placement.gpu_layers == 0,
        )
        guesses = settings.guessed_tokens if self._context.can_cut else 0
        guesses = min(guesses, self._context.batch_tokens - 1)
        self._decoder = Decoder(self._model, self._context, capacity, emit, guesses=guesses)
        self._anteroom = Anteroom(
            self._prepare,
            self._decoder.cancel,
            emit,
            per_app=settings.queue_per_app,
            model=self._model.name,
        )
        self._adapters = Adapters(self._model, self._context, blobs, most=settings.adapters)
        # Vectors are made beside the answers, with half the threads: they must not stop them.
        self._embedder = Embedder(self._model, settings, emit, threads=max(1, self._threads // 2))

    def _load(self, path: Path, placement: Placement) -> tuple[Model, Context]:
        model = Model(path, gpu_layers=placement.gpu_layers)
        eyes = None
        try:
            if self._projector is not None:
                on_gpu = placement.gpu_layers > 0
                eyes = Eyes(self._projector, model, threads=self._threads, on_gpu=on_gpu)
            context = Context(
                model,
                places=placement.sequences,
                slot_tokens=self._wish.sequence_tokens,
                batch_tokens=max(self._settings.batch_tokens, placement.sequences),
                threads=self._threads,
                is_on_cpu=placement.gpu_layers == 0,
            )
        except ModelUnavailable:
            if eyes is not None:
                eyes.close()
            model.close()
            raise
        self._eyes = eyes
        return model, context

    def _explain(self) -> tuple[str, str | None]:
        """Why the model computes where it does, and what makes it slower than it could be."""
        backends = library.backends()
        reason = devices.why(
            self._devices,
            self._placement,
            layers=self._facts.sizes.layers,
            wish=self._wish,
            backends=backends,
        )
        leaves_gpus_idle = self._wish.gpu_layers != 0 and not devices.is_for_gpus(backends)
        idle = gpus.idle(gpus.in_this_machine()) if leaves_gpus_idle else None
        return reason, idle or devices.short_of_memory(self._placement, self._room)

    def run(self) -> None:
        """Decode until `stop`, then free everything."""
        self._decoder.run()
        self._embedder.stop()
        self._anteroom.close()
        if self._eyes is not None:
            self._eyes.close()
        self._context.close()
        self._model.close()

    def stop(self) -> None:
        """End `run` after the present step, from any thread."""
        self._decoder.stop()

    def submit(self, key: Hashable, generation: Generation) -> None:
        """Prepare a request here and queue it; one with pictures in a thread between.

        Raises: BadGeneration when its template, schema or grammar cannot be used, or the model
            cannot do what it asks for, QueueFull when too many wait or are being prepared.
        """
        # Asked before the work of reading it: whoever is turned away learns it at once.
        self._decoder.refuse_when_full(generation.app)
        if not any(message.images for message in generation.messages):
            self._prepare(key, generation)
        elif self._eyes is not None:
            self._anteroom.submit(key, generation)
        else:
            raise BadGeneration(
                f"The model {self._model.name} cannot see pictures. Send text alone, or ask the "
                "operator for a model with a projector.",
                rule="llm.vision",
            )

    def _prepare(self, key: Hashable, generation: Generation) -> None:
        tools = self._tool_stream(generation)
        vocabulary = self._model.vocabulary
        tokens, sight = self._prompt(generation)
        with ExitStack() as held:
            if sight is not None:
                held.callback(sight.free)
            sampler = Sampler(self._model, self._constrained(generation))
            held.callback(sampler.close)
            lease = self._adapters.take(generation.adapter) if generation.adapter else None
            held.pop_all()
        request = Request(
            key=key,
            app=generation.app,
            person=generation.person,
            prompt=tokens,
            max_tokens=generation.max_tokens,
            namespace=generation.release or generation.app,
            adapter=generation.adapter,
            shared=self._model.shared_tokens(generation.messages, generation.tools, tokens),
            weight=generation.weight,
            pictures=() if sight is None else sight.pictures,
        )
        ticket = Ticket(
            request=request,
            sampler=sampler,
            lease=lease,
            sight=sight,
            answer=AnswerStream(generation.stop, tools),
            pieces=vocabulary.pieces if tools is None else vocabulary.marked,
            logprobs=generation.logprobs,
        )
        try:
            self._decoder.submit(ticket)
        except CaravanError:
            ticket.close()
            raise

    def _tool_stream(self, generation: Generation) -> ToolStream | None:
        if not generation.tools or self._model.dialect is None:
            return None
        names = frozenset(tool.name for tool in generation.tools)
        # A call that has to be made is the whole answer, without a mark, as Llamas write it.
        dialect = self._model.dialect if generation.tool_choice == "auto" else Dialect.LLAMA
        return ToolStream(dialect, names, generation.request_id)

    def _opening(self, generation: Generation) -> str:
        dialect = self._model.dialect
        return opening_of(dialect) if dialect and generation.tool_choice != "auto" else ""

    def _constrained(self, generation: Generation) -> Generation:
        """The request with the grammar of the call that has to be made, if one has to."""
        dialect = self._model.dialect
        if dialect is None or generation.tool_choice == "auto":
            return generation
        schema = call_schema(generation.tools, generation.tool_choice, dialect)
        return replace(generation, json_schema=schema)

    def _prompt(self, generation: Generation) -> tuple[type_tokens, Sight | None]:
        opening = self._opening(generation)
        files = [file for message in generation.messages for file in message.images]
        if self._eyes is None or not files:
            return self._model.prompt(generation.messages, generation.tools, opening), None
        text = self._model.text(
            generation.messages, generation.tools, opening, picture=self._eyes.marker
        )
        sight = self._eyes.read(text, files, most_tokens(self._eyes, self._context))
        return sight.tokens, sight

    def embed(self, key: Hashable, embedding: Embedding) -> None:
        """Turn texts into vectors in a thread beside the decoder.

        Raises: BadGeneration for a text that is too long, QueueFull when too many wait.
        """
        self._embedder.submit(key, embedding)

    def cancel(self, key: Hashable) -> None:
        """End a request at once, from any thread."""
        self._anteroom.cancel(key)
        self._decoder.cancel(key)
        self._embedder.cancel(key)

    def forget(self, namespace: str) -> None:
        """Keep nothing of a release's prompts any more, from any thread."""
        self._decoder.forget(namespace)

    @property
    def late_at(self) -> float | None:
        """From when on a step that is being computed takes too long, in monotonic seconds."""
        steps = (self._decoder.late_at, self._embedder.late_at)
        return min((late_at for late_at in steps if late_at is not None), default=None)

    def devices(self) -> tuple[Device, ...]:
        """What can compute, with the memory that is free there now."""
        return library.devices()

    def status(self) -> EngineStatus:
        """What is loaded and what goes on."""
        return EngineStatus(
            ready=True,
            model=self._model.name,
            model_file=self._model.path.name,
            parameters=self._model.parameters,
            quantisation=self._model.description,
            context=self._context.slot_tokens,
            max_sequences=self._capacity.slots,
            threads=self._threads,
            gpu_layers=self._placement.gpu_layers,
            layers=self._facts.sizes.layers,
            gpu_bytes=self._placement.gpu_bytes,
            ram_bytes=self._placement.ram_bytes,
            devices=self._devices,
            why_device=self._why_device,
            warning=self._warning,
            active=self._decoder.active,
            waiting=self._decoder.waiting,
            tokens_per_s=self._decoder.tokens_per_s,
            prompt_tokens_total=self._decoder.prompt_tokens,
            cached_tokens_total=self._decoder.cached_tokens,
            preempted_total=self._decoder.preempted,
            generated_tokens_total=self._decoder.generated.total,
            guessed_tokens_total=self._decoder.guessed_tokens,
            right_tokens_total=self._decoder.right_tokens,
            steps_total=self._decoder.steps,
            busy_ms_total=round(self._decoder.busy_s * 1000),
            compute_ms_total=round(self._decoder.compute_s * 1000),
        )


def _facts(path: Path, projector: Path | None) -> ModelFacts:
    try:
        return read_facts(path, projector)
    except (NotAModel, OSError) as error:
        raise ModelUnavailable(
            f"{error} Or choose another model with `marketplace models use`."
        ) from error
