"""How many seeds a comparison would need."""

import math
from collections.abc import Callable

import numpy as np

from sentilab.compare.critical import chance_of_exceeding, critical_value
from sentilab.compare.differences import Difference

POWER = 0.8
MOST = 1000  # seeds; a comparison that needs more will not be made


def seeds_to_detect(difference: Difference, size: float, alpha: float = 0.05) -> int | None:
    """The fewest seeds in all at which a true difference of ``size`` is found in 80% of cases.

    Found: its two-sided p-value is at most ``alpha``. The deviation from seed to seed and the
    texts' part of the variance are taken as this difference shows them. None where no number of
    seeds will do, because the test texts are too few, and where there is one seed to judge by.
    """
    return _fewest(
        difference,
        lambda seeds_part, texts_part, seeds: (
            power(size, seeds_part, texts_part, seeds, alpha) >= POWER
        ),
    )


def seeds_to_settle(difference: Difference, margin: float, alpha: float = 0.05) -> int | None:
    """The fewest seeds in all at which the interval is no longer than ``margin``.

    Such an interval leaves out 0, or else lies within the margin of it. None as above.
    """
    return _fewest(
        difference,
        lambda seeds_part, texts_part, seeds: (
            2 * _half_length(seeds_part, texts_part, seeds, alpha) <= margin
        ),
    )


def _fewest(difference: Difference, enough: Callable[[float, float, int], bool]) -> int | None:
    """The smallest number of seeds that is ``enough``, which more seeds never cease to be."""
    if difference.seed_deviation is None or difference.covers != "test texts and seeds":
        return None
    variance = difference.seed_deviation**2
    texts_part = (1 - (difference.seed_share or 0.0)) * difference.standard_error**2

    def tried(seeds: int) -> bool:
        return enough(variance / seeds, texts_part, seeds)

    if not tried(MOST):
        return None
    low, high = 1, 2  # one seed is never enough: it has no deviation
    while not tried(high):
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tried(middle) else (middle, high)
    return high


def _half_length(seeds_part: float, texts_part: float, seeds: int, alpha: float) -> float:
    variance = seeds_part + texts_part
    if not variance:
        return 0.0
    return critical_value(seeds_part / variance, seeds - 1, alpha) * math.sqrt(variance)


def power(size: float, seeds_part: float, texts_part: float, seeds: int, alpha: float) -> float:
    """The chance that a true difference of ``size`` is found with a p-value of at most ``alpha``.

    The variance of the difference is ``seeds_part`` + ``texts_part``, of which the former is
    estimated from the seeds.
    """
    variance = seeds_part + texts_part
    if not variance:
        return 1.0
    share, shift = np.array([seeds_part / variance]), abs(size) / math.sqrt(variance)
    return min(1.0, float(chance_of_exceeding(seeds - 1, alpha, share, shift)[0]))
