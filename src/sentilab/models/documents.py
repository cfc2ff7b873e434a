"""Document vectors over n-grams, learned without labels, and logistic regression on them.

Texts and n-grams get vectors that point one way where they go together (sentilab.kernels.documents),
from any texts, labelled or not. A text's vector is then the sum of its distinct n-grams' vectors over the
square root of their number; as logistic regression weighs its numbers, each n-gram comes to have one
weight, and the model that is kept is linear, small and fast. What it knows of n-grams that no labelled
text has, it knows from the company that they keep.
"""

# ruff: noqa: ARG001  A model's function declares the settings that only its solver reads.

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SettingsError
from sentilab.models.linear import DEFAULTS, aims, assembled, empty, fitted_by
from sentilab.models.registry import Task, register
from sentilab.models.space import Range

if TYPE_CHECKING:
    from keras import Model


def _solve(
    task: Task,
    x: NDArray[np.int32],
    labels: NDArray[np.int64],
    seed: int,
    *,
    orders: int,
    least: int,
    features: int,
    size: int,
    passes: int,
    negatives: int,
    sharpness: float,
    rate: float,
    strength: float,
    unlabelled: NDArray[np.int32] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> "Model":
    from sklearn.linear_model import LogisticRegression

    from sentilab.kernels import documents
    from sentilab.kernels.ngrams import count

    texts = x if unlabelled is None else np.concatenate([x, unlabelled])
    known = count(texts, orders, least=least, features=features)
    if not len(known.hashes):
        raise SettingsError(
            f"documents: no n-gram stands in {least} of the {len(texts):,} texts; "
            "a smaller least keeps more of them."
        )
    vectors = documents.learn(
        known,
        size=size,
        passes=passes,
        negatives=negatives,
        sharpness=sharpness,
        rate=rate,
        seed=seed,
        progress=progress,
    )
    has = np.diff(known.starts[: len(x) + 1])
    sums = known.matrix()[: len(x)] @ vectors / np.sqrt(np.maximum(has, 1))[:, None]
    # So that ``strength`` means the same whatever the vectors' spread.
    scale = max(float(sums.std()), 1e-12)
    columns, bias = [], []
    for aim in aims(task):
        regression = LogisticRegression(C=strength, max_iter=1_000)
        weights, add = fitted_by(regression, sums / scale, labels == aim)
        columns.append(vectors @ (weights / scale))
        bias.append(add)
    columns.append(np.ones(len(vectors)))  # adds up to the number of n-grams
    return assembled(
        task, "documents", orders, known.hashes, np.stack(columns, axis=1), 1, np.asarray(bias)
    )


@register(
    "documents",
    summary="vectors of texts and n-grams learned without labels, then logistic regression",
    solver=_solve,
    defaults=DEFAULTS,
    space={
        "orders": Range(1, 3),
        "least": Range(2, 8),
        "size": [64, 128, 256],
        "passes": Range(3, 20),
        "negatives": Range(1, 5),
        "strength": Range(0.01, 10.0, log=True),
    },
)
def documents(
    task: Task,
    *,
    orders: int = 3,
    least: int = 4,
    features: int = 1_000_000,
    size: int = 128,
    passes: int = 6,
    negatives: int = 2,
    sharpness: float = 6.0,
    rate: float = 0.002,
    strength: float = 0.3,
) -> "Model":
    """``size`` numbers a vector, ``passes`` over all texts; ``strength`` is scikit-learn's C.

    ``least`` and ``features`` choose the n-grams, as in the linear models, counting unlabelled texts
    too. ``negatives``, ``sharpness`` and ``rate`` are those of sentilab.kernels.documents.learn.

    Source: Thongtan and Phienthrasert (2019); that held-out texts have no part in the learning, and that
    a text's vector is the sum of its n-grams', is Sentilab's own.
    """
    return empty(task, "documents", orders=orders, features=features, norms=1)
