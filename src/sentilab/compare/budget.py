"""What a budget of trials buys: the best validation score to be expected of so many."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def expected_best(scores: Sequence[float], *, replace: bool = False) -> NDArray[np.float64]:
    """The expected maximum of 1, 2, ..., trials drawn from ``scores``: shape (trials,).

    ``scores`` are validation scores, of which higher is better. By default draws are without
    replacement, which is unbiased for every number of trials (Tang et al. 2020, equation 6); with
    ``replace`` it is the estimate of Dodge et al. (2019), equation 2, which is too low for more
    than one trial and stays below the best score seen.

    Raises ValueError without scores.
    """
    if not len(scores):
        raise ValueError("Without a score there is no best one.")
    ordered = np.sort(np.asarray(scores, np.float64))
    trials = len(ordered)
    drawn = np.arange(1, trials + 1)[:, None]
    rank = np.arange(0, trials + 1)
    if replace:
        at_most = (rank / trials) ** drawn
    else:
        # C(rank, drawn) / C(trials, drawn), as a running product that cannot overflow.
        factors = np.maximum(rank - (drawn - 1), 0) / (trials - (drawn - 1))
        at_most = np.cumprod(factors, axis=0)
    return np.asarray(np.diff(at_most, axis=1) @ ordered)
