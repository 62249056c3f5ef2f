"""How far ratings and flags are believed: pure formulas against bombing and false reports."""

import math

WINDOW_HOURS = 1
USUAL_DAYS = 30
# A store's quietest app still gets so many ratings an hour by chance.
LEAST_AN_HOUR = 0.2
FEWEST_IN_A_BURST = 6
# One false alarm in ten thousand quiet hours.
IMPROBABLE = 1e-4
MOST_FLAGS_A_WEEK = 12
HELD_AT = 2.0


def is_burst(in_window: int, in_usual: int) -> bool:
    """Whether ratings come so fast that they are not likely to be independent.

    The upper tail of a Poisson distribution whose rate is the app's own of the last thirty days:
    P(X >= n) = 1 - sum of e^-m m^k / k! below n. An app with 30 ratings a month expects 0.24 an
    hour; six in one hour have a probability of 2e-7.

    Args:
        in_window: ratings of the last hour, the one in question included.
        in_usual: ratings of the thirty days before.
    """
    if in_window < FEWEST_IN_A_BURST:
        return False
    mean = LEAST_AN_HOUR + in_usual * WINDOW_HOURS / (USUAL_DAYS * 24)
    below = sum(
        math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
        for count in range(in_window)
    )
    return 1 - below < IMPROBABLE


def accuracy(upheld: int, rejected: int) -> float:
    """How often a reporter has been right, from 0 to 1; half for somebody new.

    Laplace's rule of succession (s + 1)/(n + 2). Three right and one wrong give 0.67.
    """
    return (upheld + 1) / (upheld + rejected + 2)


def flags_a_week(upheld: int, rejected: int) -> int:
    """How many ratings a reporter may flag in a week: one at least, more the more often right."""
    return max(1, round(MOST_FLAGS_A_WEEK * accuracy(upheld, rejected)))


def is_held(accuracies: list[float]) -> bool:
    """Whether the open flags of a rating, weighed by their reporters, hide it until it is read.

    Four people who never flagged before, or three who are mostly right.
    """
    return sum(accuracies) >= HELD_AT
