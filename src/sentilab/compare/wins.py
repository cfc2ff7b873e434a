"""How often a newly trained run of one setting would beat one of another."""

import math

import numpy as np
from numpy.typing import NDArray

from sentilab.compare.paired import Interval

ROUNDING = 1e-12  # a deviation below this is that of adding up equal numbers
LARGE = 300.0  # beyond this t the chance is 0 or 1 to six digits at any number of seeds above 2


def winning(
    differences: NDArray[np.float64], level: float = 0.95
) -> tuple[float | None, Interval | None]:
    """(estimate, interval) of the chance that a new seed's difference is above zero.

    ``differences`` has shape (seeds,), two or more, taken as normal: the chance is Phi(mean / sd).
    The interval is exact: sqrt(seeds) * mean / sd has a noncentral t distribution, whose
    noncentrality is bounded by inverting it. (None, None) where all are equal, as they are for
    models that no seed changes.
    Source: Reiser and Guttman (1986), section 2, for paired differences; Owen (1968).
    """
    from scipy.special import nctdtrinc, ndtr

    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation <= ROUNDING * max(1.0, abs(mean)):
        return None, None
    root, freedom = math.sqrt(len(differences)), len(differences) - 1
    t = max(-LARGE, min(LARGE, root * mean / deviation))
    low, high = (
        float(nctdtrinc(freedom, chance, t)) / root for chance in ((1 + level) / 2, (1 - level) / 2)
    )
    return float(ndtr(mean / deviation)), Interval(float(ndtr(low)), float(ndtr(high)))
