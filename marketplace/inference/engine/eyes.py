"""What a projector makes of pictures: rows of numbers that stand where tokens would."""

import ctypes
import importlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marketplace.inference.engine.context import Context
from marketplace.inference.engine.library import llama, on_log, take_last_error
from marketplace.inference.engine.model import Model, type_tokens
from marketplace.inference.pictures import pixels
from marketplace.inference.ports import BadGeneration, ModelUnavailable
from marketplace.inference.sequences import Chunk

# As `library.llama`: untyped pointers, typed by our classes.
mtmd: Any = importlib.import_module("llama_cpp.mtmd_cpp")

type_rows = npt.NDArray[np.float32]
PICTURE = 1  # MTMD_INPUT_CHUNK_TYPE_IMAGE
SERIALS = 2**31 - 2


class CannotSee(Exception):
    """The projector could not compute a picture."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A prompt with pictures in it.

    Args:
        tokens: negative where a picture's rows stand, and other ones in every prompt: nobody
            takes over what was computed of another's picture.
        pictures: the positions of each picture.
        chunks: the pictures in mtmd's own form, by their first position.
    """

    tokens: type_tokens
    pictures: tuple[range, ...]
    chunks: dict[int, Any]
    eyes: "Eyes"
    free: Callable[[], None]

    def show(self, picture: Chunk, context: Context) -> None:
        """Put a picture's rows into the batch, in the decoder's thread. Raises: CannotSee."""
        rows = self.eyes.see(self.chunks[picture.start], picture.count)
        context.show(rows, is_causal=self.eyes.is_causal)


class Eyes:
    """A projector beside its model. `read` may run in any thread, `see` in the decoder's alone."""

    def __init__(self, path: Path, model: Model, *, threads: int, on_gpu: bool) -> None:
        """Load a projector. Raises: ModelUnavailable when it does not belong to the model."""
        mtmd.mtmd_log_set(on_log, None)
        self._marker = f"<__picture_{secrets.token_hex(16)}__>"  # what nobody can write
        self._serials = count()
        self._width: int = llama.llama_model_n_embd_inp(model.handle)
        params = mtmd.mtmd_context_params_default()
        params.use_gpu, params.n_threads, params.warmup = on_gpu, threads, False
        params.print_timings, params.media_marker = False, self._marker.encode()
        self._handle: Any = mtmd.mtmd_init_from_file(str(path).encode(), model.handle, params)
        if not self._handle:
            raise ModelUnavailable(
                f"The projector {path.name} does not go with {model.path.name}: "
                f"{take_last_error() or 'no reason given'}. Add the model again with the "
                "projector that is published beside it."
            )
        if mtmd.mtmd_decode_use_mrope(self._handle) or not mtmd.mtmd_support_vision(self._handle):
            self.close()
            raise ModelUnavailable(
                f"{model.path.name} with {path.name} sees in a way that the engine cannot serve "
                "yet. Add a model whose pictures stand in one row with its text."
            )
        self.is_causal = not mtmd.mtmd_decode_use_non_causal(self._handle, None)

    @property
    def marker(self) -> str:
        """The text that stands for one picture in a prompt."""
        return self._marker

    def read(self, text: str, files: Sequence[bytes], most: int) -> Sight:
        """A prompt in which pictures stand where its markers are.

        Args:
            most: tokens that one picture may have.
        Raises: BadGeneration when a picture cannot be used.
        """
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            self._tokenise(chunks, text, [pixels(file) for file in files])
            return self._sight(chunks, most)
        except BaseException:
            mtmd.mtmd_input_chunks_free(chunks)
            raise

    def see(self, chunk: object, tokens: int) -> type_rows:
        """The rows of one picture, which are valid until the next call. Raises: CannotSee."""
        if mtmd.mtmd_encode_chunk(self._handle, chunk) != 0:
            raise CannotSee(take_last_error() or "the projector gives no reason")
        rows = mtmd.mtmd_get_output_embd(self._handle)
        return np.ctypeslib.as_array(rows, shape=(tokens, self._width))

    def close(self) -> None:
        """Free the projector."""
        if self._handle:
            mtmd.mtmd_free(self._handle)
            self._handle = None

    def _tokenise(self, chunks: object, text: str, pictures: list[Any]) -> None:
        bitmaps = (mtmd.mtmd_bitmap_p_ctypes * len(pictures))()
        try:
            for index, each in enumerate(pictures):
                height, width, _ = each.shape
                flat = np.ascontiguousarray(each)
                address = flat.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
                bitmaps[index] = mtmd.mtmd_bitmap_init(width, height, address)
            data = text.encode("utf-8", "replace")
            given = mtmd.mtmd_input_text(data, len(data), True, True)
            status = mtmd.mtmd_tokenize(
                self._handle, chunks, ctypes.byref(given), bitmaps, len(pictures)
            )
        finally:
            for bitmap in bitmaps:
                mtmd.mtmd_bitmap_free(bitmap)
        if status != 0:
            raise BadGeneration(
                "The model's chat template does not show its pictures. Send each of them with a "
                "message of the user.",
                rule="llm.images",
            )

    def _sight(self, chunks: Any, most: int) -> Sight:
        serial = -1 - next(self._serials) % SERIALS
        tokens: list[type_tokens] = []
        pictures, by_start, end = [], {}, 0
        for index in range(mtmd.mtmd_input_chunks_size(chunks)):
            chunk = mtmd.mtmd_input_chunks_get(chunks, index)
            size = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
            if mtmd.mtmd_input_chunk_get_type(chunk) == PICTURE:
                tokens.append(np.full(size, serial, dtype=np.int32))
                pictures.append(range(end, end + size))
                by_start[end] = chunk
            else:
                length = ctypes.c_size_t()
                text = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(length))
                tokens.append(np.ctypeslib.as_array(text, shape=(size,)).copy())
            end += size
        if not pictures or pictures[-1].stop == end:
            raise BadGeneration(
                "The model's chat template puts nothing behind the pictures. Send a text as well.",
                rule="llm.images",
            )
        if (longest := max(map(len, pictures))) > most:
            raise BadGeneration(
                f"A picture takes {longest} tokens, and the engine computes {most} of one at "
                "once. Send a smaller picture.",
                rule="llm.images",
            )
        return Sight(
            tokens=np.concatenate(tokens),
            pictures=tuple(pictures),
            chunks=by_start,
            eyes=self,
            free=lambda: mtmd.mtmd_input_chunks_free(chunks),
        )


def most_tokens(eyes: Eyes, context: Context) -> int:
    """How many tokens one picture may have: it is computed in one step.

    Where all of a picture is seen at once, llama.cpp wants it in one of its own batches.
    """
    return context.batch_tokens if eyes.is_causal else context.largest_ubatch
