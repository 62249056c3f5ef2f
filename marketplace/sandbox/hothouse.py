"""The instances that are prepared ahead: of which releases, from what code, and who gets one."""

import os
import struct
from dataclasses import dataclass

from marketplace.sandbox.hotness import Hotness, Room, surplus
from marketplace.sandbox.peers import Runner

# A release with more code is not worth being read before it is wanted.
MOST_CODE_BYTES = 4 * 2**20
# How long importing may take. What needs longer is imported when its run comes.
PREPARE_S = 5.0
# Releases become cold by nothing but time: this is how often one looks.
LOOK_EVERY_S = 10.0
# What a runner says when it has imported its release: whether it is fit to be used, and the KiB
# of memory it took.
NEWS = struct.Struct("!?I")


@dataclass(frozen=True)
class Seed:
    """What instances of one release are made of.

    Args:
        descriptor: of a file with its code; a runner that is none of this release has it not.
        memory_bytes: what its runs may use.
    """

    release: str
    entry: str
    memory_bytes: int
    descriptor: int
    code_bytes: int

    def read(self) -> bytes:
        """The code; processes that share the descriptor do not disturb each other."""
        return os.pread(self.descriptor, self.code_bytes, 0)


class Hothouse:
    """Keeps runners that have imported a hot release, each for one run. `now` as in `Hotness`."""

    def __init__(self, room: Room) -> None:
        self._hotness = Hotness(room)
        self._seeds: dict[str, Seed] = {}
        self._growing: Runner | None = None
        self._ready: list[Runner] = []
        self._look_at = 0.0

    @property
    def count(self) -> int:
        """How many are ready."""
        return len(self._ready)

    @property
    def runners(self) -> list[Runner]:
        """Those that are ready, and the one that is being prepared."""
        return [*self._ready, *([self._growing] if self._growing else [])]

    def has(self, release: str) -> bool:
        """Whether an instance of the release is ready."""
        return any(each.release == release for each in self._ready)

    def take(self, release: str) -> Runner:
        """The one that has been ready longest, now its taker's. It must be there: see `has`."""
        found = next(each for each in self._ready if each.release == release)
        self._ready.remove(found)
        return found

    def ran(self, release: str, *, now: float) -> bool:
        """Count a run. Returns: whether the release's code is wanted."""
        self._hotness.ran(release, now=now)
        self._look_at = now
        return release in self._hotness.wanted(now=now) and release not in self._seeds

    def sow(self, seed: Seed) -> None:
        """Take the code of a release in; where it is there or too much, its file is closed."""
        is_small = 0 < seed.code_bytes <= MOST_CODE_BYTES
        if not is_small:
            self._hotness.bar(seed.release)
        if is_small and seed.release not in self._seeds:
            self._seeds[seed.release] = seed
        else:
            os.close(seed.descriptor)

    def tend(self, *, now: float) -> tuple[Seed | None, list[Runner]]:
        """What to prepare next, if anything, and which runners nobody wants: end them."""
        if now < self._look_at:
            return None, []
        self._look_at = now + LOOK_EVERY_S
        wanted = self._hotness.wanted(now=now)
        for release in self._seeds.keys() - wanted.keys():
            os.close(self._seeds.pop(release).descriptor)
        ready = [each.release for each in self._ready]
        cold = [self._ready[place] for place in surplus(ready, wanted)]
        self._ready = [each for each in self._ready if each not in cold]
        if self._growing:
            return None, cold
        missing = [each for each in self._seeds if ready.count(each) < wanted[each]]
        fewest = min(missing, key=ready.count, default=None)
        return (self._seeds[fewest] if fewest else None), cold

    def plant(self, runner: Runner, *, now: float) -> None:
        """This runner imports its release now."""
        runner.deadline = now + PREPARE_S
        self._growing = runner

    def heard(self, runner: Runner, news: bytes) -> bool:
        """What a runner says of itself. Returns: whether it may live on."""
        if runner is not self._growing or len(news) != NEWS.size:
            return False
        is_fit, kib = NEWS.unpack(news)
        self._growing, self._look_at = None, 0.0
        self._hotness.measured(runner.release, kib * 1024)
        if is_fit:
            runner.deadline = 0.0
            self._ready.append(runner)
        else:
            self._hotness.bar(runner.release)
        return bool(is_fit)

    def lost(self, runner: Runner) -> None:
        """A runner is dead. Of a release whose instances die by themselves no more are made."""
        if runner is self._growing:
            self._growing = None
        elif runner in self._ready:
            self._ready.remove(runner)
        else:
            return
        self._hotness.bar(runner.release)
