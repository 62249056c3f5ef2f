"""What the store's order follows: pure formulas, each with its source and a worked number."""

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

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
# A day with an app says half as much about what somebody likes now after so many days.
INTEREST_HALF_LIFE_DAYS = 14
# So many people who use both make a likeness half believable.
BELIEVABLE_SHARED = 5
SAME_SHELF = 0.05
NEAR = 0.25
NEAR_SHARE = 0.7
MEANING_WEIGHT = 4.0

Found = TypeVar("Found")


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
    return math.log2(2 + people) * _quality(rating)


def _quality(rating: float) -> float:
    """0.8 for the worst rating, 1.2 for the best."""
    return 1 + QUALITY_WEIGHT * (rating - MIDDLE) / (BEST - MIDDLE)


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


def interest(days_ago: Iterable[int]) -> float:
    """How much a person is drawn to an app now, by the days on which they ran it.

    Each day counts once, however often the app ran on it, and half as much for every 14 days
    that it lies back: the gradual forgetting of Koychev (ECAI 2000). Today and a fortnight ago
    give 1.5.
    """
    return sum(math.exp2(-days / INTEREST_HALF_LIFE_DAYS) for days in set(days_ago))


def likeness(shared: int, asked: int, people: int, *, is_same_shelf: bool, rating: float) -> float:
    """How well an app fits somebody who uses a certain other one.

    Item-to-item filtering (Linden, Smith and York, IEEE Internet Computing 2003): the cosine
    s/√(asked·people), so that what everybody uses fits nobody in particular, times the
    confidence s/(s + 5); the same shelf adds 0.05; a rating makes it 0.8 to 1.2 times that.
    People are counted, never runs, and the first of them does not count (s = shared - 1), so
    one account lifts nothing by itself.

    Args:
        shared: people who use both, of those that were asked.
        asked: people of the certain app whose use was looked at.
        people: everybody who uses this app.

    11 shared of 100 asked, 25 people in all, the same shelf and a rating of 3: cosine 10/50,
    confidence 10/15, together 0.13 + 0.05 = 0.18.
    """
    counted = max(0, shared - 1)
    cosine = counted / math.sqrt(max(asked, shared, 1) * max(people, shared, 1))
    believed = cosine * counted / (counted + BELIEVABLE_SHARED)
    return (believed + SAME_SHELF * is_same_shelf) * _quality(rating)


def closeness(cosine: float, *, usual: float) -> float:
    """How near two meanings are, 0 to 1, whatever the model: (c - u)/(1 - u).

    Vectors of a model lie in a narrow cone, each model's of another width, so that a cosine says
    nothing by itself (Ethayarajh, EMNLP 2019). It is measured from the query's mean cosine with
    all apps, which is that of apps that have nothing to do with it.

    Args:
        usual: the mean.

    0.87 where 0.75 is usual is as near as 0.5 where 0.04 is: 0.48.
    """
    if usual >= 1:
        return 0.0
    return min(1.0, max(0.0, (cosine - usual) / (1 - usual)))


def only_near(closenesses: Mapping[Found, float]) -> dict[Found, float]:
    """Those that are near by themselves, and not much farther than the nearest.

    Something is always the nearest, to nonsense too: below 0.25 nothing counts, and nothing that
    is less than 0.7 times as near as the nearest.
    """
    least = max(NEAR, NEAR_SHARE * max(closenesses.values(), default=0.0))
    return {found: value for found, value in closenesses.items() if value >= least}


def blended(words: float, closeness: float, prior: float) -> float:
    """The place of an app in a search, by its words, its meaning, and how much it counts.

    A linear combination of both scores, which orders better than fusing ranks (Bruch, Gai and
    Ingber, ACM TOIS 2023), times the prior. Meaning the very same is worth 4, between words in
    the summary (3) and in the name (8), and nothing near the name itself (1,000).

    Words in the description (1) and a closeness of 0.5 for an app with a prior of 2 give 6.
    """
    return (words + MEANING_WEIGHT * closeness) * prior
