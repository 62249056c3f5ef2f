"""Figures of our engine alone: overhead, cancelling, turning away, starting anew, growth."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread

from benchmarks.support.loads import Crowd, Scale, Texts, p95
from benchmarks.support.sides import Ours, Request, Shape, UnfairRun, carry_out
from marketplace.inference.frames import pack
from marketplace.inference.ports import EngineStatus, Generation
from marketplace.inference.wire import from_generation
from marketplace.kernel.errors import Limited

RESTARTS = 3
WINDOW_S = 1.0
SETTLE_S = 60.0
QUEUE = 4
GROWTH_PROMPT = 32  # tokens: growth is about writing answers
APPS_WAITING = 50
LONG = 900  # tokens of an answer that outlasts a measurement


@contextmanager
def engine(shape: Shape, **settings: int) -> Iterator[Ours]:
    """An engine for as long as the block runs."""
    with TemporaryDirectory() as folder:
        ours = Ours(shape, Path(folder), **settings)
        try:
            yield ours
        finally:
            ours.close()


def outside_share(before: EngineStatus, after: EngineStatus) -> float:
    """The share of the engine's busy time that llama.cpp did not compute."""
    busy = after.busy_ms_total - before.busy_ms_total
    computing = after.compute_ms_total - before.compute_ms_total
    return 1 - computing / busy if busy else 0.0


def cancel_ms(ours: Ours, texts: Texts, scale: Scale) -> float:
    """p95 from the wish to stop until the receipt, beside others who read long prompts."""
    turn = count()

    def asker() -> Request:
        return Request(f"app.{next(turn) % 3}", "person", texts.of(scale.system), scale.out)

    taken = []
    with Crowd(ours).asking([asker] * (scale.slots - 1)):
        for sample in range(scale.samples):
            text = texts.of(scale.system)
            generation = ours.generation(Request("impatient", "person", text, LONG))
            thread = Thread(
                target=lambda asked: list(ours.client.generate(asked)), args=[generation]
            )
            thread.start()
            # From at once, while it waits or is read, to later, while it is written.
            Event().wait(sample / scale.samples)
            began = time.perf_counter()
            while thread.is_alive():
                # Again: the very first wish may come before the request has been sent.
                ours.client.cancel(generation.request_id)
                thread.join(0.02)
            taken.append(1000 * (time.perf_counter() - began))
    return p95(iter(taken))


def reject_ms(shape: Shape, texts: Texts, scale: Scale) -> float:
    """p95 of being turned away when the app's queue is full."""
    with engine(shape, queue_per_app=QUEUE) as ours:
        full = Request("full", "person", texts.of(scale.said), shape.context)
        with flood(ours, [full] * (shape.sequences + QUEUE)):
            settle(ours, lambda status: status.waiting == QUEUE)
            taken = []
            for _ in range(scale.samples):
                began = time.perf_counter()
                try:
                    next(ours.client.generate(ours.generation(full)))
                except Limited:
                    taken.append(1000 * (time.perf_counter() - began))
    if not taken:
        raise UnfairRun("The engine turned nobody away although its queue was full.")
    return p95(iter(taken))


def restart_s(model: Path, threads: int) -> float:
    """From a kill -9 until the same client reads first words again."""
    taken = []
    with engine(Shape(model, 1024, 8, threads)) as ours:
        for _ in range(RESTARTS):
            began = time.perf_counter()
            ours.kill()
            list(islice(ours.client.generate(ours.generation(Request("a", "p", "hello", 1))), 1))
            taken.append(time.perf_counter() - began)
    return median(taken)


def growth_by_sequences(
    model: Path, threads: int, texts: Texts, scale: Scale
) -> dict[int, dict[str, float]]:
    """Generated tokens a second against the number of sequences, and our own time a step."""
    shape = Shape.holding(model, GROWTH_PROMPT + scale.out, max(scale.sequences), threads)
    growth = {}
    with engine(shape) as ours:
        for sequences in scale.sequences:
            requests = [
                Request(f"app.{index % 8}", "person", texts.of(GROWTH_PROMPT), scale.out)
                for index in range(sequences)
            ]
            before = ours.client.status()
            run = carry_out(ours, requests, sequences)
            growth[sequences] = {
                "tokens_per_s": round(run.tokens_per_s, 1),
                "outside_us_per_step": _outside_us(before, ours.client.status()),
            }
    return growth


def growth_by_waiting(
    model: Path, threads: int, texts: Texts, scale: Scale
) -> dict[int, dict[str, float]]:
    """Generated tokens a second, and our own time a step, against how many requests wait."""
    growth = {}
    for waiting in scale.waiting:
        with engine(Shape(model, 1024, scale.slots, threads)) as ours:
            requests = [
                Request(f"app.{index % APPS_WAITING}", "person", texts.of(GROWTH_PROMPT), LONG)
                for index in range(scale.slots + waiting)
            ]
            with flood(ours, requests):
                settle(
                    ours,
                    lambda status: status.active == scale.slots and status.waiting >= waiting,  # noqa: B023
                )
                before, began = ours.client.status(), time.perf_counter()
                Event().wait(WINDOW_S)
                after, ended = ours.client.status(), time.perf_counter()
            made = after.generated_tokens_total - before.generated_tokens_total
            growth[waiting] = {
                "tokens_per_s": round(made / (ended - began), 1),
                "outside_us_per_step": _outside_us(before, after),
            }
    return growth


@contextmanager
def flood(ours: Ours, requests: list[Request]) -> Iterator[None]:
    """Many requests over one connection, dropped together when the block ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(str(ours.socket_path))
        drain = Thread(target=_drain, args=[peer])
        drain.start()
        try:
            for number, request in enumerate(requests):
                peer.sendall(pack(_frame(number, ours.generation(request))))
            yield
        finally:
            peer.shutdown(socket.SHUT_RDWR)
            drain.join()


def settle(ours: Ours, is_so: Callable[[EngineStatus], bool]) -> None:
    """Wait until the engine's status is as wanted. Raises: UnfairRun after a minute."""
    deadline = time.monotonic() + SETTLE_S
    while not is_so(ours.client.status()):
        if time.monotonic() > deadline:
            raise UnfairRun(f"The engine did not come to the load: {ours.client.status()}")
        time.sleep(0.01)


def _frame(number: int, generation: Generation) -> dict[str, object]:
    return {"op": "generate", "n": number, "generation": from_generation(generation)}


def _drain(peer: socket.socket) -> None:
    while peer.recv(1 << 20):
        continue


def _outside_us(before: EngineStatus, after: EngineStatus) -> float:
    steps = max(1, after.steps_total - before.steps_total)
    busy = after.busy_ms_total - before.busy_ms_total
    computing = after.compute_ms_total - before.compute_ms_total
    return round(1000 * (busy - computing) / steps, 1)
