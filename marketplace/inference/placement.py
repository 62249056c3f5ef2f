"""Which layers of a model compute where: as many on accelerators as their free memory holds.

Pure arithmetic on the sizes in a model's file. llama.cpp counts layers from the end: the first
one given to a GPU is the output, then come the blocks from the last to the first. The tokens'
embeddings always stay in main memory.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from marketplace.inference.ports import ModelUnavailable

log = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")

COMPUTE_MARGIN_BYTES = 2**30  # of each GPU: buffers of a step, and what other programs need
MEMORY_SHARE = 0.8  # of the free main memory; the rest is for computing and for other programs
LEAST_SEQUENCES = 4  # below this, layers leave the GPU rather than sequences


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """What the parts of a model take in memory.

    Args:
        input_bytes: what turns tokens into numbers.
        output_bytes: what turns the last block's numbers into tokens.
        block_bytes: the weights of each block, first to last.
        kv_bytes: keys and values of one token in each block, at 16 bits a number.
    """

    input_bytes: int
    output_bytes: int
    block_bytes: tuple[int, ...]
    kv_bytes: tuple[int, ...]

    @property
    def layers(self) -> int:
        """All layers there are to place: the blocks and the output."""
        return len(self.block_bytes) + 1

    @property
    def weight_bytes(self) -> int:
        """All weights together."""
        return self.input_bytes + self.output_bytes + sum(self.block_bytes)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a model.

    Args:
        gpu_layers: the most layers on GPUs; -1 as many as there is room for.
        sequences: how many are computed together.
        sequence_tokens: tokens each of them may hold.
    """

    gpu_layers: int
    sequences: int
    sequence_tokens: int


@dataclass(frozen=True, slots=True)
class Room:
    """The memory that is free: main memory, and that of each device layers may go to."""

    ram_bytes: int
    gpu_bytes: tuple[int, ...] = ()

    @property
    def gpu_usable_bytes(self) -> int:
        """What layers may take on all GPUs together."""
        return sum(max(0, free - COMPUTE_MARGIN_BYTES) for free in self.gpu_bytes)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model goes.

    Args:
        gpu_layers: layers on GPUs, as llama.cpp counts them.
        sequences: how many sequences have a cache; at most as many as were wished for.
        gpu_bytes: weights and cache on GPUs.
        ram_bytes: weights and cache in main memory.
        was_refused: a driver did not give the memory that more layers would have taken.
    """

    gpu_layers: int
    sequences: int
    gpu_bytes: int
    ram_bytes: int
    was_refused: bool = False


def place(sizes: ModelSizes, wish: Wish, room: Room) -> Placement:
    """Put as many layers as fit on the GPUs.

    Where not all fit, sequences are halved first, down to LEAST_SEQUENCES: a layer on the CPU slows
    every answer. After that layers stay in main memory; if that is short too, sequences are
    halved down to one. With 10 equal layers of 1 GiB, no cache and 8 GiB free on a GPU,
    7 layers go there: one GiB is the margin.
    """
    most = _most_layers(sizes, wish, room)
    least = min(LEAST_SEQUENCES, wish.sequences)
    sequences = next(
        (
            count
            for count in _halves(wish.sequences, least)
            if _fitting(sizes, wish, room, most, count) == most
        ),
        least,
    )
    layers = _fitting(sizes, wish, room, most, sequences)
    ram_bytes = MEMORY_SHARE * room.ram_bytes
    sequences = next(
        (
            count
            for count in _halves(sequences, 1)
            if _split(sizes, wish, layers, count).ram_bytes <= ram_bytes
        ),
        1,
    )
    # Sequences given up for main memory may leave room for more layers on the GPU.
    layers = _fitting(sizes, wish, room, most, sequences)
    return _split(sizes, wish, layers, sequences)


def load(
    placement: Placement, sizes: ModelSizes, wish: Wish, attempt: Callable[[Placement], Loaded]
) -> tuple[Placement, Loaded]:
    """Try a placement, and after each refusal one with an eighth fewer layers on the GPUs.

    Raises: ModelUnavailable, as the last attempt did, with no layers on a GPU.
    """
    while True:
        try:
            return placement, attempt(placement)
        except ModelUnavailable as refusal:
            if placement.gpu_layers == 0:
                raise
            log.warning("With %d layers on the GPU: %s", placement.gpu_layers, refusal.message)
            layers = placement.gpu_layers - max(1, placement.gpu_layers // 8)
            fewer = _split(sizes, wish, layers, placement.sequences)
            placement = replace(fewer, was_refused=True)


def _most_layers(sizes: ModelSizes, wish: Wish, room: Room) -> int:
    if not room.gpu_bytes:
        return 0
    return sizes.layers if wish.gpu_layers < 0 else min(wish.gpu_layers, sizes.layers)


def _fitting(sizes: ModelSizes, wish: Wish, room: Room, most: int, sequences: int) -> int:
    usable = room.gpu_usable_bytes
    layers = most
    while layers and _split(sizes, wish, layers, sequences).gpu_bytes > usable:
        layers -= 1
    return layers


def _split(sizes: ModelSizes, wish: Wish, layers: int, sequences: int) -> Placement:
    """The bytes on either side when the output and the last `layers - 1` blocks are on GPUs."""
    first = len(sizes.block_bytes) - max(0, layers - 1)
    tokens = sequences * wish.sequence_tokens
    blocks = [
        weights + tokens * kv for weights, kv in zip(sizes.block_bytes, sizes.kv_bytes, strict=True)
    ]
    output_on_gpu = sizes.output_bytes if layers else 0
    return Placement(
        gpu_layers=layers,
        sequences=sequences,
        gpu_bytes=output_on_gpu + sum(blocks[first:]),
        ram_bytes=sizes.input_bytes + sizes.output_bytes - output_on_gpu + sum(blocks[:first]),
    )


def _halves(start: int, least: int) -> Iterator[int]:
    while start > least:
        yield start
        start //= 2
    yield max(start, least)
