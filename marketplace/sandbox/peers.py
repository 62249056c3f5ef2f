"""The two ends that the zygote holds: a forked process, and a connection from the store."""

import socket
from dataclasses import dataclass, field

from marketplace.sandbox.wire import Frames

# A peer's requests are small; its job never passes through here.
REQUEST_BYTES = 64 * 1024


@dataclass(eq=False)
class Runner:
    """A forked process, ready for one job. Its end of `inbox` closes when it dies.

    Args:
        holds: keys of the components it was born with; "" is Python.
        release: the one it has imported already, or "".
        left_s: what was left of its time when it was paused; None while its time runs.
    """

    pid: int
    inbox: socket.socket
    holds: frozenset[str]
    release: str = ""
    peer: "Peer | None" = None
    deadline: float = 0.0
    left_s: float | None = None
    reason: str = ""

    @property
    def is_paused(self) -> bool:
        """Whether its time stands still."""
        return self.left_s is not None


@dataclass(eq=False)
class Peer:
    """A connection from the store: one run, or one question about the status.

    Args:
        component: key of the component it runs; "" is Python.
        release: names the code and its entry, where instances may be prepared for it.
    """

    sock: socket.socket
    frames: Frames = field(default_factory=lambda: Frames(REQUEST_BYTES))
    handed: list[int] = field(default_factory=list)
    wall_ms: int = 0
    component: str = ""
    release: str = ""
    runner: Runner | None = None
    position: int = 0
