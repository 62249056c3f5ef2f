"""A model's place in the engine process: absent, being loaded, answering, or broken."""

import logging
import sys
import time
from collections.abc import Callable, Hashable
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

from marketplace.inference.gguf_file import NotAModel, read_facts
from marketplace.inference.ports import (
    Embedded,
    Embedding,
    Finished,
    Generation,
    ModelUnavailable,
    QueueFull,
    ServedModel,
    Usage,
)
from marketplace.inference.settings import InferenceSettings
from marketplace.inference.shelf import ModelFile
from marketplace.inference.wire import type_event
from marketplace.kernel.errors import CaravanError

log = logging.getLogger(__name__)

BUILD_LOG = "llama-build.log"  # where tools/prepare.py writes it, in the virtual environment
JOIN_S = 5.0
LOADING_RETRY_S = 10

type_emit = Callable[[list[tuple[Hashable, type_event]]], None]
type_request = Generation | Embedding


class Seat:
    """One model and, while it is loaded, its engine with a thread of its own.

    The intake thread alone calls its methods; but any may call `withdraw`.

    Args:
        emit: takes events, from the decode thread; it must not block.
        loaded: called from the decode thread when the model is loaded or cannot be.
        crashed: called from the decode thread when it dies of an error of ours.
        blobs: the store's blobs, among which are the adapters of its apps.
    """

    def __init__(
        self,
        file: ModelFile,
        settings: InferenceSettings,
        emit: type_emit,
        loaded: Callable[["Seat"], None],
        crashed: Callable[[], None],
        *,
        blobs: Path | None = None,
    ) -> None:
        self.file = file
        self.why_not: str | None = None
        self.engine: Any = None  # the engine package is loaded by name, only when it can be
        self.used_at = self.broken_at = time.monotonic()
        self._settings = settings
        self._blobs = blobs
        self._emit_on = emit
        self._loaded = loaded
        self._crashed = crashed
        self._thread: Thread | None = None
        self._waiting: dict[Hashable, type_request] = {}
        self._open: set[Hashable] = set()

    @property
    def state(self) -> str:
        """Unloaded, loading, loaded or broken."""
        if self.why_not is not None:
            return "broken"
        if self.engine is not None:
            return "loaded"
        return "unloaded" if self._thread is None else "loading"

    @property
    def is_idle(self) -> bool:
        """Whether it is loaded and nobody waits for anything of it."""
        return self.state == "loaded" and not self._open and not self._waiting

    @property
    def context(self) -> int:
        """Tokens one of its sequences can hold; 0 when that is not known."""
        wanted = self._settings.context
        return min(wanted, self.file.context) if wanted else self.file.context

    def served(self) -> ServedModel:
        """How it is now, for whoever chooses a model or looks at them all."""
        engine = self.engine
        now = None if engine is None else engine.status()
        return ServedModel(
            name=self.file.name,
            title=self.file.title,
            roles=self.file.roles,
            context=self.context if now is None else now.context,
            state=self.state,
            why_not=self.why_not,
            memory_bytes=0 if now is None else (now.gpu_bytes or 0) + (now.ram_bytes or 0),
            active=0 if now is None else now.active,
            waiting=len(self._waiting) + (0 if now is None else now.waiting),
        )

    def needed_bytes(self) -> int:
        """About what it will take in memory; 0 when its file cannot be read."""
        try:
            sizes = read_facts(self.file.path, self.file.projector).sizes
        except (NotAModel, OSError):
            return 0  # loading it will say what is wrong
        sequences = self._settings.max_sequences + 1 + self._settings.kept_prompts
        tokens = sequences * self.context
        return sizes.weight_bytes + tokens * sum(sizes.kv_bytes)

    def take(self, key: Hashable, request: type_request) -> None:
        """Begin a request, or keep it until the model is loaded.

        Raises: CaravanError when the engine refuses it, or there is none.
        """
        if self.why_not is not None:
            raise ModelUnavailable(self.why_not, rule="llm.model")
        self.used_at = time.monotonic()
        if self.engine is None:
            self._wait(key, request)
            return
        self._open.add(key)
        try:
            if isinstance(request, Embedding):
                self.engine.embed(key, request)
            else:
                self.engine.submit(key, request)
        except BaseException:
            self._open.discard(key)
            raise

    def _wait(self, key: Hashable, request: type_request) -> None:
        most = self._settings.queue_per_app
        if sum(waiting.app == request.app for waiting in self._waiting.values()) >= most:
            raise QueueFull(
                f"The language model is still being loaded, and {most} requests of this app are "
                f"waiting for it. Try again in {LOADING_RETRY_S} s.",
                retry_after_s=LOADING_RETRY_S,
                rule="llm.queue",
            )
        self._waiting[key] = request

    def withdraw(self, key: Hashable) -> None:
        """End a request at once; unknown ones are ignored."""
        if self._waiting.pop(key, None) is not None:
            self._emit_on([(key, Finished("cancelled", Usage(), self.file.title))])
        elif key in self._open and (engine := self.engine) is not None:
            engine.cancel(key)

    def load(self) -> None:
        """Begin to load the model in its thread."""
        self._thread = Thread(target=self._live, name=f"decode {self.file.name}", daemon=True)
        self._thread.start()

    def seated(self) -> list[tuple[Hashable, type_request]]:
        """What waited for the load that is over; it is to be taken or refused now."""
        waiting, self._waiting = self._waiting, {}
        return list(waiting.items())

    def unload(self) -> None:
        """End the engine and give its memory back, as far as that takes a few seconds."""
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.stop()
        if self._thread is not None:
            self._thread.join(JOIN_S if engine is not None else 0)
            self._thread = None

    def _live(self) -> None:
        try:
            engine = self._make()
            self.engine = engine
            self._loaded(self)
            if engine is not None:
                engine.run()
        except Exception:
            log.exception("The decode thread has died.")
            self._crashed()

    def _make(self) -> Any:
        path = self.file.path
        if not path.is_file():
            self.refuse(
                f"The model file {path} does not exist. Add a model with `marketplace models add` "
                "or choose another with `marketplace models use`."
            )
            return None
        started_at = time.monotonic()
        try:
            package = import_module("marketplace.inference.engine.engine")
            engine = package.Engine(
                path,
                self._settings,
                self._emit,
                self._blobs,
                projector=self.file.projector,
            )
        except ModelUnavailable as error:
            self.refuse(error.message)
        except (ImportError, OSError, RuntimeError) as error:
            self.refuse(
                f"llama-cpp-python cannot be loaded: {error}. Close the store and build it again "
                f"with `make run`; {Path(sys.prefix, BUILD_LOG)} has the last build's messages."
            )
        else:
            seconds = time.monotonic() - started_at
            log.info("The model %s is loaded (%.1f s).", self.file.name, seconds)
            return engine
        return None

    def refuse(self, why_not: str) -> None:
        """Say why it cannot answer."""
        self.why_not = why_not
        self.broken_at = time.monotonic()
        log.error("%s", why_not)

    def mend(self) -> None:
        """Let a broken seat be loaded again, for what was missing may be there now."""
        self.why_not = self._thread = None

    def _emit(self, events: list[tuple[Hashable, type_event]]) -> None:
        for key, event in events:
            if isinstance(event, (Finished, Embedded, CaravanError)):
                self._open.discard(key)
        self._emit_on(events)
