"""LoRA adapters of the loaded model: checked and loaded when first asked for, the oldest let go."""

import ctypes
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from marketplace.inference.adapter_file import check_adapter
from marketplace.inference.engine.context import Context
from marketplace.inference.engine.library import llama, take_last_error
from marketplace.inference.engine.model import Model
from marketplace.inference.gguf_file import Header, read_header
from marketplace.inference.ports import BadGeneration, QueueFull
from marketplace.infra.blobs import Blobs

RETRY_AFTER_S = 10


@dataclass(slots=True, eq=False)
class Adapter:
    """One loaded adapter; `users` requests need it."""

    key: str
    handle: Any
    users: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """One request's hold on an adapter, which stays loaded until it is closed."""

    adapter: Adapter
    adapters: "Adapters"

    def close(self) -> None:
        """Say that the request no longer needs it."""
        self.adapters.give_back(self.adapter)


class Adapters:
    """Hands out adapters by the sha256 of their files; any thread may ask and give back.

    Args:
        folder: the store's blobs, among which the adapters are; None where there is no store.
        most: how many stay loaded.
    """

    def __init__(self, model: Model, context: Context, folder: Path | None, *, most: int) -> None:
        self._model = model
        self._context = context
        self._blobs = None if folder is None else Blobs(folder)
        self._most = most
        self._lock = Lock()  # the decoder gives back under it, so nothing is loaded under it
        self._loading = Lock()
        self._loaded: OrderedDict[str, Adapter] = OrderedDict()

    @cached_property
    def _header(self) -> Header:
        return read_header(self._model.path)

    def take(self, key: str) -> Lease:
        """A hold on an adapter, which is loaded if it is not yet.

        Raises: BadGeneration when there is none of this key for the model, QueueFull when too many
            others are needed at this moment.
        """
        with self._loading:
            if (known := self._known(key)) is not None:
                return known
            handle = self._load(key)
            with self._lock:
                adapter = self._loaded[key] = Adapter(key, handle, users=1)
            return Lease(adapter, self)

    def give_back(self, adapter: Adapter) -> None:
        """Say that one request no longer needs it."""
        with self._lock:
            adapter.users -= 1

    def _known(self, key: str) -> Lease | None:
        """A hold on what is loaded already; else there is room for one more."""
        with self._lock:
            adapter = self._loaded.get(key)
            if adapter is None:
                self._make_room()
                return None
            self._loaded.move_to_end(key)
            adapter.users += 1
            return Lease(adapter, self)

    def _make_room(self) -> None:
        if len(self._loaded) < self._most:
            return
        # What the context was last set to may still be looked at by its next step.
        idle = (
            adapter
            for adapter in self._loaded.values()
            if not adapter.users and adapter is not self._context.adapter
        )
        oldest = next(idle, None)
        if oldest is None:
            raise QueueFull(
                f"{self._most} apps with adapters of their own are being answered. "
                f"Try again in {RETRY_AFTER_S} s.",
                retry_after_s=RETRY_AFTER_S,
                rule="llm.adapter",
            )
        del self._loaded[oldest.key]
        llama.llama_adapter_lora_free(oldest.handle)

    def _load(self, key: str) -> Any:
        path = None if self._blobs is None else self._blobs.path(key)
        if path is None or not path.is_file():
            raise BadGeneration(
                f"There is no adapter {key[:12]}…. Publish the app again.", rule="llm.adapter"
            )
        # It was checked when it was published, but maybe against another model.
        check_adapter(path.read_bytes(), self._header)
        handle = llama.llama_adapter_lora_init(self._model.handle, str(path).encode())
        if not handle:
            raise BadGeneration(
                f"The adapter {key[:12]}… cannot be loaded: {take_last_error()}. "
                "Train it on the model that this store serves.",
                rule="llm.adapter",
            )
        return handle


def set_adapter(context: Context, adapter: Adapter | None) -> None:
    """Compute the following steps with one adapter, or with none."""
    if context.adapter is adapter:
        return
    handles = [] if adapter is None else [adapter.handle]
    pointers = (llama.llama_adapter_lora_p_ctypes * len(handles))(*handles)
    scales = (ctypes.c_float * len(handles))(*[1.0] * len(handles))
    llama.llama_set_adapters_lora(context.handle, pointers, len(handles), scales)
    context.adapter = adapter
