"""What can be had without reading: each label's share of the training texts."""

# ruff: noqa: ARG001  It reads no text, and nothing in it is random.

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sentilab.models.linear import Parts, outputs_of, parts
from sentilab.models.registry import Task, register

if TYPE_CHECKING:
    from keras import Model

# Keeps the log odds of a label that no training text has, or that all have, finite.
NEAREST = 1e-6


def _solve(task: Task, x: NDArray[np.int32], labels: NDArray[np.int64], seed: int) -> "Model":
    shares = np.bincount(labels, minlength=task.classes) / len(labels)
    shares = shares[1:] if task.classes == 2 else shares
    odds = np.clip(shares, NEAREST, 1 - NEAREST)
    made = _parts(task)
    nothing = np.zeros((0, outputs_of(task)), np.float32)
    made.put(np.zeros(0, np.uint32), nothing, np.log(odds) - np.log1p(-odds))
    return made.model


@register(
    "majority",
    summary="the labels' shares of the training texts",
    solver=_solve,
    defaults={"epochs": 1},
)
def majority(task: Task) -> "Model":
    """A linear model that knows no n-gram."""
    return _parts(task).model


def _parts(task: Task) -> Parts:
    return parts(task, "majority", orders=1, slots=1, norms=0)
