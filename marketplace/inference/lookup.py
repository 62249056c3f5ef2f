"""Prompt lookup: guessing an answer's next tokens from what followed its last ones before. Pure.

Answers quote: a summary repeats its text, a correction most of it. Where the last three tokens
stood before in the prompt or the answer, what followed then is a fair guess, and llama.cpp checks
several guessed tokens in one step. Whether that pays is measured, for each answer and machine.
"""

from marketplace.inference.prefixes import type_tokens

GRAM = 3  # tokens that have to agree before what followed them is guessed
SMOOTHING = 0.25  # weight of the newest measurement in a running mean
FIRST_HOPE = 1.0  # tokens of a guess that are assumed right before any was checked
REST = 32  # tokens an answer goes on without guesses after they did not pay


class Costs:
    """What a step of one answer takes with guesses and without, in running means of seconds."""

    def __init__(self) -> None:
        self._plain_s: float | None = None
        self._guessed_s: float | None = None

    def measured(self, took_s: float, *, is_guessed: bool) -> None:
        """Learn from a step."""
        if is_guessed:
            self._guessed_s = _mean(self._guessed_s, took_s)
        else:
            self._plain_s = _mean(self._plain_s, took_s)

    def pays(self, hope: float) -> bool:
        """Whether a step with guesses, `hope` of which are right, makes more tokens a second.

        A step of 10 ms makes one token; one of 14 ms with 0.5 right guesses makes 1.5, which pays.
        """
        if self._plain_s is None or self._guessed_s is None:
            return True
        return (1 + hope) * self._plain_s > self._guessed_s


class Lookup:
    """Guesses for one answer, and how many of them came true."""

    def __init__(self) -> None:
        self._after: dict[tuple[int, ...], int] = {}
        self._indexed = 0
        self._resting = 0
        self._hope = FIRST_HOPE

    def guess(self, tokens: type_tokens, costs: Costs, *, most: int) -> list[int]:
        """What may follow `tokens`, which may only have grown since the last call.

        Costs no more for a long text than for a short one, beyond what is new of it.

        Args:
            most: more tokens than these are of no use.
        """
        if self._resting:
            self._resting -= 1
            return []
        if not costs.pays(self._hope):
            # The next try begins with an open mind: texts change.
            self._resting, self._hope = REST, FIRST_HOPE
            return []
        new = tokens[self._indexed :].tolist()
        for start in range(len(new) - GRAM):
            self._after[tuple(new[start : start + GRAM])] = self._indexed + start + GRAM
        found = self._after.get(tuple(new[-GRAM:]))
        self._indexed = max(self._indexed, len(tokens) - GRAM)
        return [] if found is None else tokens[found : found + most].tolist()

    def checked(self, right: int) -> None:
        """Learn how many tokens of the last guess were right."""
        self._hope += SMOOTHING * (right - self._hope)


def _mean(known: float | None, newest: float) -> float:
    return newest if known is None else known + SMOOTHING * (newest - known)
