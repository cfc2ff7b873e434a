"""How much each member of an ensemble weighs: equally, by its calibration, or as a regression finds.

Answers are scores (members, texts, classes), natural logarithms: with two labels 0 and the log odds of
the second, with more the log probabilities. An ensemble's scores are the sum of weight × score, plus a
bias; its probabilities are their softmax, which for two labels is the sigmoid of the log odds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Labels = NDArray[np.int64]

# As Keras clips probabilities before it takes their logarithm.
CLIP = 1e-7


@dataclass(frozen=True)
class Weighing:
    """``weights`` of shape (members,); ``bias`` of shape (classes,), the first of them 0."""

    weights: Doubles
    bias: Doubles


def scores_of(probabilities: Sequence[NDArray[np.float32]]) -> Doubles:
    """Scores (members, texts, classes) of each member's probabilities (texts, classes)."""
    logs = np.log(np.clip(np.asarray(probabilities, np.float64), CLIP, 1 - CLIP))
    return logs - logs[..., :1] if logs.shape[-1] == 2 else logs


def combined(scores: Doubles, weighing: Weighing) -> Doubles:
    """The ensemble's probabilities (texts, classes)."""
    logits = np.tensordot(weighing.weights, scores, 1) + weighing.bias
    return _softmax(logits)


def equal(members: int, classes: int) -> Weighing:
    """Each weighs as much as another: the geometric mean of their probabilities."""
    return Weighing(np.full(members, 1 / members), np.zeros(classes))


def calibrated(scores: Doubles, labels: Labels) -> Weighing:
    """Each member's scores are divided by its own temperature, and then weigh equally.

    A member that is too sure of itself thus weighs less. The temperature is that of the lowest log
    loss on these texts, held a little towards 1 as ``stacked`` holds its weights.
    Source of the scaling: Guo et al. (2017), section 4.2.
    """
    inverse = [_fitted(one[None], labels, 1.0, with_bias=False)[0][0] for one in scores]
    return Weighing(np.asarray(inverse) / len(scores), np.zeros(scores.shape[2]))


def stacked(scores: Doubles, labels: Labels, *, nonnegative: bool = True) -> Weighing:
    """The weights and bias of the lowest log loss: a logistic regression on the members' scores.

    A ridge penalty of half the squared distance from equal weights, against the texts' summed loss,
    lets members that say the same share what they weigh. ``nonnegative`` keeps a member from being
    held against itself.
    Source: Wolpert (1992); weights that are not negative as in Breiman (1996).
    """
    found = _fitted(scores, labels, 1 / len(scores), with_bias=True, nonnegative=nonnegative)
    return Weighing(*found)


def rescaled(weighing: Weighing, scores: Doubles, labels: Labels) -> Weighing:
    """All weights times one number, and another bias, of the lowest log loss on these texts.

    Members trained on folds have seen less than those that are weighed, and are less sure: weights
    learned from them have the right shares and too large a scale.
    """
    logits = np.tensordot(weighing.weights, scores, 1)
    scale, bias = _fitted(logits[None], labels, 1.0, with_bias=True)
    return Weighing(weighing.weights * scale[0], bias)


def _fitted(
    scores: Doubles,
    labels: Labels,
    start: float,
    *,
    with_bias: bool,
    nonnegative: bool = True,
) -> tuple[Doubles, Doubles]:
    """The loss is convex, so that where the search begins decides nothing but its length."""
    from scipy.optimize import minimize

    members, texts, classes = scores.shape
    of_label = scores[:, np.arange(texts), labels].sum(axis=1)
    counted = np.bincount(labels, minlength=classes)

    def loss(parameters: Doubles) -> tuple[float, Doubles]:
        weights, bias = parameters[:members], np.concatenate([[0.0], parameters[members:]])
        logits = np.tensordot(weights, scores, 1) + bias
        top = logits.max(axis=1)
        total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
        apart = weights - start
        value = total.sum() - weights @ of_label - bias @ counted + apart @ apart / 2
        expected = _softmax(logits)
        slope = np.einsum("mtc,tc->m", scores, expected) - of_label + apart
        by_bias = (expected.sum(axis=0) - counted)[1:] if with_bias else np.zeros(classes - 1)
        return value / texts, np.concatenate([slope, by_bias]) / texts

    lowest = 0.0 if nonnegative else None
    found = minimize(
        loss,
        np.concatenate([np.full(members, start), np.zeros(classes - 1)]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(lowest, None)] * members + [(None, None)] * (classes - 1),
        options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9},
    ).x
    return found[:members], np.concatenate([[0.0], found[members:]])


def _softmax(logits: Doubles) -> Doubles:
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))
