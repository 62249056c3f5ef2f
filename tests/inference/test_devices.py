"""The sentences that say which device computes, and why; and the memory that is free there."""

from pathlib import Path

import pytest

from marketplace.inference import devices
from marketplace.inference.devices import as_memory, computing, room, short_of_memory, usable_cores
from marketplace.inference.placement import Placement, Room, Wish
from marketplace.inference.ports import Device

CPU = Device("CPU", "AMD EPYC", "cpu", 2**30, 2**34)
GPU = Device("CUDA0", "NVIDIA H200", "gpu", 2**36, 2**37)
IN_PROCESSOR = Device("Vulkan0", "Intel UHD", "igpu", 2**33, 2**33)
BLAS = Device("BLAS", "OpenBLAS", "accel", 0, 0)
CUDA, PLAIN = ("CUDA", "CPU"), ("CPU", "BLAS")


@pytest.mark.parametrize(
    ("found", "placed", "wanted", "backends", "sentence"),
    [
        ((GPU, CPU), 33, -1, CUDA, "All 33 layers compute on NVIDIA H200, in 5.0 GiB of the 64.0"),
        (
            (GPU, CPU),
            12,
            12,
            CUDA,
            "12 of 33 layers compute on NVIDIA H200 and the rest on the CPU",
        ),
        ((GPU, CPU), 12, 12, CUDA, "because the setting gpu_layers is 12."),
        ((GPU, CPU), 12, -1, CUDA, "because NVIDIA H200 had 64.0 GiB free, of which 1.0 GiB"),
        ((GPU, CPU), 0, -1, CUDA, "All 33 layers compute on the CPU, because NVIDIA H200 had"),
        ((GPU, CPU), 0, 0, CUDA, "gpu_layers is 0, although NVIDIA H200 could be used."),
        ((CPU,), 0, -1, CUDA, "because llama.cpp, built for CUDA, found no GPU it can use"),
        ((CPU, BLAS), 0, -1, PLAIN, "llama.cpp was built for the CPU alone."),
    ],
)
def test_the_sentence_fits_what_was_found(
    found: tuple[Device, ...], placed: int, wanted: int, backends: tuple[str, ...], sentence: str
) -> None:
    placement = Placement(placed, 8, gpu_bytes=5 * 2**30, ram_bytes=0)
    reason = devices.why(found, placement, layers=33, wish=Wish(wanted, 8, 4096), backends=backends)
    assert sentence in reason
    assert reason.endswith(".")


def test_a_driver_that_refused_is_named_as_the_reason() -> None:
    placement = Placement(20, 8, gpu_bytes=1, ram_bytes=0, was_refused=True)
    reason = devices.why((GPU, CPU), placement, layers=33, wish=Wish(-1, 8, 4096), backends=CUDA)
    assert reason.endswith("because the driver refused memory for more.")


def test_layers_go_to_cards_and_only_without_one_to_the_processors_own() -> None:
    assert computing((CPU, IN_PROCESSOR, GPU, BLAS)) == (GPU,)
    assert computing((CPU, IN_PROCESSOR)) == (IN_PROCESSOR,)
    assert computing((CPU, BLAS)) == ()


def test_too_little_main_memory_is_told() -> None:
    placement = Placement(0, 1, gpu_bytes=0, ram_bytes=9 * 2**30)
    assert short_of_memory(placement, Room(9 * 2**30)) is None
    sentence = short_of_memory(placement, Room(8 * 2**30)) or ""
    assert "needs 9.0 GiB of main memory and 8.0 GiB are free" in sentence


def test_memory_is_written_as_people_write_it() -> None:
    assert as_memory(3 * 2**29) == "1.5 GiB"


def test_the_kernel_knows_what_is_free_in_main_memory(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    assert room((GPU, CPU), meminfo=meminfo) == Room(2**30, (2**36,))
    meminfo.write_text("MemTotal: 900 kB\nMemAvailable:   300 kB\n")
    assert room((GPU, CPU), meminfo=meminfo) == Room(300 * 1024, (2**36,))
    meminfo.write_text("")
    assert room((CPU,), meminfo=meminfo) == Room(2**30)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", None), ("50000 100000", 1), ("150000 100000", 2)]
)
def test_a_container_may_use_fewer_cores_than_its_machine_has(
    tmp_path: Path, quota: str, cores: int | None
) -> None:
    file = tmp_path / "cpu.max"
    machine = usable_cores(quota=file)
    file.write_text(f"{quota}\n")
    assert usable_cores(quota=file) == min(machine, cores or machine)
    assert machine >= 1
