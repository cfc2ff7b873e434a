"""Two classifiers on the same texts, and one classifier over seeds.

Intervals are at 95% unless another level is asked for. Those over texts say what another draw of test texts might have given; those
over seeds, what another seed might have given. Neither says both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Interval(NamedTuple):
    """A confidence interval, both ends included."""

    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of the first less that of the second; ``p_value`` is McNemar's exact one."""

    difference: float
    interval: Interval
    p_value: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return not self.interval.low <= 0 <= self.interval.high


def accuracy_interval(correct: int, texts: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for ``correct`` right answers on ``texts`` texts.

    Source: Wilson (1927), as equation 4 in Brown, Cai and DasGupta (2001).
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = correct / texts
    centre = share + z**2 / (2 * texts)
    half = z * math.sqrt(share * (1 - share) / texts + z**2 / (4 * texts**2))
    scale = 1 + z**2 / texts
    # Rounding must not push the interval off the share it is about.
    return Interval(min((centre - half) / scale, share), max((centre + half) / scale, share))


def mcnemar_exact(first_correct: NDArray[np.bool_], second_correct: NDArray[np.bool_]) -> float:
    """Two-sided exact p-value that two classifiers err equally often on the same texts.

    Both arrays have shape (texts,), in the same order. Only discordant pairs carry
    information; with none, the answer is 1.

    Raises ValueError if the shapes differ.
    Source: McNemar (1947); exact form as in Dietterich (1998), section 3.
    """
    from scipy.special import bdtr

    _, first_only, second_only, _ = _table(first_correct, second_correct)
    fewer, discordant = min(first_only, second_only), first_only + second_only
    return min(1.0, 2 * float(bdtr(fewer, discordant, 0.5)))


def paired_difference(
    first_correct: NDArray[np.bool_], second_correct: NDArray[np.bool_], level: float = 0.95
) -> PairedDifference:
    """The difference of two accuracies on the same texts, both arrays of shape (texts,).

    Raises ValueError if the shapes differ or there are no texts.
    Source: Newcombe (1998), Statistics in Medicine 17:2635, method 10.
    """
    both, first_only, second_only, neither = _table(first_correct, second_correct)
    texts = both + first_only + second_only + neither
    if not texts:
        raise ValueError("There are no texts to compare on.")
    p1, p2 = (both + first_only) / texts, (both + second_only) / texts
    first = accuracy_interval(both + first_only, texts, level)
    second = accuracy_interval(both + second_only, texts, level)
    phi = _correlation(both, first_only, second_only, neither, texts)
    below = _hypotenuse(p1 - first.low, second.high - p2, phi)
    above = _hypotenuse(first.high - p1, p2 - second.low, phi)
    return PairedDifference(
        difference=p1 - p2,
        interval=Interval(p1 - p2 - below, p1 - p2 + above),
        p_value=mcnemar_exact(first_correct, second_correct),
    )


def mean_interval(values: Sequence[float]) -> tuple[float, float, Interval]:
    """(mean, standard deviation, Student's 95% interval of the mean) of two or more values."""
    from scipy.special import stdtrit

    if len(values) < 2:
        raise ValueError("An interval over seeds needs at least two of them.")
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(stdtrit(len(values) - 1, 0.975)) * deviation / math.sqrt(len(values))
    return mean, deviation, Interval(mean - half, mean + half)


def _table(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """How many texts (both, only the first, only the second, neither) answered rightly."""
    if first.shape != second.shape:
        raise ValueError(f"The answers have shapes {first.shape} and {second.shape}.")
    return (
        int((first & second).sum()),
        int((first & ~second).sum()),
        int((~first & second).sum()),
        int((~first & ~second).sum()),
    )


def _correlation(a: int, b: int, c: int, d: int, texts: int) -> float:
    """Newcombe's phi, with his continuity correction where it is positive."""
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if not margins:
        return 0.0
    determinant = float(a * d - b * c)
    if determinant > 0:
        determinant = max(determinant - texts / 2, 0.0)
    return determinant / math.sqrt(margins)


def _hypotenuse(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))
