"""Who is sent to the servers next: a bounded number at a time, apps and people in turn.

Everything here runs in one event loop.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import ceil

from marketplace.inference.fairness import FairQueue, Person, charge, enter, leave
from marketplace.inference.ports import QueueFull, Usage

GENERATED_COST = 2.0  # of one token, where reading one costs 1 (arXiv 2401.00588, §4)
SMOOTHING = 0.2  # weight of the newest service time in the running mean
FIRST_GUESS_S = 2.0
LONGEST_RETRY_S = 60
POSITIONS_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many may be with the servers, and how many may wait here."""

    in_flight: int
    queue_per_app: int
    queue_total: int


@dataclass(slots=True, eq=False)
class Turn:
    """One request's turn.

    Args:
        cost: the prompt's estimated tokens, booked when the turn comes.
        tell: is told how many go before it, whenever that changes.
        usage: set before the turn ends; what is really charged.
    """

    app: str
    person: str
    weight: float
    cost: float
    tell: Callable[[int], None]
    usage: Usage = field(default_factory=Usage)
    position: int = -1
    account: "Person[Turn] | None" = None
    came: asyncio.Event = field(default_factory=asyncio.Event)


class Turnstile:
    """The queue before the servers.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, bounds: Bounds, clock: Callable[[], float] = time.monotonic) -> None:
        self._bounds = bounds
        self._clock = clock
        self._queue: FairQueue[Turn] = FairQueue()
        self._service_s = FIRST_GUESS_S
        self._told_at = clock()
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """Requests whose turn has not come."""
        return self._queue.waiting

    @asynccontextmanager
    async def taken(self, turn: Turn) -> AsyncIterator[None]:
        """Wait for the turn, and hold it while the block runs. Raises: QueueFull."""
        account = turn.account = self._queue.person(turn.app, turn.person, weight=turn.weight)
        if self.in_flight < self._bounds.in_flight and not self._queue.waiting:
            self._give(turn, account)
        else:
            self._refuse_when_full(account)
            self._queue.push(account, turn, turn)
            self._tell_positions()
            try:
                await turn.came.wait()
            except asyncio.CancelledError:
                self._withdraw(turn, account)
                raise
        began = self._clock()
        try:
            yield
            # What was refused or stopped says nothing of how long an answer takes.
            self._service_s += SMOOTHING * (self._clock() - began - self._service_s)
        finally:
            self._take_back(turn, account)

    def retry_after_s(self) -> int:
        """When an app's next waiting request is likely to be sent, in whole seconds.

        With 8 in flight, 4 s a request and 6 waiting apps, an app gets a turn every
        4 / 8 * 6 = 3 s.
        """
        turn_s = self._service_s / self._bounds.in_flight * max(1, self._queue.apps_waiting)
        return min(LONGEST_RETRY_S, max(1, ceil(turn_s)))

    def _give(self, turn: Turn, account: Person[Turn]) -> None:
        self.in_flight += 1
        enter(account)
        charge(account, turn.cost)
        turn.came.set()

    def _take_back(self, turn: Turn, account: Person[Turn]) -> None:
        usage = turn.usage
        read = usage.prompt_tokens - usage.cached_tokens
        # A counter never falls: what was booked too much for the prompt stays booked.
        charge(account, max(0.0, read - turn.cost) + GENERATED_COST * usage.generated_tokens)
        leave(account)
        self.in_flight -= 1
        while self.in_flight < self._bounds.in_flight and (chosen := self._queue.first()):
            assert chosen.account is not None  # it was set before the turn was queued
            self._queue.remove(chosen.account, chosen)
            self._give(chosen, chosen.account)
        self._tell_positions()

    def _withdraw(self, turn: Turn, account: Person[Turn]) -> None:
        if turn.came.is_set():
            self._take_back(turn, account)
        else:
            self._queue.remove(account, turn)

    def _tell_positions(self) -> None:
        now = self._clock()
        if now < self._told_at + POSITIONS_EVERY_S and self._queue.waiting > 1:
            return
        self._told_at = now
        for position, turn in enumerate(self._queue.in_order()):
            if turn.position != position:
                turn.position = position
                turn.tell(position)

    def _refuse_when_full(self, account: Person[Turn]) -> None:
        retry_after_s = self.retry_after_s()
        if account.app.waiting >= self._bounds.queue_per_app:
            raise QueueFull(
                f"{account.app.waiting} requests of this app are waiting already. "
                f"Try again in {retry_after_s} s.",
                retry_after_s=retry_after_s,
                rule="llm.queue",
            )
        if self._queue.waiting >= self._bounds.queue_total:
            raise QueueFull(
                f"The language model has {self._queue.waiting} requests waiting already. "
                f"Try again in {retry_after_s} s.",
                retry_after_s=retry_after_s,
                rule="llm.queue",
            )
