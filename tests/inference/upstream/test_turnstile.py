"""A bounded number of requests goes out at a time; apps and their people take turns."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from marketplace.inference.ports import QueueFull, Usage
from marketplace.inference.upstream.turnstile import Bounds, Turn, Turnstile

ROOMY = Bounds(in_flight=1, queue_per_app=100, queue_total=100)


class Visit:
    """One request that holds its turn until it is sent home."""

    def __init__(self, turnstile: Turnstile, app: str, person: str, weight: float = 1.0) -> None:
        self.places: list[int] = []
        self.is_in = False
        self.may_go = asyncio.Event()
        turn = Turn(app, person, weight, 10.0, self.places.append)
        self.task = asyncio.create_task(self._visit(turnstile, turn))

    async def _visit(self, turnstile: Turnstile, turn: Turn) -> None:
        async with turnstile.taken(turn):
            self.is_in = True
            await self.may_go.wait()
            turn.usage = Usage(prompt_tokens=10, generated_tokens=20)
            self.is_in = False


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in a loop of its own."""
    asyncio.run(asyncio.wait_for(scenario(), 20))


async def order_of(turnstile: Turnstile, visits: dict[str, Visit]) -> list[str]:
    """Send everyone home one after the other. Returns in which order they came in."""
    order: list[str] = []
    while len(order) < len(visits):
        await settle()
        [name] = [name for name, visit in visits.items() if visit.is_in]
        order.append(name)
        visits[name].may_go.set()
        await visits[name].task
    return order


def test_no_more_than_the_bound_are_in_and_all_get_in() -> None:
    async def scenario() -> None:
        turnstile = Turnstile(Bounds(3, 100, 100))
        visits = [Visit(turnstile, f"app.{index % 4}", "person") for index in range(20)]
        while visits:
            await settle()
            inside = [visit for visit in visits if visit.is_in]
            assert len(inside) == turnstile.in_flight == min(3, len(visits))
            inside[0].may_go.set()
            await inside[0].task
            visits.remove(inside[0])
        assert (turnstile.in_flight, turnstile.waiting) == (0, 0)

    run(scenario)


def test_an_app_that_floods_does_not_hold_up_another() -> None:
    async def scenario() -> None:
        turnstile = Turnstile(ROOMY)
        visits = {f"hog {index}": Visit(turnstile, "hog", "hog") for index in range(6)}
        await settle()
        visits |= {f"light {index}": Visit(turnstile, "light", "light") for index in range(2)}
        order = await order_of(turnstile, visits)
        assert {"light 0", "light 1"} < set(order[:4])
        assert order[-1] == "hog 5"

    run(scenario)


def test_turns_that_come_together_go_to_different_apps() -> None:
    async def scenario() -> None:
        turnstile = Turnstile(Bounds(2, 100, 100))
        holders = [Visit(turnstile, app, "person") for app in ("x", "y")]
        await settle()
        hogs = [Visit(turnstile, "hog", "hog") for _ in range(2)]
        await settle()
        light = Visit(turnstile, "light", "light")
        await settle()
        for holder in holders:
            holder.may_go.set()
        await settle()
        assert [hogs[0].is_in, hogs[1].is_in, light.is_in] == [True, False, True]
        for visit in (*hogs, light):
            visit.task.cancel()
        await settle()
        assert (turnstile.in_flight, turnstile.waiting) == (0, 0)

    run(scenario)


def test_people_of_one_app_take_turns_too() -> None:
    async def scenario() -> None:
        turnstile = Turnstile(ROOMY)
        visits = {f"busy {index}": Visit(turnstile, "app", "busy") for index in range(4)}
        await settle()
        visits["calm"] = Visit(turnstile, "app", "calm")
        assert "calm" in (await order_of(turnstile, visits))[:3]

    run(scenario)


def test_a_heavier_app_gets_more_turns() -> None:
    async def scenario() -> None:
        turnstile = Turnstile(ROOMY)
        visits = {"first": Visit(turnstile, "first", "p")}
        await settle()
        for index in range(8):
            visits[f"heavy {index}"] = Visit(turnstile, "heavy", "p", weight=3.0)
            visits[f"plain {index}"] = Visit(turnstile, "plain", "p")
        order = await order_of(turnstile, visits)
        assert sum(name.startswith("heavy") for name in order[1:9]) in {5, 6, 7}

    run(scenario)


def test_who_waits_learns_its_place_and_who_leaves_the_queue_is_forgotten() -> None:
    async def scenario() -> None:
        now = [0.0]
        turnstile = Turnstile(ROOMY, lambda: now[0])
        visits = []
        for index in range(4):
            visits.append(Visit(turnstile, f"app.{index}", "person"))
            now[0] += 1
            await settle()
        assert [visit.places for visit in visits] == [[], [0], [1], [2]]
        visits[1].task.cancel()
        await settle()
        assert turnstile.waiting == 2
        visits[0].may_go.set()
        await settle()
        assert visits[2].is_in
        assert visits[3].places[-1] == 0
        visits[2].task.cancel()
        await settle()
        assert visits[3].is_in
        visits[3].may_go.set()
        await settle()
        assert (turnstile.in_flight, turnstile.waiting) == (0, 0)

    run(scenario)


def test_a_request_that_is_stopped_as_its_turn_comes_passes_it_on() -> None:
    async def scenario() -> None:
        turnstile = Turnstile(ROOMY)
        async with turnstile.taken(Turn("app", "person", 1.0, 10.0, [].append)):
            visits = [Visit(turnstile, "app", "person") for _ in range(2)]
            await settle()
        # The first one's turn has come, but it has not woken up yet.
        visits[0].task.cancel()
        await settle()
        assert not visits[0].is_in
        assert visits[1].is_in
        visits[1].may_go.set()
        await settle()
        assert (turnstile.in_flight, turnstile.waiting) == (0, 0)

    run(scenario)


@pytest.mark.parametrize(
    ("bounds", "apps", "sentence"),
    [
        (Bounds(1, 2, 100), ["app"] * 4, "2 requests of this app are waiting"),
        (Bounds(1, 100, 2), ["a", "b", "c", "d"], "has 2 requests waiting"),
    ],
)
def test_a_full_queue_turns_away_with_an_honest_time(
    bounds: Bounds, apps: list[str], sentence: str
) -> None:
    async def scenario() -> None:
        turnstile = Turnstile(bounds)
        *visits, refused = [Visit(turnstile, app, "person") for app in apps]
        await settle()
        with pytest.raises(QueueFull, match=sentence) as full:
            await refused.task
        assert full.value.retry_after_s == turnstile.retry_after_s() >= 1
        for visit in visits:
            visit.task.cancel()
        await settle()
        assert (turnstile.in_flight, turnstile.waiting) == (0, 0)

    run(scenario)
