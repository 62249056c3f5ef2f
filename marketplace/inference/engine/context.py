"""The KV cache and one batch, filled through numpy and computed by one call a step."""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from marketplace.inference.engine.library import llama, take_last_error
from marketplace.inference.engine.model import Model, type_tokens
from marketplace.inference.ports import ModelUnavailable

type_rows = npt.NDArray[np.float32]
CONTEXT_GRAIN = 256  # llama.cpp pads a sequence's context to this
LARGEST_UBATCH = 512
LEAST_SHARED = 16
# Scores of a step against a whole sequence, for all heads: more would crowd out sequences.
LARGEST_SCORES_BYTES = 2**29

NO_ROOM = 1  # llama_decode found no cells for the batch, and has changed nothing
STOPPED = 2  # it was told to stop; cells of the batch may be filled


class ComputeFailed(Exception):
    """llama.cpp could not compute a step; the sequences of the step are lost."""


class NoRoom(Exception):
    """The cache has no room for a step; it may be tried again with less in it."""


class Stopped(Exception):
    """A step was broken off; its sequences are to be cut to what they held before."""


class Context:
    """Split KV: each of `places` sequences has `slot_tokens` cells of its own.

    One thread at a time may use a context.
    """

    def __init__(
        self,
        model: Model,
        *,
        places: int,
        slot_tokens: int,
        batch_tokens: int,
        threads: int,
        is_on_cpu: bool = True,
    ) -> None:
        """Reserve the KV cache; with too little memory, for a third fewer sequences, and so on.

        Args:
            is_on_cpu: no layer of the model computes elsewhere.

        Raises: ModelUnavailable when not even one sequence fits.
        """
        trained = model.trained_context
        wanted = min(slot_tokens, trained) if slot_tokens else trained
        self._handle: Any = None
        while not self._handle:
            self._handle = _reserve(
                model, places, wanted, batch_tokens, threads=threads, is_on_cpu=is_on_cpu
            )
            if self._handle:
                break
            if places == 1:
                raise ModelUnavailable(
                    f"There is not enough memory for a context of {wanted} tokens: "
                    f"{take_last_error() or 'llama.cpp gives no reason'}. Set a smaller context."
                )
            places -= -(-places // 3)
        self.places = places
        self._model = model.handle
        self.slot_tokens = min(wanted, int(llama.llama_n_ctx_seq(self._handle)))
        self.batch_tokens = batch_tokens
        self.adapter: object | None = None  # what `adapters.set_adapter` has set last
        self._memory = llama.llama_get_memory(self._handle)
        self._vocab_size = model.vocab_size
        self._picture: type_rows | None = None
        self._is_causal = True
        self._logits_address = 0
        self._logits_rows = 0
        self._logits: type_rows = np.empty((0, self._vocab_size), dtype=np.float32)
        self._allocate_batch(batch_tokens)
        # llama.cpp asks after every operation whether to stop. `strlen` of a text that is empty or
        # not answers it without waiting for Python's lock.
        self._wish = ctypes.create_string_buffer(2)
        self._has_wish = ctypes.cast(ctypes.CDLL(None).strlen, llama.ggml_abort_callback)

    @property
    def can_cut(self) -> bool:
        """Whether the end of a sequence can be taken back, as it can in a list of cells."""
        model = self._model
        return not (llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model))

    @property
    def least_shared(self) -> int:
        """Fewest tokens worth a copy from place to place, which moves the cells of a whole one.

        A place of 4,096 tokens is copied in the time of a few tokens on any machine, so from 16
        it pays; one of 131,072 from 512.
        """
        return max(LEAST_SHARED, self.slot_tokens // 256) if self.can_cut else self.slot_tokens

    @property
    def largest_ubatch(self) -> int:
        """Most tokens that llama.cpp computes at once; a larger batch is computed in parts."""
        return min(LARGEST_UBATCH, self.batch_tokens)

    @property
    def handle(self) -> Any:
        """llama.cpp's own pointer."""
        return self._handle

    def clear_batch(self) -> None:
        """Begin an empty batch."""
        self._count = 0
        self._picture = None

    def show(self, picture: type_rows, *, is_causal: bool) -> None:
        """Have a batch that is one picture computed from its rows instead of tokens.

        Args:
            is_causal: whether each row knows only the ones before it, as tokens do.
        """
        self._picture, self._is_causal = picture, is_causal

    def put_decoding(self, places: type_tokens, tokens: type_tokens, positions: type_tokens) -> int:
        """Add one token for each of `places`, all of whose logits are wanted.

        Returns: the batch index of the first.
        """
        first, end = self._count, self._count + len(places)
        self._token[first:end] = tokens
        self._position[first:end] = positions
        self._sequence[first:end] = places
        self._wants_logits[first:end] = 1
        self._count = end
        return first

    def put_prompt(self, place: int, tokens: type_tokens, start: int, *, is_last: bool) -> int:
        """Add prompt tokens at positions `start` and on. Returns the batch index of the last."""
        first, end = self._count, self._count + len(tokens)
        self._token[first:end] = tokens
        self._position[first:end] = self._ascending[start : start + len(tokens)]
        self._sequence[first:end] = place
        self._wants_logits[first:end] = 0
        if is_last:
            self._wants_logits[end - 1] = 1
        self._count = end
        return end - 1

    def put_guess(self, place: int, tokens: list[int], start: int) -> None:
        """Add tokens at positions `start` and on, all of whose logits are wanted."""
        end = self._count + len(tokens)
        self.put_prompt(place, np.array(tokens, dtype=np.int32), start, is_last=True)
        self._wants_logits[end - len(tokens) : end] = 1

    def wish(self, *, to_stop: bool) -> None:
        """Wish that a step which can be broken off is, or no longer; from any thread."""
        self._wish[0] = b"\1" if to_stop else b"\0"

    def compute(self, *, can_stop: bool = False) -> None:
        """Compute the batch.

        Raises: NoRoom, Stopped, or ComputeFailed when llama.cpp refuses it.
        """
        self._batch.n_tokens = self._count
        asks = self._has_wish if can_stop else llama.ggml_abort_callback()
        llama.llama_set_abort_callback(self._handle, asks, ctypes.addressof(self._wish))
        if self._picture is None:
            status = llama.llama_decode(self._handle, self._batch)
        else:
            status = self._decode_picture(self._picture)
        if status == NO_ROOM:
            raise NoRoom
        if status == STOPPED:
            raise Stopped
        if status != 0:
            raise ComputeFailed(f"llama_decode answered {status}: {take_last_error()}")

    def _decode_picture(self, rows: type_rows) -> int:
        floats = ctypes.POINTER(ctypes.c_float)
        batch = llama.llama_batch.from_buffer_copy(self._batch)
        batch.token, batch.embd = None, rows.ctypes.data_as(floats)
        if self._is_causal:
            return int(llama.llama_decode(self._handle, batch))
        llama.llama_set_causal_attn(self._handle, False)
        status = int(llama.llama_decode(self._handle, batch))
        llama.llama_set_causal_attn(self._handle, True)
        return status

    def logits(self, rows: int) -> type_rows:
        """The logits of the batch just computed, one row for each that was wanted, in order.

        The array is a view that is valid until the next `compute`.
        """
        pointer = llama.llama_get_logits(self._handle)
        address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
        if address != self._logits_address or rows > self._logits_rows:
            self._logits_address, self._logits_rows = address, rows
            self._logits = np.ctypeslib.as_array(pointer, shape=(rows, self._vocab_size))
        return self._logits[:rows]

    def transfer(self, source: int, place: int, count: int) -> None:
        """Make `place` hold the first `count` tokens of `source`, and nothing else.

        Between places llama.cpp copies whole buffers, at the beginning of the next `compute`.
        """
        if count and source != place:
            llama.llama_memory_seq_cp(self._memory, source, place, -1, -1)
        llama.llama_memory_seq_rm(self._memory, place, count or -1, -1)

    def forget(self, place: int) -> None:
        """Empty the cells of one place."""
        llama.llama_memory_seq_rm(self._memory, place, -1, -1)

    def close(self) -> None:
        """Free the KV cache."""
        if self._handle:
            llama.llama_free(self._handle)
            self._handle = None

    def _allocate_batch(self, size: int) -> None:
        # Our own arrays behind llama.cpp's struct, made once: a step writes slices, no elements.
        self._token = np.zeros(size, dtype=np.int32)
        self._position = np.zeros(size, dtype=np.int32)
        self._sequence = np.zeros(size, dtype=np.int32)
        self._wants_logits = np.zeros(size, dtype=np.int8)
        self._sequences_each = np.ones(size, dtype=np.int32)
        self._ascending = np.arange(max(size, self.slot_tokens), dtype=np.int32)
        # seq_id is an array of pointers, each to the one sequence its token belongs to.
        self._sequence_pointers = self._sequence.ctypes.data + np.arange(
            size, dtype=np.uint64
        ) * np.uint64(4)
        self._count = 0
        int32_p = ctypes.POINTER(ctypes.c_int32)
        self._batch = llama.llama_batch()
        self._batch.token = self._token.ctypes.data_as(int32_p)
        self._batch.pos = self._position.ctypes.data_as(int32_p)
        self._batch.n_seq_id = self._sequences_each.ctypes.data_as(int32_p)
        self._batch.seq_id = self._sequence_pointers.ctypes.data_as(ctypes.POINTER(int32_p))
        self._batch.logits = self._wants_logits.ctypes.data_as(ctypes.POINTER(ctypes.c_int8))


def _reserve(
    model: Model, places: int, slot_tokens: int, batch_tokens: int, *, threads: int, is_on_cpu: bool
) -> Any:
    params = llama.llama_context_default_params()
    padded = -(-slot_tokens // CONTEXT_GRAIN) * CONTEXT_GRAIN
    params.n_ctx = places * padded
    params.n_seq_max = places
    params.kv_unified = False
    params.n_batch = batch_tokens
    params.n_ubatch = min(LARGEST_UBATCH, batch_tokens)
    params.n_threads = threads
    params.n_threads_batch = threads
    params.no_perf = True
    heads = llama.llama_model_n_head(model.handle)
    scores_bytes = 4 * params.n_ubatch * padded * heads
    if is_on_cpu and scores_bytes <= LARGEST_SCORES_BYTES:
        # llama.cpp's flash attention for processors reads a long sequence at half the speed.
        params.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return llama.llama_init_from_model(model.handle, params)
