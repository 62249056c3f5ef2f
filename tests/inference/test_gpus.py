"""A GPU is found by what the kernel shows of it, with no driver asked."""

from pathlib import Path

import pytest

from marketplace.inference.gpus import Gpu, idle, in_this_machine


def card(root: Path, number: int, vendor: str) -> None:
    device = root / f"sys/class/drm/card{number}/device"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")


def look(root: Path, system: str = "Linux", machine: str = "x86_64") -> Gpu | None:
    return in_this_machine(root, system=system, machine=machine)


def test_a_machine_without_a_gpu_has_none(tmp_path: Path) -> None:
    card(tmp_path, 0, "0x1a03")  # the little display adapter of a server's board
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()
    assert look(tmp_path) is None
    assert idle(None) is None


@pytest.mark.parametrize(
    ("vendor", "maker", "flag"),
    [("0x10de", "NVIDIA", "cuda"), ("0x1002", "AMD", "hip"), ("0x8086", "Intel", "vulkan")],
)
def test_a_card_is_known_by_its_maker(tmp_path: Path, vendor: str, maker: str, flag: str) -> None:
    card(tmp_path, 0, "0x1a03")
    card(tmp_path, 1, vendor)
    assert look(tmp_path) == Gpu(maker, flag)


def test_a_real_card_goes_before_the_one_in_the_processor(tmp_path: Path) -> None:
    card(tmp_path, 0, "0x8086")
    card(tmp_path, 1, "0x10de")
    assert look(tmp_path) == Gpu("NVIDIA", "cuda")


def test_an_nvidia_card_is_seen_by_its_device_file_too(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    assert look(tmp_path) == Gpu("NVIDIA", "cuda")


def test_an_apple_processor_has_one_and_an_old_mac_is_looked_at(tmp_path: Path) -> None:
    assert look(tmp_path, "Darwin", "arm64") == Gpu("Apple", "metal")
    assert look(tmp_path, "Darwin", "x86_64") is None


def test_the_sentence_says_which_command_builds_for_it() -> None:
    assert "`make run GPU=cuda` (or GPU=vulkan)." in (idle(Gpu("NVIDIA", "cuda")) or "")
    assert "`make run GPU=metal`." in (idle(Gpu("Apple", "metal")) or "")
