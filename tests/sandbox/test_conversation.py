"""The store's end of a run, where both of its connections have news at once."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from marketplace.sandbox import wire
from marketplace.sandbox.conversation import AHEAD_BYTES, Conversation
from marketplace.sandbox.desk import Desk
from marketplace.sandbox.outcomes import Ending
from marketplace.sandbox.ports import OutcomeKind
from tests.factories.sandbox import EVERYTHING, SMALL, Host

STARTED = {"t": "started", "is_prepared": True, "wants_code": False}
OUTCOME = {"t": "outcome", "status": "ok", "text": "{}", "cpu_ms": 7, "peak_memory_bytes": 1}
EXITED = {"t": "exited", "reason": "", "signal": 9, "code": 0, "cpu_ms": 0, "peak_memory_bytes": 0}


class Talk:
    """A conversation and the far ends of its two connections."""

    def __init__(self, stack: ExitStack, code: dict[str, bytes]) -> None:
        pairs = [socket.socketpair() for _ in range(3)]
        control, self.zygote = pairs[0]
        data, self.runner = pairs[1]
        self.given, _ = pairs[2]
        for pair in pairs:
            for end in pair:
                stack.enter_context(end)
        request = {"t": "job", "code": code, "wall_ms": 100, "component": "", "release": "a:app"}
        desk = Desk(Host(), EVERYTHING, SMALL)
        self.talk = Conversation(control, data, request, desk, threading.Event(), component=None)

    def hold(self, *frames: tuple[socket.socket, wire.Frame]) -> Ending:
        """How it ends when all of this has been said before it listens."""
        for end, frame in frames:
            end.sendall(wire.pack(frame))
        return self.talk.hold()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def test_a_run_that_is_over_before_its_start_is_heard_of_was_started(stack: ExitStack) -> None:
    here = Talk(stack, {})
    ending = here.hold((here.runner, OUTCOME), (here.zygote, STARTED))
    assert (ending.kind, ending.was_prepared, ending.cpu_ms) == (OutcomeKind.FINISHED, True, 7)


def test_a_run_that_has_begun_ended_and_died_before_anybody_listened_is_finished(
    stack: ExitStack,
) -> None:
    here = Talk(stack, {})
    ending = here.hold((here.runner, OUTCOME), (here.zygote, STARTED), (here.zygote, EXITED))
    assert (ending.kind, ending.cpu_ms) == (OutcomeKind.FINISHED, 7)


def test_last_words_come_before_the_news_of_a_death(stack: ExitStack) -> None:
    here = Talk(stack, {"app.py": bytes(AHEAD_BYTES)})
    here.talk.open(here.given)
    here.zygote.sendall(wire.pack({**STARTED, "is_prepared": False}))
    ended: list[Ending] = []
    thread = threading.Thread(target=lambda: ended.append(here.talk.hold()))
    thread.start()
    # The job comes when the start has been heard of; the rest is then said at once.
    wire.receive(here.runner)
    here.runner.sendall(wire.pack(OUTCOME))
    here.zygote.sendall(wire.pack(EXITED))
    thread.join(10)
    assert ended[0].kind is OutcomeKind.FINISHED


@pytest.mark.parametrize("size", [10, AHEAD_BYTES * 4])
def test_a_small_job_waits_for_its_runner_and_a_large_one_is_sent_without_its_code(
    stack: ExitStack, size: int
) -> None:
    here = Talk(stack, {"app.py": bytes(size)})
    here.talk.open(here.given)
    opening = wire.receive(here.zygote)
    assert (opening["t"], opening["release"]) == ("run", "a:app")
    ending = here.hold((here.zygote, STARTED), (here.runner, OUTCOME))
    assert ending.was_prepared
    job = wire.receive(here.runner)
    assert len(job["code"].get("app.py", b"")) == (size if size < AHEAD_BYTES else 0)
