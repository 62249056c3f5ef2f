"""Looks after the engine inside its process: loads it, prepares requests, says why it is not."""

import logging
import os
import sys
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

from marketplace.inference.ports import Embedding, EngineStatus, Generation, ModelUnavailable
from marketplace.inference.settings import InferenceSettings
from marketplace.inference.wire import LOADING, type_event
from marketplace.kernel.errors import CaravanError

log = logging.getLogger(__name__)

BUILD_LOG = "llama-build.log"  # where tools/prepare.py writes it, in the virtual environment
JOIN_S = 5.0
STUCK_S = 60.0

type_emit = Callable[[list[tuple[Hashable, type_event]]], None]


class EngineHost:
    """One engine, or the reason there is none; every method may be called from any thread.

    Args:
        model: the GGUF to load, or None with the reason in `why_not`.
        emit: takes events from the engine's threads; it must not block.
        blobs: the store's blobs, among which are the adapters of its apps.
        crashed: called from the decode thread when it dies of an error of ours.
    """

    def __init__(
        self,
        model: Path | None,
        why_not: str | None,
        settings: InferenceSettings,
        emit: type_emit,
        crashed: Callable[[], None],
        *,
        blobs: Path | None = None,
    ) -> None:
        self._model = model
        self._settings = settings
        self._blobs = blobs
        self._emit = emit
        self._crashed = crashed
        self._why_not = why_not
        self._engine: Any = None  # the engine package is loaded by name, only when it can be
        self._is_loading = model is not None
        self._started_at = time.monotonic()
        self._preparing_since: float | None = None
        # One worker: requests and their cancellations reach the decoder in the order they came.
        self._intake = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")
        self._thread = Thread(target=self._live, name="decode", daemon=True)

    def start(self) -> None:
        """Begin to load the model; `status` tells when it is ready."""
        self._thread.start()

    def submit(self, key: Hashable, request: Generation | Embedding) -> None:
        """Take a request; its events, or an error in their place, go to `emit`."""
        self._intake.submit(self._prepare, key, request)

    def cancel(self, key: Hashable) -> None:
        """End a request by the next step."""
        self._intake.submit(self._withdraw, key)

    def is_stuck(self, now: float) -> bool:
        """Whether a step or a request's preparation takes longer than any honest one can.

        Args:
            now: monotonic seconds.
        """
        engine = self._engine
        step_began_at = None if engine is None else engine.step_began_at
        return any(
            began_at is not None and now - began_at > STUCK_S
            for began_at in (step_began_at, self._preparing_since)
        )

    def status(self) -> EngineStatus:
        """What the engine is and does, or why it does not."""
        engine = self._engine
        status: EngineStatus
        if engine is not None:
            status = engine.status()
        else:
            status = EngineStatus(
                ready=False,
                why_not=self._sentence(),
                loading=self._is_loading,
                model_file=self._model.name if self._model else None,
            )
        uptime_s = int(time.monotonic() - self._started_at)
        return replace(status, pid=os.getpid(), uptime_s=uptime_s)

    def close(self) -> None:
        """End the decode thread and free the model, as far as that takes a few seconds."""
        self._intake.shutdown(wait=False, cancel_futures=True)
        engine = self._engine
        if engine is not None:
            engine.stop()
        self._thread.join(JOIN_S if engine is not None else 0)

    def _live(self) -> None:
        try:
            self._load()
            if self._engine is not None:
                self._engine.run()
        except Exception:
            log.exception("The decode thread has died.")
            self._crashed()

    def _load(self) -> None:
        if self._model is None:
            return
        try:
            package = import_module("marketplace.inference.engine.engine")
        except (ImportError, OSError, RuntimeError) as error:
            self._why_not = (
                f"llama-cpp-python cannot be loaded: {error}. Close the store and build it again "
                f"with `make run`; {Path(sys.prefix, BUILD_LOG)} has the last build's messages."
            )
        else:
            started_at = time.monotonic()
            try:
                self._engine = package.Engine(self._model, self._settings, self._emit, self._blobs)
            except ModelUnavailable as error:
                self._why_not = error.message
            else:
                seconds = time.monotonic() - started_at
                log.info("The model %s is loaded (%.1f s).", self._model.name, seconds)
        self._is_loading = False
        if self._why_not:
            log.error("%s", self._why_not)

    def _prepare(self, key: Hashable, request: Generation | Embedding) -> None:
        self._preparing_since = time.monotonic()
        try:
            engine = self._loaded()
            if isinstance(request, Embedding):
                engine.embed(key, request)
            else:
                engine.submit(key, request)
        except CaravanError as error:
            self._emit([(key, error)])
        except Exception:
            # One request that trips over a bug must not take the others with it.
            log.exception("A request could not be prepared.")
            sentence = "The language model could not read this request. Try another one."
            self._emit([(key, ModelUnavailable(sentence, rule="llm.prepare"))])
        finally:
            self._preparing_since = None

    def _loaded(self) -> Any:
        if self._engine is None:
            rule = LOADING if self._is_loading else "llm.model"
            raise ModelUnavailable(self._sentence(), rule=rule)
        return self._engine

    def _withdraw(self, key: Hashable) -> None:
        if self._engine is not None:
            self._engine.cancel(key)

    def _sentence(self) -> str:
        if self._is_loading:
            name = self._model.name if self._model else "the model"
            return f"The language model {name} is still being loaded. Try again in a moment."
        return self._why_not or "The engine has no model. Add one with `marketplace models add`."
