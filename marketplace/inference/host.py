"""Looks after the models inside the engine process: chooses, loads, unloads, says why not."""

import logging
import os
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import inf
from pathlib import Path

from marketplace.inference import choice, devices
from marketplace.inference.choice import DEFAULT, Unmet
from marketplace.inference.lines import Lines
from marketplace.inference.pace import late_at
from marketplace.inference.ports import (
    Embedding,
    EngineStatus,
    Finished,
    ModelUnavailable,
    QueueFull,
    ServedModel,
    Usage,
)
from marketplace.inference.seats import Seat, type_emit, type_request
from marketplace.inference.settings import InferenceSettings
from marketplace.inference.shelf import ModelFile, type_shelf
from marketplace.kernel.errors import CaravanError
from marketplace.kernel.words import noted

log = logging.getLogger(__name__)

NO_ROOM_RETRY_S = 10
BUSY_RETRY_S = 5
MEND_AFTER_S = 60.0
MIB = 2**20
NO_MODEL = noted("The engine has no model. Add one with `marketplace models add`.")


class EngineHost:
    """A seat for every model that has a role; every method may be called from any thread.

    Args:
        shelf: the models there are; asked again and again, it notices what changed.
        emit: takes events from the engines' threads; it must not block.
        crashed: called from a decode thread when it dies of an error of ours.
        blobs: the store's blobs, among which are the adapters of its apps.
    """

    def __init__(
        self,
        shelf: type_shelf,
        settings: InferenceSettings,
        emit: type_emit,
        crashed: Callable[[], None],
        *,
        blobs: Path | None = None,
    ) -> None:
        self._shelf = shelf
        self._blobs = blobs
        self._settings = settings
        self._emit = emit
        self._crashed = crashed
        self._why_not: str | None = None
        self._seats: dict[Path, Seat] = {}
        self._started_at = time.monotonic()
        self._preparing_since: float | None = None
        # Reading a prompt takes milliseconds, so whoever asks once is read before a flood is.
        self._lines: Lines[type_request] = Lines()
        # One worker: nothing is loaded or unloaded while a request is on its way.
        self._intake = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")

    def start(self) -> None:
        """Begin to load the default model; `status` tells when it is ready."""
        self._sweep()

    def submit(self, key: Hashable, request: type_request) -> None:
        """Take a request; its events, or an error in their place, go to `emit`.

        Raises: QueueFull when so many of its app are on their way that they could not all wait.
        """
        most = self._settings.queue_per_app + self._settings.max_sequences
        if not self._lines.put(request.app, key, request, most=most):
            raise QueueFull(
                f"{most} requests of this app are waiting already. Try again in {BUSY_RETRY_S} s.",
                retry_after_s=BUSY_RETRY_S,
                rule="llm.queue",
            )
        self._intake.submit(self._take_turn)

    def cancel(self, key: Hashable) -> None:
        """End a request at once."""
        if self._lines.pull(key) is not None:
            self._emit([(key, Finished("cancelled", Usage(), ""))])
            return
        self._withdraw(key)
        # It may be in preparation at this very moment, and unknown to any engine yet.
        self._intake.submit(self._withdraw, key)

    def forget(self, release: str) -> None:
        """Drop what is kept computed of a release, in every model that is loaded."""
        self._intake.submit(self._forget, release)

    def look_around(self) -> None:
        """Unload what nobody uses, and load a default that has changed; called now and then."""
        self._intake.submit(self._sweep)

    def is_stuck(self, now: float) -> bool:
        """Whether a step or a request's preparation takes longer than any honest one can.

        Args:
            now: monotonic seconds.
        """
        engines = [seat.engine for seat in tuple(self._seats.values())]
        since = self._preparing_since
        ends = [engine.late_at for engine in engines if engine is not None]
        ends.append(None if since is None else late_at(since, 0))
        return any(end is not None and now > end for end in ends)

    def status(self) -> EngineStatus:
        """What the default model is and does, or why it does not, and how all models are."""
        seats = tuple(self._seats.values())
        models = tuple(seat.served() for seat in seats)
        status = self._status_of_default(seats)
        return replace(
            status,
            models=models,
            active=sum(model.active for model in models),
            waiting=sum(model.waiting for model in models),
            pid=os.getpid(),
            uptime_s=int(time.monotonic() - self._started_at),
        )

    def close(self) -> None:
        """End the decode threads and free the models, as far as that takes a few seconds."""
        self._intake.shutdown(wait=False, cancel_futures=True)
        for seat in tuple(self._seats.values()):
            seat.unload()

    def _status_of_default(self, seats: tuple[Seat, ...]) -> EngineStatus:
        default = next((seat for seat in seats if DEFAULT in seat.file.roles), None)
        if default is None:
            return EngineStatus(ready=False, why_not=self._why_not or NO_MODEL)
        engine = default.engine
        if engine is not None:
            status: EngineStatus = engine.status()
            return status
        is_loading = default.why_not is None
        name = default.file.path.name
        loading = f"The language model {name} is still being loaded. Try again in a moment."
        return EngineStatus(
            ready=False,
            why_not=loading if is_loading else default.why_not,
            loading=is_loading,
            model_file=name,
        )

    def _sweep(self) -> None:
        self._look_at_shelf()
        now = time.monotonic()
        after_s = self._settings.unload_after_s or inf
        for seat in tuple(self._seats.values()):
            if seat.state == "broken" and now - seat.broken_at > MEND_AFTER_S:
                seat.mend()
            if DEFAULT in seat.file.roles:
                if seat.state == "unloaded":
                    self._load_if_it_fits(seat)
            elif seat.is_idle and now - seat.used_at > after_s:
                log.info("The model %s is unloaded: nobody uses it.", seat.file.name)
                seat.unload()

    def _look_at_shelf(self) -> None:
        """Give every model on the shelf a seat, and take idle seats from those that left it."""
        try:
            files = {file.path: file for file in self._shelf()}
        except CaravanError as error:
            self._why_not = error.message
            return
        self._why_not = None
        for path, file in files.items():
            if path in self._seats:
                self._seats[path].file = file
            else:
                self._seats[path] = self._new_seat(file)
        for path in self._seats.keys() - files.keys():
            seat = self._seats[path]
            seat.file = replace(seat.file, roles=())
            if seat.is_idle or seat.state in {"unloaded", "broken"}:
                seat.unload()
                del self._seats[path]

    def _take_turn(self) -> None:
        if (turn := self._lines.take()) is not None:
            self._prepare(*turn)

    def _prepare(self, key: Hashable, request: type_request) -> None:
        self._preparing_since = time.monotonic()
        try:
            self._look_at_shelf()
            seat = self._seat_for(request)
            if seat.state == "unloaded":
                self._load(seat)
            seat.take(key, request)
        except CaravanError as error:
            self._emit([(key, error)])
        except Exception:
            # One request that trips over a bug must not take the others with it.
            log.exception("A request could not be prepared.")
            sentence = "The language model could not read this request. Try another one."
            self._emit([(key, ModelUnavailable(sentence, rule="llm.prepare"))])
        finally:
            self._preparing_since = None

    def _seat_for(self, request: type_request) -> Seat:
        if self._why_not is not None:
            raise ModelUnavailable(self._why_not, rule="llm.model")
        models = {seat.served(): seat for seat in self._seats.values() if seat.file.roles}
        return models[_chosen(request, tuple(models))]

    def _load_if_it_fits(self, seat: Seat) -> None:
        try:
            self._load(seat)
        except CaravanError as error:
            log.warning("%s", error.message)  # the next look around tries again

    def _load(self, seat: Seat) -> None:
        self._make_room(seat)
        seat.load()

    def _make_room(self, seat: Seat) -> None:
        """Unload idle models, longest unused first, until one more fits.

        Raises: QueueFull when others that are in use leave no room, ModelUnavailable when it
            would not even fit alone.
        """
        needed = seat.needed_bytes()
        others = [each for each in self._seats.values() if each.state in {"loaded", "loading"}]
        idle = sorted((each for each in others if each.is_idle), key=lambda each: each.used_at)
        while needed > self._free_bytes():
            if not idle:
                break
            unused = idle.pop(0)
            others.remove(unused)
            log.info("The model %s makes room for %s.", unused.file.name, seat.file.name)
            unused.unload()
        else:
            return
        if others:
            raise QueueFull(
                f"The model {seat.file.title} has no room beside those that are answering. "
                f"Try again in {NO_ROOM_RETRY_S} s.",
                retry_after_s=NO_ROOM_RETRY_S,
                rule="llm.room",
            )
        if limit := self._settings.models_memory_mib:
            seat.refuse(
                f"The model {seat.file.title} needs {devices.as_memory(needed)}, and the setting "
                f"models_memory_mib allows {devices.as_memory(limit * MIB)}. Raise it, or choose "
                "a smaller model or context."
            )
            raise ModelUnavailable(seat.why_not or "", rule="llm.model")

    def _free_bytes(self) -> float:
        """What one more model may take, in main memory and on accelerators together."""
        loaded = next((seat.engine for seat in self._seats.values() if seat.engine), None)
        room = devices.room(loaded.devices() if loaded and self._settings.gpu_layers else ())
        # No main memory is one that the system does not tell.
        free: float = room.ram_bytes + room.gpu_usable_bytes if room.ram_bytes else inf
        if limit := self._settings.models_memory_mib:
            taken = sum(seat.served().memory_bytes for seat in self._seats.values())
            free = min(free, limit * MIB - taken)
        return free

    def _new_seat(self, file: ModelFile) -> Seat:
        return Seat(
            file,
            self._settings,
            self._emit,
            self._on_loaded,
            self._crashed,
            blobs=self._blobs,
        )

    def _on_loaded(self, seat: Seat) -> None:
        try:
            self._intake.submit(self._serve_waiting, seat)
        except RuntimeError:
            log.info("The engine ends while %s was being loaded.", seat.file.name)

    def _serve_waiting(self, seat: Seat) -> None:
        for key, request in seat.seated():
            self._prepare(key, request)

    def _forget(self, release: str) -> None:
        for seat in tuple(self._seats.values()):
            if seat.engine is not None:
                seat.engine.forget(release)

    def _withdraw(self, key: Hashable) -> None:
        for seat in tuple(self._seats.values()):
            seat.withdraw(key)


def _chosen(request: type_request, models: tuple[ServedModel, ...]) -> ServedModel:
    if isinstance(request, Embedding):
        return choice.for_vectors(models)
    if request.model:
        return choice.by_name(request.model, models)
    found = choice.for_answer(request.wants, models)
    if isinstance(found, Unmet):
        raise ModelUnavailable(found.sentence, rule="llm.wants")
    return found
