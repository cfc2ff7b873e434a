"""A model's variables as named arrays, and back."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sentilab import models
from sentilab.errors import SentilabError
from sentilab.training.resume import Arrays


def named(variables: Iterable[Any]) -> dict[str, Any]:
    """Variables by path, numbered so that equal paths stay apart."""
    return {f"{number:03d}/{one.path}": one for number, one in enumerate(variables)}


def arrays(variables: dict[str, Any]) -> Arrays:
    """Copies of the variables' values."""
    # Not np.asarray: on a backend that keeps variables on another device that fails.
    convert = models.import_keras().ops.convert_to_numpy
    # A copy: on a CPU the array may be a view of memory that the next epoch writes to.
    return {name: np.array(convert(one)) for name, one in variables.items()}


def weights(model: Any) -> Arrays:
    """The model's weights."""
    return arrays(named(model.weights))


def stateful(trainer: Any) -> dict[str, Any]:
    """All that training goes on from: the model's variables and the optimizer's."""
    metric_variables = {id(one) for one in trainer.metrics_variables}
    own = [one for one in trainer.variables if id(one) not in metric_variables]
    trainer.optimizer.build(trainer.trainable_variables)
    return named([*own, *trainer.optimizer.variables])


def assign(variables: dict[str, Any], saved: Arrays) -> None:
    """Gives each variable its saved value.

    Raises SentilabError where there is none of its name and shape.
    """
    for name, one in variables.items():
        if name not in saved or saved[name].shape != tuple(one.shape):
            raise SentilabError(
                f"The saved state has no {name} of shape {tuple(one.shape)}: the model's code has "
                "changed since.\n  Remove the run's folder to train it from the start."
            )
        one.assign(saved[name])


def put(model: Any, values: Arrays) -> None:
    """Gives the model's weights named in ``values`` those values."""
    assign({name: one for name, one in named(model.weights).items() if name in values}, values)


@contextmanager
def holding(model: Any, values: Arrays) -> Iterator[None]:
    """In this context the weights named in ``values`` have those values, afterwards their own again."""
    held = {name: one for name, one in named(model.weights).items() if name in values}
    before = arrays(held)
    put(model, values)
    try:
        yield
    finally:
        put(model, before)
