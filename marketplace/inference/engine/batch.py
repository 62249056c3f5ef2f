"""From a step of the scheduler's to llama.cpp's batch."""

from collections.abc import Hashable, Mapping
from itertools import count

import numpy as np

from marketplace.inference.engine.context import Context
from marketplace.inference.engine.tickets import Ticket
from marketplace.inference.ledger import Transfer
from marketplace.inference.sequences import Chunk, Sequence, Step


class BatchWriter:
    """Knows the last token and the next position of every place, so that a step is a few slices.

    Attributes:
        tickets: of those who wrote last, in the order of their places.
    """

    def __init__(self, context: Context) -> None:
        self.tickets: list[Ticket] = []
        self._context = context
        self._last_token = np.zeros(context.places, dtype=np.int32)
        self._next_position = np.zeros(context.places, dtype=np.int32)
        self._decoding: tuple[Sequence, ...] = ()
        self._places = np.zeros(0, dtype=np.int32)

    def transfer(self, transfer: Transfer) -> None:
        """Copy what one place holds to another."""
        self._context.transfer(transfer.source, transfer.place, transfer.count)
        self._last_token[transfer.place] = self._last_token[transfer.source]

    def write(self, step: Step, tickets: Mapping[Hashable, Ticket]) -> list[tuple[Ticket, int]]:
        """Write a step into the batch. Returns: whose logits come back, in row order."""
        self._context.clear_batch()
        if step.chunks:
            return [end for chunk in step.chunks for end in self._write_chunk(chunk, tickets)]
        # The scheduler hands out the same tuple until somebody joins, leaves or moves, so a step
        # in which all go on costs no work per sequence here.
        if step.decoding is not self._decoding:
            self._decoding = step.decoding
            self._places = np.array([s.place for s in step.decoding], dtype=np.int32)
            self._next_position[self._places] = [s.content.length for s in step.decoding]
            self.tickets = [tickets[s.key] for s in step.decoding]
        last, following = self._last_token[self._places], self._next_position[self._places]
        first = self._context.put_decoding(self._places, last, following)
        return list(zip(self.tickets, count(first), strict=False))

    def computed(self) -> None:
        """Move everybody one position on who was in the writing step computed last."""
        self._next_position[self._places] += 1

    def move_on(self, place: int) -> None:
        """Move one place on, whose guessed token was right."""
        self._next_position[place] += 1

    def take(self, place: int, token: int) -> None:
        """Note the token that a place computes next."""
        self._last_token[place] = token

    def _write_chunk(
        self, chunk: Chunk, tickets: Mapping[Hashable, Ticket]
    ) -> list[tuple[Ticket, int]]:
        sequence, start = chunk.sequence, chunk.start
        tokens = sequence.content.tokens[start : start + chunk.count]
        index = self._context.put_prompt(sequence.place, tokens, start, is_last=chunk.is_last)
        return [(tickets[sequence.key], index)] if chunk.is_last else []
