"""What the store's order follows: pure formulas, each with its source and a worked number."""

import math

# How many average ratings every app starts with.
PRIOR_RATINGS = 10
WORST, BEST = 1, 5
# What a store's ratings average while it has none.
MIDDLE = (WORST + BEST) / 2
RECENT_DAYS = 7
BASELINE_DAYS = 14
# So many people in a week make a rise half believable.
BELIEVABLE_PEOPLE = 20
SMOOTHING_PEOPLE = 5
# What the best possible rating adds to the prior, and the worst takes away.
QUALITY_WEIGHT = 0.2


def rating_average(total: int, count: int, *, store_average: float) -> float:
    """An app's rating, drawn towards the store's average while few people have rated.

    The Bayesian average (C·m + Σ)/(C + n) that addons.mozilla.org sorts by, with C = 10. One
    rating of 5 where the store averages 4 gives 4.09, and 100 of them give 4.91.
    """
    return (PRIOR_RATINGS * store_average + total) / (PRIOR_RATINGS + count)


def prior(people: int, rating: float) -> float:
    """How much an app counts before anybody has typed a word.

    log₂(2 + people), as addons.mozilla.org weighs daily users in its search, times 0.8 to 1.2
    by the Bayesian rating. 1,000 people and a rating of 4 give 9.97 by 1.1, 10.96.
    """
    quality = 1 + QUALITY_WEIGHT * (rating - MIDDLE) / (BEST - MIDDLE)
    return math.log2(2 + people) * quality


def trend(recent: int, baseline: int) -> float:
    """How strongly an app rises, from 0 (not at all) towards 1.

    Flathub's trending: the last seven days over an earlier fortnight, times the confidence
    v/(v + k), with a bounded growth. It counts people, not runs, so that one account cannot
    lift an app by more than one.

    Args:
        recent: people who used it in the last 7 days.
        baseline: people who used it in the 14 days before.

    40 people after 20 in a fortnight: growth log₂(45/15) = 1.58, tanh 0.92, confidence 40/60,
    together 0.61.
    """
    weekly = baseline * RECENT_DAYS / BASELINE_DAYS
    growth = math.log2((recent + SMOOTHING_PEOPLE) / (weekly + SMOOTHING_PEOPLE))
    if growth <= 0:
        return 0.0
    return math.tanh(growth) * recent / (recent + BELIEVABLE_PEOPLE)
