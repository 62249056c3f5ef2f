"""The instances that every runner is born with."""

from pathlib import Path

from marketplace.sandbox import components
from marketplace.sandbox.runtime import Runtime, engine

# The instance is made before the job is known; the job's own limit takes its place.
WIDEST_MEMORY_BYTES = 2**30
# Each takes what its code has, up to some 40 MB; one that is not here is loaded in some 30 ms.
MOST_COMPONENTS = 8


class Nursery:
    """Python's instance under the empty key, and those of the components in use."""

    def __init__(self, python: Path) -> None:
        self._engine = engine()
        ready = Runtime.of_python(self._engine, python, memory_bytes=WIDEST_MEMORY_BYTES)
        self.runtimes: dict[str, Runtime] = {"": ready}

    def has(self, key: str) -> bool:
        """Whether runs of this component can begin."""
        if key and key in self.runtimes:
            # The last is the one used most lately.
            self.runtimes[key] = self.runtimes.pop(key)
        return key in self.runtimes

    def load(self, key: str, descriptor: int) -> None:
        """Take a component in, from a file whose digest the store's end has checked.

        Raises: wasmtime's error where the file is not of this machine's compiler.
        Effects: the component that was used longest ago may go.
        """
        ready = Runtime.of_stranger(
            self._engine, components.read(descriptor), memory_bytes=WIDEST_MEMORY_BYTES
        )
        self.runtimes[key] = ready
        if len(self.runtimes) > 1 + MOST_COMPONENTS:
            oldest = next(key for key in self.runtimes if key)
            del self.runtimes[oldest]
