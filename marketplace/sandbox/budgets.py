"""Budgets over an hour: what a person or an app has used, and what is left of it. Pure.

An hour is twelve slots of five minutes. Use is added to the slot in which a run ends, and what
counts is the slot of now and the eleven before it. So many small runs are no way round what one
large run may not do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

SLOT_S = 300
SLOTS = 12


@dataclass(frozen=True)
class Amounts:
    """Of each thing that is counted, how much; also what is allowed, and what is left.

    Args:
        memory_mb_s: MiB of memory times the seconds they were held.
        llm_tokens: read by the model (but not from its cache) and written by it.
    """

    cpu_ms: int = 0
    wall_ms: int = 0
    memory_mb_s: int = 0
    output_bytes: int = 0
    host_calls: int = 0
    llm_tokens: int = 0
    kv_bytes: int = 0
    egress_requests: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def without(self, used: "Amounts") -> "Amounts":
        """What remains after `used`, never below nothing."""
        return Amounts(*(max(0, getattr(self, name) - getattr(used, name)) for name in NAMES))

    def times(self, factor: int) -> "Amounts":
        """So many times as much of everything."""
        return Amounts(*(getattr(self, name) * factor for name in NAMES))

    def least(self, other: "Amounts") -> "Amounts":
        """Of each thing the smaller amount."""
        return Amounts(*(min(getattr(self, name), getattr(other, name)) for name in NAMES))

    @property
    def exhausted(self) -> str | None:
        """The first thing of which nothing is left, or None."""
        return next((name for name in NAMES if getattr(self, name) <= 0), None)


NAMES = tuple(field.name for field in fields(Amounts))


def slot_of(now: datetime) -> int:
    """The number of the slot that an instant lies in."""
    return int(now.timestamp()) // SLOT_S


def used(slots: Mapping[int, Amounts], slot: int) -> Amounts:
    """What was used in the hour that ends with `slot`."""
    return _sum(amounts for number, amounts in slots.items() if slot - SLOTS < number <= slot)


def wait_s(slots: Mapping[int, Amounts], allowed: Amounts, now: datetime) -> int:
    """Seconds until something is left of everything: 0 when it is now, at most an hour."""
    present = slot_of(now)
    for later in range(SLOTS + 1):
        if allowed.without(used(slots, present + later)).exhausted is None:
            return max(0, (present + later) * SLOT_S - int(now.timestamp()))
    return SLOTS * SLOT_S


def _sum(every: Iterable[Amounts]) -> Amounts:
    return sum(every, Amounts())
