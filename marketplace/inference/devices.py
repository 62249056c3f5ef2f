"""Which device computes, and the sentence that says why."""

from collections.abc import Sequence
from pathlib import Path

from marketplace.inference.ports import Device

MEMORY_SHARE = 0.8  # of the free memory; the rest is for computing and for other programs
MEMINFO = Path("/proc/meminfo")
ACCELERATORS = frozenset({"gpu", "igpu", "accel"})


def why(devices: Sequence[Device], *, gpu_layers: int, supports_gpu: bool) -> str:
    """One sentence on where the model computes and for what reason.

    Args:
        gpu_layers: the setting: -1 as many as possible, 0 none.
        supports_gpu: whether the installed llama.cpp was built with a GPU backend.
    """
    gpus = [device for device in devices if device.kind in ACCELERATORS]
    if gpus and gpu_layers != 0:
        names = ", ".join(device.description or device.name for device in gpus)
        share = "all layers" if gpu_layers < 0 else f"{gpu_layers} layers"
        return f"The model computes on {names} ({share})."
    if gpus:
        names = ", ".join(device.description or device.name for device in gpus)
        return (
            f"The model computes on the CPU because the setting gpu_layers is 0, "
            f"although {names} could be used."
        )
    if supports_gpu:
        return (
            "The model computes on the CPU because llama.cpp found no GPU it can use; "
            "check that the driver is installed and that this user may open the device."
        )
    return (
        "The model computes on the CPU because the installed llama-cpp-python was built for the "
        "CPU alone; install it with CMAKE_ARGS=-DGGML_CUDA=on (NVIDIA), -DGGML_METAL=on (Apple) "
        "or -DGGML_VULKAN=on (others) to use a GPU."
    )


def sequences_that_fit(wanted: int, *, sequence_bytes: int, free_bytes: int) -> int:
    """How many sequences' caches fit into free memory: as many as wanted, or halves of that.

    With 8 wanted, 1 GiB a sequence and 4 GiB free: 0.8 * 4 holds 3, so 2.
    """
    fitting = max(1, wanted)
    while fitting > 1 and fitting * sequence_bytes > MEMORY_SHARE * free_bytes:
        fitting //= 2
    return fitting


def free_bytes(devices: Sequence[Device], *, uses_gpu: bool, meminfo: Path = MEMINFO) -> int:
    """The memory that is free where the cache will lie."""
    kinds = ACCELERATORS if uses_gpu else {"cpu"}
    free = sum(device.memory_free_bytes for device in devices if device.kind in kinds)
    if uses_gpu or not meminfo.exists():
        return free
    # ggml reports all memory of a Linux machine as free; the kernel knows better.
    for line in meminfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return free


def gibibytes(count: int) -> str:
    """Bytes as people write memory: `5.9 GiB`."""
    return f"{count / 2**30:.1f} GiB"
