"""Which of several servers a request goes to, and when one that fails is left alone. Pure.

Instants are monotonic seconds that the caller gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from math import ceil

FAILURES = 3  # in a row, before a server is left alone
FIRST_REST_S = 1.0
LONGEST_REST_S = 30.0
SPREAD = 1.25  # how much more than its even share one server may be given


class State(StrEnum):
    """Whether a server is asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(slots=True)
class Breaker:
    """Lets requests through to a server, or spares it for a while after it failed.

    After `FAILURES` in a row it rests for a second; then one request tries whether it is back.
    Each further failure in the row doubles the rest.
    """

    state: State = State.CLOSED
    failures: int = 0
    rests_until: float = 0.0
    is_busy: bool = False  # it rests because it said so, not because it failed

    def allows(self, now: float) -> bool:
        """Whether a request may go there now; `begin` must follow if it does."""
        if self.state is State.OPEN:
            return now >= self.rests_until
        return self.state is State.CLOSED

    def begin(self) -> None:
        """A request goes there; after a rest it is the only one until it is answered."""
        if self.state is State.OPEN:
            self.state = State.HALF_OPEN

    def answer(self) -> None:
        """The server began to answer, so others may go there too; the answer may still fail."""
        if self.state is State.HALF_OPEN:
            self.state = State.CLOSED

    def succeed(self) -> None:
        """The server answered as it should."""
        self.state, self.failures, self.is_busy = State.CLOSED, 0, False

    def fail(self, now: float) -> None:
        """The server did not answer, or not as it should."""
        if self.state is State.OPEN:
            return  # a request from before the rest, which says nothing about the time after it
        self.failures += 1
        doublings = self.failures - FAILURES
        if doublings >= 0:
            self.rest(now, min(LONGEST_REST_S, FIRST_REST_S * 2 ** min(doublings, 30)))

    def rest(self, now: float, seconds: float, *, is_busy: bool = False) -> None:
        """Spare the server for so long."""
        self.state, self.rests_until, self.is_busy = State.OPEN, now + seconds, is_busy

    def give_up(self, now: float) -> None:
        """A request ended without an outcome: somebody stopped it."""
        if self.state is State.HALF_OPEN:
            self.rest(now, 0.0, is_busy=self.is_busy)


@dataclass(slots=True, eq=False)
class Node:
    """One server and what it is busy with."""

    url: str
    breaker: Breaker = field(default_factory=Breaker)
    in_flight: int = 0


def in_order(nodes: Sequence[Node], key: str, now: float) -> list[Node]:
    """The servers to try for a request, best first; those that rest are left out.

    Requests of one key go to one server, which keeps what it has read of their instructions
    (rendezvous hashing). Where that server has more than its share already, they spill over to
    the key's next: with 2 servers and 9 requests open, one may have ceil(1.25 * 10 / 2) = 7.
    """
    awake = [node for node in nodes if node.breaker.allows(now)]
    ranked = sorted(awake, key=lambda node: _rank(key, node.url))
    if not ranked:
        return []
    most = ceil(SPREAD * (1 + sum(node.in_flight for node in ranked)) / len(ranked))
    return sorted(ranked, key=lambda node: node.in_flight >= most)


def _rank(key: str, url: str) -> bytes:
    return sha256(f"{key}\n{url}".encode()).digest()
