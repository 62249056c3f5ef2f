"""Virtual token counters: whose turn it is, by what each app and each person was given. Pure.

After “Fairness in Serving Large Language Models” (Sheng et al., arXiv 2401.00588): every account
counts the computing it was given, over its weight, and the lowest counter that has something
waiting goes next. An account of which nothing waited returns at the level of those that did wait,
so that nobody saves up turns; nothing is ever held back while a place is free.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import Generic, TypeVar

SWEEP_AT = 1024  # accounts kept before the idle ones are looked through


@dataclass(slots=True, eq=False)
class Account:
    """What one app, or one person of an app, was given so far.

    Args:
        counter: the cost of everything it was given, over the weight; a cost of 1 is what reading
            one prompt token takes. Prompts are booked whole when they are admitted.
        unread: tokens of such prompts that are booked and were not read yet.
        running: requests that hold a place.
        waiting: requests that wait for one.
    """

    name: str
    weight: float = 1.0
    counter: float = 0.0
    unread: int = 0
    running: int = 0
    waiting: int = 0
    is_listed: bool = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it waits or runs."""
        return not self.running and not self.waiting


type_account = TypeVar("type_account", bound=Account)
type_item = TypeVar("type_item")


class Turns(Generic[type_account]):
    """Accounts that have something waiting, lowest counter first.

    Counters grow while their account waits, so an entry of the heap may be out of date; it is
    then a lower bound, and is put right when it comes to the top. A look costs no more with a
    thousand accounts waiting than with one.
    """

    def __init__(self, make: type[type_account]) -> None:
        self._make = make
        self._accounts: dict[str, type_account] = {}
        self._heap: list[tuple[float, int, type_account]] = []
        self._numbers = count()
        self._level = 0.0
        self._sweep_at = SWEEP_AT

    def __len__(self) -> int:
        return len(self._accounts)

    def account(self, name: str) -> type_account:
        """The account of a name, lifted to the present level if nothing of it waited."""
        account = self._accounts.get(name)
        if account is None:
            if len(self._accounts) >= self._sweep_at:
                self._sweep()
            account = self._accounts[name] = self._make(name)
        if not account.waiting:
            account.counter = max(account.counter, self._level)
        return account

    def waiting_of(self, name: str) -> int:
        """How many requests of an account wait, if there is one."""
        account = self._accounts.get(name)
        return 0 if account is None else account.waiting

    def enlist(self, account: type_account) -> None:
        """Give an account that has something waiting its turn among the others."""
        if not account.is_listed:
            account.is_listed = True
            heappush(self._heap, (account.counter, next(self._numbers), account))

    def first(self) -> type_account | None:
        """Whose turn it is, or None when nothing waits."""
        while self._heap:
            counter, _, account = self._heap[0]
            if not account.waiting:
                heappop(self._heap)
                account.is_listed = False
            elif counter < account.counter:
                heapreplace(self._heap, (account.counter, next(self._numbers), account))
            else:
                # Who comes beside a flood has not missed what is booked for it and still unread.
                self._level = max(self._level, counter - account.unread / account.weight)
                return account
        return None

    def in_order(self) -> list[type_account]:
        """Everyone with something waiting, next turn first; the cost grows with their number."""
        listed = [account for _, _, account in sorted(self._heap, key=lambda entry: entry[:2])]
        return sorted((a for a in listed if a.waiting), key=lambda account: account.counter)

    def _sweep(self) -> None:
        # Whoever is idle below the level would be lifted to it anyway: forgetting loses nothing.
        self._accounts = {
            name: account
            for name, account in self._accounts.items()
            if not account.is_idle or account.is_listed or account.counter > self._level
        }
        self._sweep_at = max(SWEEP_AT, 2 * len(self._accounts))


@dataclass(slots=True, eq=False)
class Person(Account, Generic[type_item]):
    """A person of one app, and their requests in the order they came."""

    queue: OrderedDict[Hashable, type_item] = field(default_factory=OrderedDict)
    app: "App[type_item]" = field(init=False)


@dataclass(slots=True, eq=False)
class App(Account, Generic[type_item]):
    """An app and the people who wait for it."""

    people: Turns[Person[type_item]] = field(default_factory=lambda: Turns(Person))


class FairQueue(Generic[type_item]):
    """What waits: apps take turns by what they were given, and the people inside an app too."""

    def __init__(self) -> None:
        self._apps: Turns[App[type_item]] = Turns(App)
        self.waiting = 0
        self.apps_waiting = 0

    def person(self, app: str, person: str, *, weight: float) -> Person[type_item]:
        """The account a request is booked on."""
        house = self._apps.account(app)
        # A changed weight holds from now on; what was booked stays as it was.
        house.weight = weight
        account = house.people.account(person)
        account.app = house
        return account

    def waiting_of(self, app: str) -> int:
        """How many items of an app wait."""
        return self._apps.waiting_of(app)

    def push(
        self, person: Person[type_item], key: Hashable, item: type_item, *, is_back: bool = False
    ) -> None:
        """Queue an item behind the person's others, or before them when it `is_back`."""
        person.queue[key] = item
        if is_back:
            person.queue.move_to_end(key, last=False)
        self.apps_waiting += not person.app.waiting
        person.waiting += 1
        person.app.waiting += 1
        self.waiting += 1
        person.app.people.enlist(person)
        self._apps.enlist(person.app)

    def first(self) -> type_item | None:
        """The item whose turn it is, or None when nothing waits."""
        app = self._apps.first()
        person = app.people.first() if app is not None else None
        return next(iter(person.queue.values())) if person is not None else None

    def remove(self, person: Person[type_item], key: Hashable) -> None:
        """Take an item out, wherever it stands."""
        del person.queue[key]
        person.waiting -= 1
        person.app.waiting -= 1
        self.waiting -= 1
        self.apps_waiting -= not person.app.waiting

    def in_order(self) -> Iterator[type_item]:
        """Every item, about in the order they will be admitted if nobody leaves or comes."""
        queues = [
            _interleaved([iter(p.queue.values()) for p in app.people.in_order()])
            for app in self._apps.in_order()
        ]
        yield from _interleaved(queues)


def charge(person: Person[type_item], cost: float) -> None:
    """Book what is computed for a person, or was admitted to be."""
    person.counter += cost / person.weight
    person.app.counter += cost / person.app.weight


def await_reading(person: Person[type_item], tokens: int) -> None:
    """Note prompt tokens that were booked and are to be read; fewer than 0 when they were."""
    person.unread += tokens
    person.app.unread += tokens


def enter(person: Person[type_item]) -> None:
    """Note that one of a person's requests has been given a place."""
    person.running += 1
    person.app.running += 1


def leave(person: Person[type_item]) -> None:
    """Note that one of a person's requests has given its place back."""
    person.running -= 1
    person.app.running -= 1


def _interleaved(queues: list[Iterator[type_item]]) -> Iterator[type_item]:
    while queues:
        left = []
        for queue in queues:
            item = next(queue, None)
            if item is not None:
                yield item
                left.append(queue)
        queues = left
