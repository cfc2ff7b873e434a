"""What each text adds to a metric: one number a text, whose mean is the metric.

For a mean over texts these are its terms. F1 and AUC are not means over texts; there each text's
number is the metric plus the text's influence on it, so that the mean is still the metric and the
variance over texts, divided by their number, is the metric's variance. One formula then serves all.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SentilabError
from sentilab.training import Predictions
from sentilab.training.scoring import CLIP

Floats = NDArray[np.float64]

METRICS = ("accuracy", "log_loss", "f1", "auc")


def contributions(answers: Predictions, metric: str) -> Floats:
    """Each text's contribution to ``metric``, one of METRICS: shape (texts,).

    Log loss is in nats, the others lie between 0 and 1. Raises SentilabError where the metric is not
    defined on these texts, ValueError for another metric.
    """
    if metric not in _OF:
        raise ValueError(f'metric "{metric}": it must be one of {", ".join(METRICS)}')
    if not len(answers.labels):
        raise SentilabError("There are no texts to compare on.")
    return _OF[metric](answers)


def lower_is_better(metric: str) -> bool:
    """Of the log loss alone."""
    return metric == "log_loss"


def _accuracy(answers: Predictions) -> Floats:
    return answers.correct.astype(np.float64)


def _log_loss(answers: Predictions) -> Floats:
    """Clipped as in training, so that the mean is the loss that the run reports."""
    chosen = answers.probabilities[np.arange(len(answers.labels)), answers.labels]
    return np.asarray(-np.log(np.clip(chosen.astype(np.float64), CLIP, 1 - CLIP)))


def _f1(answers: Predictions) -> Floats:
    """F1 of the last of two labels; of more, the mean over those that occur (macro).

    F1 = 2 TP / (answered + labelled), a ratio of two means over texts, whose influence values are
    those of the delta method.
    """
    answered = answers.probabilities.argmax(axis=1)
    classes = answers.probabilities.shape[1]
    judged = [1] if classes == 2 else np.unique(answers.labels).tolist()
    if classes == 2 and not (answers.labels == 1).any():
        raise SentilabError("F1 is of the second label, and none of these texts has it.")
    each = [_f1_of(answered == one, answers.labels == one) for one in judged]
    return np.asarray(np.mean(each, axis=0))


def _f1_of(answered: NDArray[np.bool_], labelled: NDArray[np.bool_]) -> Floats:
    hit = 2.0 * (answered & labelled)
    size = answered.astype(np.float64) + labelled
    f1 = hit.mean() / size.mean()
    return np.asarray(f1 + (hit - f1 * size) / size.mean())


def _auc(answers: Predictions) -> Floats:
    """Area under the ROC curve: how often a text of the second label scores above one of the first.

    A text's influence is its structural component (DeLong, DeLong and Clarke-Pearson 1988, section
    3): how often it stands on the right side of the other label's texts, ties counting half.
    """
    if answers.probabilities.shape[1] != 2:
        raise SentilabError("AUC is defined for two labels; these data have more.")
    second = answers.labels == 1
    if second.all() or not second.any():
        raise SentilabError("AUC needs texts of both labels; these have one.")
    score = answers.probabilities[:, 1]
    order = np.argsort(score)
    ones, others = int(second.sum()), int((~second).sum())
    component = np.empty(len(order))
    component[order] = np.where(
        second[order],
        _lower(score[order], ~second[order]) / others,
        1 - _lower(score[order], second[order]) / ones,
    )
    auc = float(component[second].mean())
    share = np.where(second, ones, others) / len(order)
    return np.asarray(auc + (component - auc) / share)


def _lower(ascending: NDArray[np.float32], counted: NDArray[np.bool_]) -> Floats:
    """How many of the ``counted`` score lower than each, ties counting half; all (texts,)."""
    so_far = np.concatenate([[0], np.cumsum(counted)])
    less = np.searchsorted(ascending, ascending, "left")
    no_more = np.searchsorted(ascending, ascending, "right")
    return np.asarray((so_far[less] + so_far[no_more]) / 2)


_OF: dict[str, Callable[[Predictions], Floats]] = {
    "accuracy": _accuracy,
    "log_loss": _log_loss,
    "f1": _f1,
    "auc": _auc,
}
