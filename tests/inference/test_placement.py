"""Layers go where there is memory for them, and never where there is none."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.placement import (
    COMPUTE_MARGIN_BYTES,
    ModelSizes,
    Placement,
    Room,
    Wish,
    load,
    place,
)
from marketplace.inference.ports import ModelUnavailable

MIB, GIB = 2**20, 2**30
TEN = ModelSizes(0, GIB, (GIB,) * 9, (0,) * 9)

BLOCKS = st.lists(st.tuples(st.integers(0, 900 * MIB), st.integers(0, 64_000)), max_size=48)
SIZES = st.builds(
    lambda blocks, entry, output: ModelSizes(
        entry, output, tuple(b for b, _ in blocks), tuple(kv for _, kv in blocks)
    ),
    BLOCKS,
    st.integers(0, 2 * GIB),
    st.integers(1, 2 * GIB),
)
WISHES = st.builds(Wish, st.integers(-1, 60), st.integers(1, 64), st.integers(1, 32_768))
ROOMS = st.builds(
    Room,
    st.integers(0, 64 * GIB),
    st.lists(st.integers(0, 48 * GIB), max_size=3).map(tuple),
)


def test_a_model_that_fits_goes_to_the_gpu_whole() -> None:
    found = place(TEN, Wish(-1, 8, 4096), Room(64 * GIB, (11 * GIB,)))
    assert found == Placement(gpu_layers=10, sequences=8, gpu_bytes=10 * GIB, ram_bytes=0)


def test_as_many_layers_as_fit_beside_the_margin_go_to_the_gpu() -> None:
    found = place(TEN, Wish(-1, 4, 4096), Room(64 * GIB, (8 * GIB,)))
    assert found == Placement(gpu_layers=7, sequences=4, gpu_bytes=7 * GIB, ram_bytes=3 * GIB)


def test_sequences_are_given_up_before_layers_but_not_below_four() -> None:
    sizes = replace(TEN, kv_bytes=(GIB // 9 // 4096,) * 9)  # one sequence takes 1 GiB
    wish = Wish(-1, 16, 4096)
    whole = place(sizes, wish, Room(64 * GIB, (15 * GIB,)))
    assert (whole.gpu_layers, whole.sequences) == (10, 4)
    partly = place(sizes, wish, Room(64 * GIB, (10 * GIB,)))
    assert (partly.gpu_layers, partly.sequences) == (6, 4)


def test_the_memory_of_several_gpus_counts_together() -> None:
    wish = Wish(-1, 1, 1)
    assert place(TEN, wish, Room(64 * GIB, (6 * GIB, 6 * GIB))).gpu_layers == 10
    assert place(TEN, wish, Room(64 * GIB, (6 * GIB, GIB // 2))).gpu_layers == 5


def test_without_a_gpu_sequences_are_halved_until_main_memory_holds_them() -> None:
    sizes = ModelSizes(0, GIB, (GIB,), (GIB // 4096,))  # one sequence takes 1 GiB
    assert place(sizes, Wish(-1, 8, 4096), Room(13 * GIB)).sequences == 8
    assert place(sizes, Wish(-1, 8, 4096), Room(12 * GIB)).sequences == 4
    assert place(sizes, Wish(-1, 8, 4096), Room(GIB)).sequences == 1


def test_after_each_refusal_fewer_layers_are_tried() -> None:
    wish = Wish(-1, 4, 1)
    tried: list[int] = []

    def attempt(placement: Placement) -> str:
        tried.append(placement.gpu_layers)
        assert placement.gpu_bytes + placement.ram_bytes == TEN.weight_bytes
        if placement.gpu_layers > 7:
            raise ModelUnavailable("out of memory")
        return "loaded"

    first = place(TEN, wish, Room(64 * GIB, (64 * GIB,)))
    placement, loaded = load(first, TEN, wish, attempt)
    assert (tried, loaded) == ([10, 9, 8, 7], "loaded")
    assert (placement.gpu_layers, placement.was_refused) == (7, True)


def test_a_model_that_no_memory_takes_is_told_after_the_last_attempt() -> None:
    wish = Wish(-1, 4, 1)
    tried: list[int] = []

    def refuse(placement: Placement) -> None:
        tried.append(placement.gpu_layers)
        raise ModelUnavailable(f"refused {placement.gpu_layers}")

    with pytest.raises(ModelUnavailable, match="refused 0"):
        load(place(TEN, wish, Room(64 * GIB, (64 * GIB,))), TEN, wish, refuse)
    assert tried == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.fuzz
@given(sizes=SIZES, wish=WISHES, room=ROOMS)
def test_nothing_is_put_where_it_does_not_fit_and_nothing_is_lost(
    sizes: ModelSizes, wish: Wish, room: Room
) -> None:
    found = place(sizes, wish, room)
    usable = sum(max(0, free - COMPUTE_MARGIN_BYTES) for free in room.gpu_bytes)
    most = sizes.layers if wish.gpu_layers < 0 else wish.gpu_layers
    assert 0 <= found.gpu_layers <= min(most, sizes.layers)
    assert found.gpu_bytes <= usable
    assert 1 <= found.sequences <= wish.sequences
    cache = found.sequences * wish.sequence_tokens * sum(sizes.kv_bytes)
    assert found.gpu_bytes + found.ram_bytes == sizes.weight_bytes + cache


@pytest.mark.fuzz
@given(sizes=SIZES, wish=WISHES, room=ROOMS)
def test_one_layer_more_would_not_have_fitted(sizes: ModelSizes, wish: Wish, room: Room) -> None:
    found = place(sizes, wish, room)
    most = sizes.layers if wish.gpu_layers < 0 else min(wish.gpu_layers, sizes.layers)
    if room.gpu_bytes and found.gpu_layers < most:
        tokens = found.sequences * wish.sequence_tokens
        if found.gpu_layers == 0:
            more = sizes.output_bytes
        else:
            next_block = len(sizes.block_bytes) - found.gpu_layers
            more = sizes.block_bytes[next_block] + tokens * sizes.kv_bytes[next_block]
        assert found.gpu_bytes + more > room.gpu_usable_bytes


@pytest.mark.fuzz
@given(sizes=SIZES, wish=WISHES, room=ROOMS, extra=st.integers(0, 16 * GIB))
def test_more_memory_on_the_gpu_never_means_fewer_layers_there(
    sizes: ModelSizes, wish: Wish, room: Room, extra: int
) -> None:
    if room.gpu_bytes:
        larger = Room(room.ram_bytes, (room.gpu_bytes[0] + extra, *room.gpu_bytes[1:]))
        assert place(sizes, wish, larger).gpu_layers >= place(sizes, wish, room).gpu_layers
