"""The places of the KV cache: who computes in which, and what idle ones are kept for. Pure.

The first `running` places compute, the `kept` ones after them hold the system prompts of
releases. llama.cpp computes sequences together only while their numbers follow each other, and
reads all weights anew for every gap, so the places in use are kept next to each other.
"""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from marketplace.inference.prefixes import Content, Match, common_length, longest


@dataclass(frozen=True, slots=True)
class Transfer:
    """Before a step, `place` must hold the first `count` tokens of `source` and no more."""

    source: int
    place: int
    count: int


def share_out(places: int, *, slots: int, guests: int, kept: int) -> tuple[int, int, int]:
    """Slots, guests and kept places, as wanted or out of what fits into memory; slots come first.

    Of 6 places where 8, 1 and 4 were wanted there are 3, 1 and 2; of 2, both are slots.
    """
    if places < slots + guests + kept:
        kept = min(kept, places // 3)
        guests = min(guests, (places - kept) // 4)
        slots = min(slots, places - kept - guests)
    return slots, guests, kept


class Ledger:
    """Books every place to at most one content, and every live content to one place.

    Args:
        least: fewest tokens that are worth a copy; a copy moves the whole place.
    """

    def __init__(self, *, running: int, kept: int, least: int) -> None:
        self._running = running
        self._kept = range(running, running + kept)
        self._least = least
        self._contents: list[Content | None] = [None] * (running + kept)
        self._live: dict[int, Content] = {}
        self._spaces: dict[Hashable, dict[int, Content]] = {}

    @property
    def live(self) -> int:
        """Places that belong to a request."""
        return len(self._live)

    @property
    def free(self) -> int:
        """Computing places that belong to no request."""
        return self._running - len(self._live)

    @property
    def cells(self) -> int:
        """Tokens held, by requests and in idle places."""
        return sum(content.length for content in self._contents if content is not None)

    def match(self, wanted: Content) -> Match | None:
        """What a new content may take over now."""
        return longest(wanted, self._of(wanted), least=self._least)

    def open(self, content: Content, match: Match | None, now: float) -> Transfer:
        """Give a content a place, with what it takes over. There must be a free one."""
        place = self._choose(content, match)
        transfer = self.fill(content, match, place, now)
        self._live[place] = content
        return transfer

    def fill(self, content: Content, match: Match | None, place: int, now: float) -> Transfer:
        """Put a content with what it takes over into a place, whatever was there."""
        source, count = place, 0
        if match is not None:
            source, count = match.content.place, match.count
            match.content.used_at = now
        self._set(place, content)
        content.length, content.used_at = count, now
        return Transfer(source, place, count)

    def close(self, content: Content, now: float) -> None:
        """Take a content's place from its request; what it holds stays until it is needed."""
        del self._live[content.place]
        content.used_at = now

    def keep(self, content: Content, now: float) -> Transfer | None:
        """Keep the shared beginning of a content, if no kept place holds it already."""
        size = content.shared
        is_there = content.place >= 0 and self._contents[content.place] is content
        if not self._kept or not is_there or not self._least <= size <= content.length:
            return None
        shared = content.tokens[:size]
        for other in self._of(content):
            if other.place in self._kept and common_length(other.tokens, shared) == size:
                other.used_at = now
                return None
        pinned = replace(content, person="", tokens=shared.copy(), known=size)
        return self.fill(pinned, Match(content, size), self._victim(content.app), now)

    def close_gap(self) -> Transfer | None:
        """Move the last live content into the first gap among the live ones, if there is one."""
        if not self._live:
            return None
        first, last = min(self._live), max(self._live)
        gap = next((place for place in range(first, last) if place not in self._live), None)
        if gap is None:
            return None
        content = self._live.pop(last)
        self._clear(last)
        self._set(gap, content)
        self._live[gap] = content
        return Transfer(last, gap, content.length)

    def drop(self, content: Content) -> None:
        """Forget a place whose cells can no longer be relied on, if it is still this content's."""
        if self._contents[content.place] is content:
            self._live.pop(content.place, None)
            self._clear(content.place)

    def evict(self) -> list[int]:
        """Forget everything no request needs. Returns the places to be emptied."""
        idle = [c.place for c in self._contents if c is not None and c.place not in self._live]
        for place in idle:
            self._clear(place)
        return idle

    def forget(self, is_gone: Callable[[Hashable], bool]) -> list[int]:
        """Forget what idle places hold of some namespaces. Returns the places to be emptied."""
        spaces = [space for namespace, space in self._spaces.items() if is_gone(namespace)]
        idle = [place for space in spaces for place in space if place not in self._live]
        for place in idle:
            self._clear(place)
        return idle

    def _of(self, content: Content) -> list[Content]:
        return list(self._spaces.get(content.namespace, {}).values())

    def _choose(self, content: Content, match: Match | None) -> int:
        free = [place for place in range(self._running) if place not in self._live]
        near = free
        if self._live:
            first, last = min(self._live), max(self._live)
            near = [place for place in free if first < place < last]
            near = near or [place for place in free if place in {first - 1, last + 1}]
        # Going on in the donor's own place saves the copy; it is done where it costs nobody's text.
        if match is not None and match.content.place in near:
            donor = match.content
            if match.count == donor.length or donor.person == content.person:
                return donor.place
        return min(near, key=self._worth)

    def _worth(self, place: int) -> tuple[bool, float]:
        content = self._contents[place]
        return (False, 0.0) if content is None else (True, content.used_at)

    def _victim(self, app: str) -> int:
        """A free place, or the longest unused one of whoever would hold the most."""
        holders = {p: c.app for p in self._kept if (c := self._contents[p]) is not None}
        if len(holders) < len(self._kept):
            return next(place for place in self._kept if place not in holders)
        held = Counter([app, *holders.values()])
        most = max(held.values())
        return min((p for p, holder in holders.items() if held[holder] == most), key=self._worth)

    def _set(self, place: int, content: Content) -> None:
        self._clear(place)
        self._contents[place] = content
        content.place = place
        self._spaces.setdefault(content.namespace, {})[place] = content

    def _clear(self, place: int) -> None:
        content = self._contents[place]
        if content is None:
            return
        self._contents[place] = None
        space = self._spaces[content.namespace]
        del space[place]
        if not space:
            del self._spaces[content.namespace]
