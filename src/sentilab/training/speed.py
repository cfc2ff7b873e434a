"""How fast a trained model answers here: measured on encoded texts, once it is warm."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.training.scoring import SCORING_BATCH, answers

# Enough to time, few enough that a run does not take noticeably longer for it.
BATCHES, REPEATS, ENOUGH_SECONDS = 2, 3, 2.0


def measure(model: Any, x: NDArray[np.int32]) -> dict[str, Any]:
    """Times ``scoring.answers`` on the first of the texts ``x`` (texts, length).

    Once untimed, so that nothing is compiled while the clock runs. The answer is what speed.json
    holds: how many texts, and the seconds of each repeat.
    """
    texts = min(len(x) // SCORING_BATCH, BATCHES) * SCORING_BATCH or len(x)
    answers(model, x[:texts])
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH_SECONDS:
        started = time.perf_counter()
        answers(model, x[:texts])
        seconds.append(round(time.perf_counter() - started, 6))
    return {"texts": texts, "batch": SCORING_BATCH, "seconds": seconds}
