"""What the places of the KV cache hold, and how much of it a new prompt may take over. Pure.

A place is one sequence of a split KV cache. Its content stays after its request has ended, until
the place is needed, and it may be copied while it still grows. Two rules keep apps and people
apart: nothing passes from one namespace (a release and its adapter) to another, and within one
what lies behind the system prompt passes only to the person who typed it.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

type_tokens = npt.NDArray[np.int32]


@dataclass(slots=True, eq=False)
class Content:
    """The tokens whose keys and values one place holds.

    Args:
        app: whose quota it counts against.
        person: who typed what lies behind the shared part; empty for nobody.
        tokens: room for the prompt and the whole answer.
        known: how many of `tokens` are written.
        shared: how many of the first tokens everyone in the namespace may take over.
        length: how many of the first tokens are in the cells.
        used_at: when it was last computed for or copied, in monotonic seconds.
    """

    namespace: Hashable
    app: str
    person: str
    tokens: type_tokens
    known: int
    shared: int
    place: int = -1
    length: int = 0
    used_at: float = 0.0

    def open_to(self, other: "Content") -> int:
        """How many of its first tokens `other`, of the same namespace, may take over at most."""
        if self.person and self.person == other.person:
            return self.known
        return min(self.shared, other.shared)


@dataclass(frozen=True, slots=True)
class Match:
    """The first `count` tokens of a content are those of the prompt asked for."""

    content: Content
    count: int


def common_length(one: type_tokens, other: type_tokens) -> int:
    """How many of the first tokens two texts have in common."""
    size = min(len(one), len(other))
    differs = one[:size] != other[:size]
    at = int(differs.argmax()) if size else 0
    return at if size and differs[at] else size


def longest(wanted: Content, contents: Iterable[Content], *, least: int) -> Match | None:
    """The content from which most can be taken over, if that is at least `least` tokens.

    The last token of a prompt is always computed anew: its logits are what is wanted.
    """
    return _longest(wanted, ((content, content.length) for content in contents), least)


def coming(wanted: Content, contents: Iterable[Content], *, least: int) -> Match | None:
    """As `longest`, but of what contents will hold once their prompts are read."""
    return _longest(wanted, ((content, content.known) for content in contents), least)


def _longest(wanted: Content, contents: Iterable[tuple[Content, int]], least: int) -> Match | None:
    best, most = None, max(0, least - 1)
    for content, held in contents:
        limit = min(held, content.open_to(wanted), wanted.known - 1)
        if limit > most and content is not wanted:
            count = common_length(content.tokens[:limit], wanted.tokens[:limit])
            if count > most:
                best, most = content, count
    return None if best is None else Match(best, most)
