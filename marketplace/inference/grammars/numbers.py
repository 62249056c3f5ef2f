"""Numbers between bounds as GBNF. Pure."""

from dataclasses import dataclass
from math import ceil, floor

MOST_DIGITS = 15  # a double holds every whole number of so many digits
FRACTION = f'("." [0-9]{{1,{MOST_DIGITS}}})?'
NOT_ZERO = f'"." [0-9]{{0,{MOST_DIGITS - 1}}} [1-9]'
EXPONENT = "([eE] [-+]? [0-9]{1,2})?"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most a number may be; None where there is no bound."""

    least: float | None = None
    most: float | None = None
    is_above: bool = False  # more than `least`, not equal
    is_below: bool = False  # less than `most`, not equal

    @property
    def is_free(self) -> bool:
        """Whether every number will do."""
        return self.least is None and self.most is None


def whole(bounds: Bounds) -> str:
    """The GBNF of the whole numbers within bounds; empty where there is none."""
    least, most = bounds.least, bounds.most
    lowest = None if least is None else floor(least) + 1 if bounds.is_above else ceil(least)
    highest = None if most is None else ceil(most) - 1 if bounds.is_below else floor(most)
    return " | ".join(_signed(lowest, highest))


def decimal(bounds: Bounds) -> str:
    """The GBNF of numbers within bounds; empty where none can be said.

    Bounds that are no whole numbers are drawn in to the next ones: between 0.5 and 9.5 the
    numbers from 1 to 9 are written.
    """
    if bounds.is_free:
        return f'"-"? {_up_to(0, None)} {FRACTION} {EXPONENT}'
    least = None if bounds.least is None else ceil(bounds.least)
    most = None if bounds.most is None else floor(bounds.most)
    is_above = bounds.is_above and least == bounds.least
    is_below = bounds.is_below and most == bounds.most
    upper = _magnitudes(least, most, is_above=is_above, is_below=is_below)
    lower = _magnitudes(
        None if most is None else -most,
        None if least is None else -least,
        is_above=is_below,
        is_below=is_above,
    )
    return " | ".join([*upper, *(f'"-" ({text})' for text in lower)])


def _magnitudes(
    least: int | None, most: int | None, *, is_above: bool, is_below: bool
) -> list[str]:
    """Numbers from 0 on, between whole bounds, with digits after the point."""
    if most is not None and (most < 0 or (most == 0 and is_below)):
        return []
    choices = []
    if least is None or least < 0:
        least, is_above = 0, False
    if most is not None and least > most:
        return []
    if not is_above:
        # From the bound itself on, and with any digits as long as the next bound is not reached.
        start = least
    else:
        start = least + 1
        if most is None or least < most:
            choices.append(f"{_up_to(least, least)} {NOT_ZERO}")
    last = None if most is None else most - 1
    if last is None or start <= last:
        choices.append(f"{_up_to(start, last)} {FRACTION}")
    if most is not None and not is_below and most >= start:
        choices.append(_up_to(most, most))
    return choices


def _signed(least: int | None, most: int | None) -> list[str]:
    if least is not None and most is not None and least > most:
        return []
    choices = []
    if most is None or most >= 0:
        choices.append(_up_to(max(least or 0, 0), most))
    if least is None or least < 0:
        low = 1 if most is None or most >= 0 else -most
        choices.append(f'"-" {_up_to(low, None if least is None else -least)}')
    return choices


def _up_to(least: int, most: int | None) -> str:
    """Whole numbers from `least`, 0 or more, to `most`, without leading zeros."""
    highest = 10**MOST_DIGITS - 1 if most is None else min(most, 10**MOST_DIGITS - 1)
    choices = []
    digits = len(str(least))
    while digits <= len(str(highest)):
        low = max(least, 10 ** (digits - 1) if digits > 1 else 0)
        high = min(highest, 10**digits - 1)
        choices.append(_same_length(str(low), str(high)))
        digits += 1
    return f"({' | '.join(choices)})"


def _same_length(low: str, high: str) -> str:
    """Numbers between two of one length: 23 to 57 is 2[3-9] | [3-4][0-9] | 5[0-7]."""
    if not low:
        return ""
    if set(low) == {"0"} and set(high) == {"9"}:
        return f"[0-9]{{{len(low)}}}"
    if low[0] == high[0]:
        return f'"{low[0]}" {_same_length(low[1:], high[1:])}'.strip()
    rest = len(low) - 1
    choices = []
    first, last = int(low[0]), int(high[0])
    if low[1:] != "0" * rest:
        choices.append(f'"{first}" ({_same_length(low[1:], "9" * rest)})')
        first += 1
    tail = []
    if high[1:] != "9" * rest:
        tail.append(f'"{last}" ({_same_length("0" * rest, high[1:])})')
        last -= 1
    if first <= last:
        choices.append(f"[{first}-{last}]" + (f" [0-9]{{{rest}}}" if rest else ""))
    return f"({' | '.join(choices + tail)})"
