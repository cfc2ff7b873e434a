"""The last layer, which depends on the number of labels alone."""

from typing import Any

from sentilab.models.backend import import_keras
from sentilab.models.registry import Task


def head(x: Any, task: Task) -> Any:
    """p(second label) by a sigmoid for two labels, else one probability a label by a softmax."""
    layers = import_keras().layers
    if task.classes == 2:
        return layers.Dense(1, activation="sigmoid", name="output")(x)
    return layers.Dense(task.classes, activation="softmax", name="output")(x)
