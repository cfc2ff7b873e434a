"""N-grams weighted as by naive Bayes, and then fitted: by logistic regression, or by an SVM."""

# ruff: noqa: ARG001  A model's function declares the settings that only its solver reads.

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab.models.linear import (
    DEFAULTS,
    SPACE,
    Fitted,
    Floats,
    empty,
    fitted_by,
    logistic_regression,
    outputs_of,
    rows,
    solve,
)
from sentilab.models.registry import Task, register
from sentilab.models.space import Range

if TYPE_CHECKING:
    from keras import Model

    from sentilab.text.ngrams import NgramCounts


def log_count_ratio(known: "NgramCounts", positive: NDArray[np.bool_], smoothing: float) -> Floats:
    """How much more likely each n-gram is in the ``positive`` texts than in the others: (features,).

    Source: Wang and Manning (2012), section 2: r, over counts that are 0 or 1.
    """
    of = np.repeat(positive, np.diff(known.starts))
    total = len(known.hashes)
    p, q = (smoothing + np.bincount(known.indices[which], minlength=total) for which in (of, ~of))
    ratio: Floats = (np.log(p / p.sum()) - np.log(q / q.sum())).astype(np.float32)
    return ratio


def _solve(
    name: str,
    task: Task,
    x: NDArray[np.int32],
    labels: NDArray[np.int64],
    estimator: Any,
    *,
    smoothing: float,
    normalised: bool,
    interpolation: float = 1.0,
    **counting: Any,
) -> "Model":
    """``interpolation`` mixes the weights that ``estimator`` finds with the mean of their sizes."""

    def fit(known: "NgramCounts", positive: NDArray[np.bool_]) -> Fitted:
        ratio = log_count_ratio(known, positive, smoothing)
        weights, bias = fitted_by(estimator, rows(known, ratio, normalised), positive)
        if interpolation < 1:
            weights = (1 - interpolation) * np.abs(weights).mean() + interpolation * weights
        return Fitted(ratio, weights, bias)

    return solve(task, x, labels, name, fit, normalised=normalised, shared=False, **counting)


def _solve_nblr(
    task: Task,
    x: NDArray[np.int32],
    labels: NDArray[np.int64],
    seed: int,
    *,
    strength: float,
    **more: Any,
) -> "Model":
    return _solve("nblr", task, x, labels, logistic_regression(strength, seed), **more)


@register(
    "nblr",
    summary="logistic regression over n-grams, weighted as by naive Bayes",
    solver=_solve_nblr,
    defaults=DEFAULTS,
    space={
        **SPACE,
        "strength": Range(1.0, 200.0, log=True),
        "smoothing": Range(0.1, 3.0, log=True),
    },
)
def nblr(
    task: Task,
    *,
    orders: int = 3,
    least: int = 2,
    features: int = 2_000_000,
    strength: float = 40.0,
    smoothing: float = 1.0,
    normalised: bool = True,
) -> "Model":
    """``strength`` is scikit-learn's C; ``smoothing`` is added to each count before the ratio.

    Source: Wang and Manning (2012), with logistic regression in the SVM's place.
    """
    norms = outputs_of(task) if normalised else 0
    return empty(task, "nblr", orders=orders, features=features, norms=norms)


def _solve_nbsvm(
    task: Task,
    x: NDArray[np.int32],
    labels: NDArray[np.int64],
    seed: int,
    *,
    strength: float,
    **more: Any,
) -> "Model":
    from sklearn.svm import LinearSVC

    svm = LinearSVC(C=strength, dual=True, max_iter=2_000, random_state=seed)
    return _solve("nbsvm", task, x, labels, svm, **more)


@register(
    "nbsvm",
    summary="a linear SVM over n-grams, weighted as by naive Bayes and mixed with it",
    solver=_solve_nbsvm,
    defaults=DEFAULTS,
    space={
        **SPACE,
        "strength": Range(0.1, 10.0, log=True),
        "interpolation": Range(0.1, 1.0),
    },
)
def nbsvm(
    task: Task,
    *,
    orders: int = 3,
    least: int = 2,
    features: int = 2_000_000,
    strength: float = 1.0,
    smoothing: float = 1.0,
    interpolation: float = 0.5,
    normalised: bool = True,
) -> "Model":
    """Its probability is the logistic function of the margin, which calibration may replace.

    Source: Wang and Manning (2012), section 2.3; ``interpolation`` is their β.
    """
    norms = outputs_of(task) if normalised else 0
    return empty(task, "nbsvm", orders=orders, features=features, norms=norms)
