"""Made-up data with nothing wrong, and faults to plant in them."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from sentilab.data import Dataset

Make = Callable[..., Dataset]

VOCABULARY = [
    f"{first}{second}" for first in "bdfgklmnprst" for second in ("a", "on", "ile", "ush")
]


def dataset(
    texts: Sequence[str],
    labels: Sequence[int],
    splits: Sequence[str] | None = None,
    names: tuple[str, ...] = ("no", "yes"),
) -> Dataset:
    ids = [f"line/{row + 2}" for row in range(len(texts))]
    official = None if splits is None else np.asarray(splits)
    return Dataset(
        "d", "d.csv", "f", ids, list(texts), np.asarray(labels, np.int64), names, official
    )


@pytest.fixture(scope="session")
def make() -> Make:
    return dataset


@pytest.fixture
def clean() -> tuple[list[str], list[int], list[str]]:
    """(texts, labels, splits): 400 texts of 30 random words, labels at random."""
    random = np.random.default_rng(5)
    texts = [" ".join(random.choice(VOCABULARY, 30)) for _ in range(400)]
    labels = random.permutation(np.arange(400) % 2)
    splits = np.where(np.arange(400) % 4 == 3, "test", "train")
    return texts, labels.tolist(), splits.tolist()
