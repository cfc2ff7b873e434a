"""How good is the best of many settings, when it was chosen by the very texts that judge it?"""

import numpy as np
from numpy.typing import NDArray

from sentilab.compare.paired import Interval

DRAWS = 1000
AT_ONCE = 50  # draws in one product, so that 50,000 texts need no gigabytes


def honest_best(
    judged: NDArray[np.floating], reported: NDArray[np.floating], *, draws: int = DRAWS
) -> tuple[float, Interval]:
    """(mean, 95% interval) of what the chosen setting reaches on texts that did not choose it.

    ``judged`` and ``reported`` have shape (settings, texts): by ``judged``, of which more is better,
    a setting is chosen, and ``reported`` is what is then said of it. Texts are drawn with
    replacement; the setting that is best on those drawn is reported on those that were not.

    Raises ValueError if the shapes differ or there are fewer than two texts.
    Source: Tsamardinos, Greasidou and Borboudakis (2018), algorithm 5 (BBC-CV), for one hold-out.
    """
    if judged.shape != reported.shape or judged.ndim != 2 or judged.shape[1] < 2:
        raise ValueError(f"The figures have shapes {judged.shape} and {reported.shape}.")
    texts = judged.shape[1]
    random = np.random.default_rng(0)
    found: list[float] = []
    for first in range(0, draws, AT_ONCE):
        rows = random.integers(texts, size=(min(AT_ONCE, draws - first), texts))
        drawn = np.stack([np.bincount(one, minlength=texts) for one in rows]).astype(np.float32)
        left = (drawn == 0).astype(np.float32)
        best = (drawn @ judged.T.astype(np.float32)).argmax(axis=1)
        sums = (left @ reported.T.astype(np.float32))[np.arange(len(best)), best]
        found += (sums / np.maximum(left.sum(axis=1), 1)).tolist()
    low, high = np.percentile(found, (2.5, 97.5))
    return float(np.mean(found)), Interval(float(low), float(high))
