"""Which device computes, and the sentence that says why."""

from collections.abc import Sequence

from marketplace.inference.ports import Device

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


def gibibytes(count: int) -> str:
    """Bytes as people write memory: `5.9 GiB`."""
    return f"{count / 2**30:.1f} GiB"
