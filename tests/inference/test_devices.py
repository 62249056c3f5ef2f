"""The sentence that says which device computes, and why."""

from pathlib import Path

import pytest

from marketplace.inference.devices import free_bytes, gibibytes, sequences_that_fit, why
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


@pytest.mark.parametrize(
    ("wanted", "free", "fitting"),
    [(8, 100, 8), (8, 10, 8), (8, 9, 4), (8, 4, 2), (8, 0, 1), (1, 0, 1)],
)
def test_as_many_sequences_are_kept_as_memory_holds(wanted: int, free: int, fitting: int) -> None:
    assert sequences_that_fit(wanted, sequence_bytes=1, free_bytes=free) == fitting


def test_free_memory_is_that_of_the_device_that_computes(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    missing = free_bytes((GPU, CPU), uses_gpu=False, meminfo=meminfo)
    assert missing == CPU.memory_free_bytes
    meminfo.write_text("MemTotal: 900 kB\nMemAvailable:   300 kB\n")
    assert free_bytes((GPU, CPU), uses_gpu=False, meminfo=meminfo) == 300 * 1024
    assert free_bytes((GPU, CPU), uses_gpu=True, meminfo=meminfo) == GPU.memory_free_bytes
    meminfo.write_text("")
    assert free_bytes((GPU, CPU), uses_gpu=False, meminfo=meminfo) == CPU.memory_free_bytes
