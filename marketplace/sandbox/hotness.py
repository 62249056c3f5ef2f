"""Which releases are worth having instances prepared ahead, and how many of each. Pure.

A release's heat is the number of its runs, each counting half as much every minute. It is hot
when its heat reaches `HOT`, and until it falls below `COLD`: so three runs in a row make a release
hot, and one that runs every half minute stays so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp2, log2

HALF_LIFE_S = 60.0
HOT = 2.5
COLD = 1.0
# Cooler ones are forgotten, and of more than so many the coolest.
FORGOTTEN = 0.05
MOST_KNOWN = 128
# What an instance is taken to need until one has been made.
USUAL_BYTES = 12 * 2**20


@dataclass(frozen=True)
class Room:
    """What may be prepared at any time."""

    instances: int
    memory_bytes: int


@dataclass
class _Known:
    heat: float
    at: float
    is_hot: bool = False
    is_unfit: bool = False
    memory_bytes: int = USUAL_BYTES

    def heat_at(self, now: float) -> float:
        return self.heat * exp2(min(0.0, self.at - now) / HALF_LIFE_S)


class Hotness:
    """Remembers how often releases run, and what is known of preparing them.

    Args of its methods: `now` in seconds of a clock that only goes forward.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._known: dict[str, _Known] = {}

    def ran(self, release: str, *, now: float) -> None:
        """Count one run."""
        found = self._known.setdefault(release, _Known(0.0, now))
        found.heat, found.at = found.heat_at(now) + 1.0, now
        found.is_hot = found.is_hot or found.heat >= HOT
        if len(self._known) > MOST_KNOWN:
            others = (each for each in self._known if each != release)
            del self._known[min(others, key=lambda each: self._known[each].heat_at(now))]

    def measured(self, release: str, memory_bytes: int) -> None:
        """Learn what one prepared instance takes."""
        if release in self._known:
            self._known[release].memory_bytes = memory_bytes

    def bar(self, release: str) -> None:
        """It cannot be prepared; forgotten with the release, when it has become cold."""
        if release in self._known:
            self._known[release].is_unfit = True

    def wanted(self, *, now: float) -> dict[str, int]:
        """How many instances of which release should be ready."""
        heats = {}
        for release, found in list(self._known.items()):
            heat = found.heat_at(now)
            found.is_hot = found.is_hot and heat >= COLD
            if heat < FORGOTTEN:
                del self._known[release]
            elif found.is_hot and not found.is_unfit:
                heats[release] = heat
        return divided(heats, {each: self._known[each].memory_bytes for each in heats}, self._room)


def divided(
    heats: Mapping[str, float], memory_bytes: Mapping[str, int], room: Room
) -> dict[str, int]:
    """Divide the room by D'Hondt's method, each release voting with the logarithm of its heat.

    So what runs more never has fewer, unless it is too large, and twice the runs are one vote
    more: a run here or there does not have an instance thrown away and another one made.
    Example: heats of 100, 9 and 3 have 7, 4 and 2 votes, and of six instances 3, 2 and 1.
    """
    votes = {release: 1 + int(log2(max(1.0, heat))) for release, heat in heats.items()}
    given = dict.fromkeys(votes, 0)
    left = room.memory_bytes
    for _ in range(room.instances):
        fitting = [each for each in votes if memory_bytes[each] <= left]
        if not fitting:
            break
        chosen = min(fitting, key=lambda each: _claim(votes[each], given[each], heats[each], each))
        given[chosen] += 1
        left -= memory_bytes[chosen]
    return {release: count for release, count in given.items() if count}


def _claim(votes: int, given: int, heat: float, release: str) -> tuple[float, float, str]:
    return (-votes / (given + 1), -heat, release)


def surplus(have: Iterable[str], wanted: Mapping[str, int]) -> list[int]:
    """The places in `have` of the instances that nobody wants any more."""
    seen: dict[str, int] = {}
    found = []
    for place, release in enumerate(have):
        seen[release] = seen.get(release, 0) + 1
        if seen[release] > wanted.get(release, 0):
            found.append(place)
    return found
