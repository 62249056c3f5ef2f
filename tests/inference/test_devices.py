"""The sentence that says which device computes, and why."""

import pytest

from marketplace.inference.devices import gibibytes, why
from marketplace.inference.ports import Device

CPU = Device("CPU", "AMD EPYC", "cpu", 2**30, 2**34)
GPU = Device("CUDA0", "NVIDIA H200", "gpu", 2**36, 2**37)


@pytest.mark.parametrize(
    ("devices", "gpu_layers", "supports_gpu", "sentence"),
    [
        ((GPU, CPU), -1, True, "computes on NVIDIA H200 (all layers)."),
        ((GPU, CPU), 12, True, "computes on NVIDIA H200 (12 layers)."),
        ((GPU, CPU), 0, True, "gpu_layers is 0, although NVIDIA H200 could be used."),
        ((CPU,), -1, True, "found no GPU it can use"),
        ((CPU,), -1, False, "built for the CPU alone; install it with CMAKE_ARGS=-DGGML_CUDA=on"),
    ],
)
def test_the_sentence_fits_what_was_found(
    devices: tuple[Device, ...], gpu_layers: int, *, supports_gpu: bool, sentence: str
) -> None:
    assert sentence in why(devices, gpu_layers=gpu_layers, supports_gpu=supports_gpu)


def test_memory_is_written_as_people_write_it() -> None:
    assert gibibytes(3 * 2**29) == "1.5 GiB"
