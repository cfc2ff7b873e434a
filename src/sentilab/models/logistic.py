"""Logistic regression over n-grams."""

# ruff: noqa: ARG001  A model's function declares the settings that only its solver reads.

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SettingsError
from sentilab.models import linear
from sentilab.models.linear import Fitted, Floats
from sentilab.models.registry import Task, register
from sentilab.models.space import Range

if TYPE_CHECKING:
    from keras import Model

    from sentilab.text.ngrams import NgramCounts


def inverse_frequency(frequencies: NDArray[np.int32], texts: int) -> Floats:
    """ln((1 + texts) / (1 + texts with the n-gram)) + 1: (features,), as scikit-learn weighs them."""
    weights: Floats = (np.log((1 + texts) / (1 + frequencies)) + 1).astype(np.float32)
    return weights


def _solve(
    task: Task,
    x: NDArray[np.int32],
    labels: NDArray[np.int64],
    seed: int,
    *,
    strength: float,
    weighting: str,
    normalised: bool,
    **counting: Any,
) -> "Model":
    _require(weighting)

    def fit(known: "NgramCounts", positive: NDArray[np.bool_]) -> Fitted:
        plain = np.ones(len(known.hashes), np.float32)
        values = inverse_frequency(known.frequencies, len(x)) if weighting == "idf" else plain
        matrix = linear.rows(known, values, normalised)
        regression = linear.logistic_regression(strength, seed)
        return Fitted(values, *linear.fitted_by(regression, matrix, positive))

    return linear.solve(
        task, x, labels, "logistic", fit, normalised=normalised, shared=True, **counting
    )


@register(
    "logistic",
    summary="logistic regression over n-grams",
    solver=_solve,
    defaults=linear.DEFAULTS,
    space={
        **linear.SPACE,
        "strength": Range(0.1, 200.0, log=True),
        "weighting": ["idf", "plain"],
    },
)
def logistic(
    task: Task,
    *,
    orders: int = 2,
    least: int = 2,
    features: int = 2_000_000,
    strength: float = 30.0,
    weighting: str = "idf",
    normalised: bool = True,
) -> "Model":
    """``weighting``: "idf", by how few texts have the n-gram, or "plain", all alike."""
    _require(weighting)
    norms = int(normalised)
    return linear.empty(task, "logistic", orders=orders, features=features, norms=norms)


def _require(weighting: str) -> None:
    if weighting not in ("idf", "plain"):
        raise SettingsError(f'The setting weighting is {weighting!r}; it must be "idf" or "plain".')
