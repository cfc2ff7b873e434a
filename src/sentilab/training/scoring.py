"""A model's answers on encoded texts, and what they are worth.

Texts of a model that ignores padding are sorted by length and cropped to the longest of their batch:
padding then costs nothing.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab import models
from sentilab.training.examples import Part

# Scoring has no effect on the weights, so its batch is chosen for speed alone; it is fixed because
# another batch size may change the last bits of a probability.
SCORING_BATCH = 256

# Keras clips probabilities to [1e-7, 1 - 1e-7] before taking the logarithm (keras.config.epsilon).
CLIP = 1e-7

# A text of up to so many tokens is cropped to a multiple of this. Each length that occurs is compiled
# for once, which takes as long as dozens of steps; with these a tenth of what is computed is padding.
_STEPS = ((64, 32), (512, 64), (1024, 128), (2048, 256))


def lengths_of(x: NDArray[np.int32]) -> NDArray[np.int64]:
    """Tokens of each text, what stands before its first one left out; at least 1. Shape (texts,)."""
    there = x != 0
    first = np.where(there.any(axis=1), there.argmax(axis=1), x.shape[1] - 1)
    return np.asarray(x.shape[1] - first, np.int64)


def cropped_lengths(lengths: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
    """The few lengths that texts are cropped to: the next of 32, 64, 128, 192, ..., or ``longest``."""
    lengths = np.asarray(lengths, np.int64)
    step = np.full(lengths.shape, 512)
    for limit, one in reversed(_STEPS):
        step[lengths <= limit] = one
    return np.asarray(np.minimum(-(-lengths // step) * step, longest), np.int64)


def score(model: Any, part: Part) -> NDArray[np.float32]:
    """Probabilities of shape (texts, classes); two-label models answer p(second label)."""
    found = answers(model, part.x)
    if found.shape[1] == 1:
        found = np.concatenate([1 - found, found], axis=1)
    return found.astype(np.float32)


def answers(model: Any, x: NDArray[np.int32]) -> NDArray[np.float32]:
    """What the model gives out for the texts ``x`` (texts, length): shape (texts, answers)."""
    if not len(x) or not models.ignores_padding(model):
        return np.asarray(model.predict(x, batch_size=SCORING_BATCH, verbose=0))
    found: NDArray[np.float32] | None = None
    for rows, length in _by_length(x):
        some = model.predict(x[rows, -length:], batch_size=SCORING_BATCH, verbose=0)
        if found is None:
            found = np.empty((len(x), *some.shape[1:]), some.dtype)
        found[rows] = some
    assert found is not None
    return found


def _by_length(x: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Whole batches of texts that are cropped to one length, shortest first."""
    lengths = lengths_of(x)
    order = np.argsort(lengths, kind="stable")
    batches = [order[at : at + SCORING_BATCH] for at in range(0, len(order), SCORING_BATCH)]
    cropped = cropped_lengths(np.asarray([lengths[one[-1]] for one in batches]), x.shape[1])
    for length in np.unique(cropped):
        alike = [one for one, its in zip(batches, cropped, strict=True) if its == length]
        yield np.concatenate(alike), int(length)


def metrics(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64]
) -> tuple[float, float]:
    """Mean cross-entropy (nats, clipped as Keras clips) and accuracy of (texts, classes)."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    loss = -np.log(np.clip(chosen, CLIP, 1 - CLIP)).mean()
    return float(loss), float((probabilities.argmax(axis=1) == labels).mean())
