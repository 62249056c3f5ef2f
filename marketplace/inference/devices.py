"""Which device computes, what is free there, and the sentence that says why."""

import os
from collections.abc import Sequence
from pathlib import Path

from marketplace.inference.placement import COMPUTE_MARGIN_BYTES, Placement, Room, Wish
from marketplace.inference.ports import Device

MEMINFO = Path("/proc/meminfo")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
PLAIN_BACKENDS = frozenset({"CPU", "BLAS", "RPC"})


def computing(devices: Sequence[Device]) -> tuple[Device, ...]:
    """The devices that llama.cpp gives layers to: graphics cards, else those in the processor."""
    for kind in ("gpu", "igpu"):
        if found := tuple(device for device in devices if device.kind == kind):
            return found
    return ()


def room(devices: Sequence[Device], *, meminfo: Path = MEMINFO) -> Room:
    """The memory that is free now."""
    return Room(
        ram_bytes=_free_main_bytes(devices, meminfo),
        gpu_bytes=tuple(device.memory_free_bytes for device in computing(devices)),
    )


def is_for_gpus(backends: Sequence[str]) -> bool:
    """Whether a llama.cpp with these backends was built for any GPU."""
    return not PLAIN_BACKENDS.issuperset(backends)


def why(
    devices: Sequence[Device],
    placement: Placement,
    *,
    layers: int,
    wish: Wish,
    backends: Sequence[str],
) -> str:
    """One or two sentences on where the model computes and for what reason.

    Args:
        layers: all layers the model has.
        backends: what the installed llama.cpp was built for.
    """
    gpus = computing(devices)
    names = ", ".join(device.description or device.name for device in gpus)
    free = as_memory(sum(device.memory_free_bytes for device in gpus))
    on_gpu = placement.gpu_layers
    if on_gpu == layers:
        return (
            f"All {layers} layers compute on {names}, in {as_memory(placement.gpu_bytes)} of the "
            f"{free} that were free."
        )
    if gpus and wish.gpu_layers != 0:
        split = f"{on_gpu} of {layers} layers compute on {names} and the rest on the CPU"
        what = split if on_gpu else f"All {layers} layers compute on the CPU"
        if on_gpu == wish.gpu_layers:
            return f"{what}, because the setting gpu_layers is {wish.gpu_layers}."
        if placement.was_refused:
            return f"{what}, because the driver refused memory for more."
        return (
            f"{what}, because {names} had {free} free, of which {as_memory(COMPUTE_MARGIN_BYTES)} "
            "is kept for computing. A smaller model or context, or fewer sequences, puts more "
            "of it there."
        )
    if gpus:
        return (
            "The model computes on the CPU because the setting gpu_layers is 0, "
            f"although {names} could be used."
        )
    if is_for_gpus(backends):
        built = ", ".join(name for name in backends if name not in PLAIN_BACKENDS)
        return (
            f"The model computes on the CPU because llama.cpp, built for {built}, found no GPU it "
            "can use; check that the driver is installed and that this user may open the device."
        )
    return "The model computes on the CPU: llama.cpp was built for the CPU alone."


def short_of_memory(placement: Placement, room: Room) -> str | None:
    """A sentence where main memory does not hold what is to lie in it, else None."""
    if placement.ram_bytes <= room.ram_bytes:
        return None
    return (
        f"The model needs {as_memory(placement.ram_bytes)} of main memory and "
        f"{as_memory(room.ram_bytes)} are free, so it is read from disk again and again. "
        "Choose a smaller model or context."
    )


def usable_cores(*, quota: Path = CPU_QUOTA) -> int:
    """Cores this process may use: those of its machine, of its mask, and of its container."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    if quota.exists():
        allowed, _, period = quota.read_text().partition(" ")
        if allowed.isdecimal():
            cores = min(cores, -(-int(allowed) // int(period)))
    return max(1, cores)


def as_memory(count: int) -> str:
    """Bytes as people write memory: `5.9 GiB`, or `4.5 MiB` below one GiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def _free_main_bytes(devices: Sequence[Device], meminfo: Path) -> int:
    if meminfo.exists():
        # ggml reports all memory of a Linux machine as free; the kernel knows better.
        for line in meminfo.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.split()[0]) * 1024
    return sum(device.memory_free_bytes for device in devices if device.kind == "cpu")
