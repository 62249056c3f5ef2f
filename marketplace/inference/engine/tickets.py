"""What other threads hand to the decoder: requests that are prepared."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from marketplace.inference.answers import AnswerStream
from marketplace.inference.engine.adapters import Lease
from marketplace.inference.engine.eyes import Sight
from marketplace.inference.engine.sampling import Sampler
from marketplace.inference.lookup import Lookup
from marketplace.inference.sequences import Request, Sequence, State


@dataclass(slots=True, eq=False)
class Ticket:
    """One prepared request: its sampler and its answer so far.

    Args:
        pieces: the bytes of every token, as this answer shows them.
        lease: its hold on the adapter it is computed with.
        sight: the pictures of its prompt.
        logprobs: how many alternatives are told with each token's score; None for no scores.
    """

    request: Request
    sampler: Sampler
    answer: AnswerStream
    pieces: tuple[bytes, ...]
    lease: Lease | None = None
    sight: Sight | None = None
    logprobs: int | None = None
    sequence: Sequence | None = field(default=None)
    position: int = -1
    lookup: Lookup = field(default_factory=Lookup)

    @property
    def key(self) -> Hashable:
        """By which its events are told apart."""
        return self.request.key

    @property
    def is_over(self) -> bool:
        """Whether it was answered to its end, or cancelled."""
        return self.sequence is not None and self.sequence.state is State.ENDED

    def close(self) -> None:
        """Free what it holds in C, and the adapter."""
        if self.sight is not None:
            self.sight.free()
        self.sampler.close()
        if self.lease is not None:
            self.lease.close()
