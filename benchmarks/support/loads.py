"""The loads of a store, and the figures that compare two sides under them."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from statistics import median
from threading import Event, Lock, Timer
from typing import Any

from benchmarks.support.sides import Answer, Request, Run, Side, carry_out

type_load = Callable[[], tuple[list[Request], int]]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured; lengths in tokens.

    Args:
        light: questions that the light app asks one after another, and `light_s` for how long.
    """

    pairs: int = 5
    concurrencies: tuple[int, ...] = (1, 8, 32)
    prompt: int = 256
    out: int = 64
    apps: int = 4
    system: int = 1000
    people: int = 64
    said: int = 100
    store_concurrencies: tuple[int, ...] = (8, 32)
    slots: int = 8
    flood: int = 64
    light: int = 12
    light_s: float = 20.0
    busy_s: float = 15.0
    sequences: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    waiting: tuple[int, ...] = (1, 10, 100, 1000)
    samples: int = 40


QUICK = Scale(
    pairs=1,
    concurrencies=(1, 4),
    prompt=24,
    out=4,
    system=60,
    people=8,
    said=8,
    store_concurrencies=(4,),
    slots=4,
    flood=6,
    light=3,
    busy_s=1.0,
    sequences=(1, 2),
    waiting=(1, 20),
    samples=4,
)


class Texts:
    """Texts of known length that nobody has sent before."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._random = random.Random(1)
        self._lock = Lock()

    def of(self, tokens: int) -> str:
        """A new text of about so many tokens."""
        with self._lock:
            return " ".join(self._random.choices(self._words, k=tokens))


def unrelated(texts: Texts, scale: Scale, concurrency: int) -> list[Request]:
    """Prompts that have nothing in common; each its own app's. Few at a time come in rounds."""
    rounds = max(1, 4 // concurrency)
    return [
        Request(f"app.{index}", "person", texts.of(scale.prompt), scale.out)
        for index in range(concurrency * rounds)
    ]


def store(texts: Texts, scale: Scale) -> list[Request]:
    """A store's own work: few apps with long instructions, many people in turn."""
    systems = [texts.of(scale.system) for _ in range(scale.apps)]
    return [
        Request(
            f"app.{person % scale.apps}",
            f"person.{person}",
            texts.of(scale.said),
            scale.out,
            system=systems[person % scale.apps],
        )
        for person in range(scale.people)
    ]


def alternate(ours: Side, theirs: Side, pairs: int, load: type_load) -> Iterator[tuple[Run, Run]]:
    """The same new load on both sides, which take turns in going first."""
    for pair in range(pairs):
        requests, workers = load()
        if pair % 2:
            second = carry_out(theirs, requests, workers)
            yield carry_out(ours, requests, workers), second
        else:
            first = carry_out(ours, requests, workers)
            yield first, carry_out(theirs, requests, workers)


def p95(values: Iterator[float]) -> float:
    """The value that 95 of 100 do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[ceil(0.95 * len(ordered)) - 1]


def compare(pairs: Sequence[tuple[Run, Run]]) -> dict[str, float]:
    """Medians over all pairs: both sides' speed, their ratio, and that of the first words."""
    return {
        "ratio": median(ours.tokens_per_s / theirs.tokens_per_s for ours, theirs in pairs),
        "tokens_per_s": median(ours.tokens_per_s for ours, _ in pairs),
        "tokens_per_s_llama_server": median(theirs.tokens_per_s for _, theirs in pairs),
        "ttft_p95_ratio": median(p95(ours.first_s()) / p95(his.first_s()) for ours, his in pairs),
        "ttft_p95_s": median(p95(ours.first_s()) for ours, _ in pairs),
        "ttft_p95_s_llama_server": median(p95(theirs.first_s()) for _, theirs in pairs),
        "cached_share": median(ours.cached_share for ours, _ in pairs),
        "cached_share_llama_server": median(theirs.cached_share for _, theirs in pairs),
    }


class Crowd:
    """People who ask again as soon as they were answered, until they are sent home.

    Attributes:
        answers: what came of every request, the aborted ones included.
    """

    def __init__(self, side: Side) -> None:
        self.answers: list[Answer] = []
        self._side = side

    @contextmanager
    def asking(self, askers: Sequence[Callable[[], Request]]) -> Iterator[None]:
        """Keep one request of each asker open while the block runs."""
        home = Event()
        with ThreadPoolExecutor(max_workers=len(askers)) as pool:
            asked = [pool.submit(self._ask_on, asker, home) for asker in askers]
            try:
                yield
            finally:
                home.set()
                while wait(asked, timeout=0.1).not_done:
                    # Again and again: a request may just be on its way to the server.
                    self._side.abort()
            for future in asked:
                future.result()

    def _ask_on(self, asker: Callable[[], Request], home: Event) -> None:
        while not home.is_set():
            self.answers.append(self._side.ask(asker()))


def light_beside_hog(side: Side, texts: Texts, scale: Scale) -> tuple[list[float], list[float]]:
    """Waits for first words of an app that asks one at a time: alone, and beside a flood."""

    def hog() -> Request:
        return Request("hog", "hog", texts.of(scale.system), scale.out)

    def light() -> Request:
        return Request("light", "light", texts.of(scale.said), max(1, scale.out // 16))

    def measure() -> list[float]:
        waits: list[float] = []
        deadline = time.monotonic() + scale.light_s
        while len(waits) < scale.light and (left_s := deadline - time.monotonic()) > 0:
            began = time.monotonic()
            impatience = Timer(left_s, side.abort)
            impatience.start()
            first_s = side.ask(light()).first_s
            impatience.cancel()
            # A wait that was broken off counts as long as it lasted.
            waits.append(time.monotonic() - began if first_s is None else first_s)
        return waits

    alone = measure()
    with Crowd(side).asking([hog] * scale.flood):
        beside = measure()
    return alone, beside


def shares_of_busy_apps(side: Side, texts: Texts, scale: Scale) -> list[int]:
    """Tokens computed for each of four apps that always wait, one of them eight times as loud.

    Every request has the same shape, so that any measure of work gives the same shares.
    """

    def asker_of(app: str) -> Callable[[], Request]:
        return lambda: Request(app, "person", texts.of(scale.said), scale.out)

    askers = [asker_of("app.0") for _ in range(4 * scale.slots)]
    for quiet in ("app.1", "app.2", "app.3"):
        askers += [asker_of(quiet) for _ in range(max(2, scale.slots // 2))]
    crowd = Crowd(side)
    with crowd.asking(askers):
        Event().wait(scale.busy_s)
    served = dict.fromkeys((f"app.{index}" for index in range(4)), 0)
    for answer in crowd.answers:
        # What was aborted at the end counts with what it had got until then.
        if answer.first_s is not None:
            served[answer.request.app] += scale.said + answer.pieces
    return list(served.values())


def jain(shares: Sequence[float]) -> float:
    """Jain's index: 1 when all have the same, 1/n when one has everything.

    With 32, 4, 4 and 4: 44 squared over 4 * (1024 + 48), which is 0.45.
    """
    squares = len(shares) * sum(share * share for share in shares)
    return sum(shares) ** 2 / squares if squares else 0.0


def rounded(figures: dict[str, Any], digits: int = 3) -> dict[str, Any]:
    """Figures as they are printed."""
    return {
        name: round(value, digits) if isinstance(value, float) else value
        for name, value in figures.items()
    }
