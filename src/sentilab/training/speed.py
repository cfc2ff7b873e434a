"""How fast a trained model answers here: measured on encoded texts, once it is warm."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Enough to time, few enough that a run does not take noticeably longer for it.
BATCHES, REPEATS, ENOUGH_SECONDS = 2, 3, 2.0


def measure(model: Any, x: NDArray[np.int32], batch: int) -> dict[str, Any]:
    """Times ``model.predict`` on the first of the texts ``x`` (texts, length), ``batch`` at a time.

    The model must have answered a batch of this size before, so that nothing is compiled here. The
    answer is what speed.json holds: how many texts, and the seconds of each repeat.
    """
    texts = min(len(x) // batch, BATCHES) * batch or len(x)
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH_SECONDS:
        started = time.perf_counter()
        model.predict(x[:texts], batch_size=batch, verbose=0)
        seconds.append(round(time.perf_counter() - started, 6))
    return {"texts": texts, "batch": batch, "seconds": seconds}
