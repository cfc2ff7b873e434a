"""Which training texts make which batch, epoch by epoch: functions of the seed and the epoch alone.

So a resumed run meets the same batches.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab import models
from sentilab.training.scoring import cropped_lengths, lengths_of


def epoch_order(seed: int, epoch: int, texts: int) -> NDArray[np.int64]:
    """The order of the training texts in one epoch (from 1): shape (texts,)."""
    return np.random.default_rng([seed, epoch]).permutation(texts)


def bucketed_order(
    seed: int, epoch: int, lengths: NDArray[np.int64], batch_size: int, longest: int
) -> list[NDArray[np.int64]]:
    """The rows of each batch of one epoch (from 1), texts of like length together.

    ``lengths`` are the texts' own, shape (texts,); ``longest`` is what texts are cut to. Each text comes
    once; every batch but one, of the longest texts, is full. Which texts of like length meet, and the
    order of the batches, is drawn anew each epoch.
    """
    random = np.random.default_rng([seed, epoch])
    drawn = random.permutation(len(lengths))
    order = drawn[np.argsort(cropped_lengths(lengths, longest)[drawn], kind="stable")]
    batches = [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
    return [batches[number] for number in random.permutation(len(batches))]


def bucketed_batches(
    x: NDArray[np.int32],
    targets: NDArray[Any],
    seed: int,
    epoch: int,
    batch_size: int,
    weights: NDArray[np.float32] | None = None,
) -> Any:
    """One epoch's batches for ``fit``, each cropped to its longest text: a keras.utils.PyDataset.

    Where there are ``weights`` (texts,), batches have those of their texts too.
    """
    lengths = lengths_of(x)
    longest = x.shape[1]
    batches = bucketed_order(seed, epoch, lengths, batch_size, longest)
    crops = cropped_lengths(np.asarray([lengths[rows].max() for rows in batches]), longest)

    class Bucketed(models.import_keras().utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, number: int) -> tuple[NDArray[Any], ...]:
            rows = batches[number]
            cropped = x[rows, -crops[number] :]
            if weights is None:
                return cropped, targets[rows]
            return cropped, targets[rows], weights[rows]

    return Bucketed()
