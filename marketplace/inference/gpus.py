"""GPUs that this machine has, whether or not llama.cpp was built to use them.

Reads what the kernel shows of the hardware, so it needs no driver and nothing installed:
`python -m marketplace.inference.gpus` prints what to do about a GPU that lies idle.
"""

import platform
from dataclasses import dataclass
from pathlib import Path

PCI_MAKERS = {"0x10de": ("NVIDIA", "cuda"), "0x1002": ("AMD", "hip"), "0x8086": ("Intel", "vulkan")}


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of this machine, and the value of GPU= that builds llama.cpp for it."""

    maker: str
    flag: str

    @property
    def advice(self) -> str:
        """What to do so that it computes."""
        also = "" if self.flag in {"metal", "vulkan"} else " (or GPU=vulkan)"
        return f"stop the store and start it with `make run GPU={self.flag}`{also}"


def in_this_machine(
    root: Path = Path("/"), *, system: str = platform.system(), machine: str = platform.machine()
) -> Gpu | None:
    """The GPU that is best worth building for, or None."""
    if (system, machine) == ("Darwin", "arm64"):
        return Gpu("Apple", "metal")
    if any((root / "dev").glob("nvidia[0-9]*")) or (root / "proc/driver/nvidia").exists():
        return Gpu("NVIDIA", "cuda")
    vendors = set()
    for file in (root / "sys/class/drm").glob("card*/device/vendor"):
        vendors.add(file.read_text().strip())
    found = [Gpu(*names) for vendor, names in PCI_MAKERS.items() if vendor in vendors]
    return found[0] if found else None


def idle(gpu: Gpu | None) -> str | None:
    """The sentence about a GPU that a build for the CPU leaves idle."""
    if gpu is None:
        return None
    return (
        f"This machine has a GPU by {gpu.maker}, but the installed llama.cpp was built for the "
        f"CPU alone, which is many times slower: {gpu.advice}."
    )


if __name__ == "__main__" and (sentence := idle(in_this_machine())):
    print(sentence)  # noqa: T201
