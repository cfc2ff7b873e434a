"""The IMDB reviews as the arrays that every contender trains on."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def save(folder: Path, lengths: Iterable[int]) -> str:
    """Writes x-LENGTH.npy and y-LENGTH.npy for each length; returns the dataset's name.

    x is int32 of shape (25000, length), padded in front; y is float32 of shape (25000,). They are
    the training reviews in a random order, the same for every length.

    Raises sentilab.errors.DataNotFound, naming the places looked at, where there are no reviews.
    """
    from sentilab import data
    from sentilab.text import cache_folder
    from sentilab.training import Preparation, RunSettings

    dataset = data.load("imdb")
    preparation = Preparation(dataset, cache_folder())
    for length in sorted(set(lengths)):
        settings = RunSettings("mlp", protocol="notebook", length=length)
        part = preparation.examples(settings).train
        # The reviews lie sorted by label: in that order a model would learn nothing from most
        # batches, and gradients near zero are not what training meets.
        order = np.random.default_rng(297).permutation(len(part.labels))
        np.save(folder / f"x-{length}.npy", part.x[order].astype(np.int32))
        np.save(folder / f"y-{length}.npy", part.labels[order].astype(np.float32))
    return dataset.name


def mean_distinct(x: NDArray[np.int32], batch: int, batches: int = 64) -> float:
    """How many different tokens a batch of ``x`` (texts, length) holds on average."""
    counts = [
        len(np.unique(x[first : first + batch]))
        for first in range(0, min(len(x) - batch + 1, batch * batches), batch)
    ]
    return float(np.mean(counts))
