"""The limits of a run: what is asked, what is allowed, what is used. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from marketplace.sandbox.ports import Limits

# The Python runtime itself takes about 40 MiB; less than this would start no app.
SMALLEST_MEMORY_BYTES = 48 * 2**20
# One host call carries at most this much JSON in each direction.
PAYLOAD_BYTES = 2**20

# What is written for people to read, the person's result or the developer's log.
SHOWN = frozenset({"output.write", "output.progress", "log.write"})

# What one unit of a manifest's `[limits]` is in ours.
UNITS = {
    "wall_s": ("wall_ms", 1000),
    "cpu_ms": ("cpu_ms", 1),
    "memory_mb": ("memory_bytes", 2**20),
    "output_kb": ("output_bytes", 1024),
    "host_calls": ("host_calls", 1),
}


def clamp(asked: Mapping[str, int], *, usual: Limits, ceiling: Limits) -> Limits:
    """The limits of a run, from a manifest's `[limits]`.

    What is not asked for is `usual`; nothing exceeds `ceiling` or falls below 1, and memory
    not below what the runtime needs. Names that are not ours, such as `llm_tokens`, are
    somebody else's. Example: asking for `wall_s = 90` under a ceiling of 60 s gives 60,000 ms.
    """
    found = {each.name: getattr(usual, each.name) for each in fields(Limits)}
    for name, value in asked.items():
        if name in UNITS:
            ours, unit = UNITS[name]
            found[ours] = value * unit
    for name, value in found.items():
        floor = SMALLEST_MEMORY_BYTES if name == "memory_bytes" else 1
        found[name] = max(floor, min(value, getattr(ceiling, name)))
    return Limits(**found)


@dataclass
class Spent:
    """What a run has used of the limits that are counted call by call."""

    limits: Limits
    host_calls: int = 0
    output_bytes: int = 0

    def take(self, op: str, payload_bytes: int) -> str | None:
        """Count one host call; the rule it breaks, or None."""
        self.host_calls += 1
        if op in SHOWN:
            self.output_bytes += payload_bytes
        if self.host_calls > self.limits.host_calls:
            return "limit.host_calls"
        if self.output_bytes > self.limits.output_bytes:
            return "limit.output"
        return None


def sentence(rule: str, limits: Limits) -> str:
    """What a person reads when a limit has ended their run."""
    match rule:
        case "limit.wall":
            spent = f"took longer than the {limits.wall_ms / 1000:g} s it may"
        case "limit.cpu":
            spent = f"computed longer than the {limits.cpu_ms / 1000:g} s it may"
        case "limit.memory":
            spent = f"needed more memory than the {limits.memory_bytes / 2**20:g} MB it may"
        case "limit.output":
            spent = f"wrote more than the {limits.output_bytes / 1024:g} KB it may"
        case "limit.host_calls":
            spent = f"asked the store more often than the {limits.host_calls} times it may"
        case _:
            raise ValueError(f"{rule} is not the rule of a limit.")
    return f"The app {spent} use, so it was ended. Try a smaller input, or tell its developer."
