"""Which weights are judged and kept, where they are not those that training has arrived at.

Training goes on from its own weights; what is scored, compared, restored and saved are the weights
that averaging and the normalising of word vectors make of them.
"""

from typing import Any

import numpy as np

from sentilab.training import variables
from sentilab.training.resume import Arrays
from sentilab.training.settings import RunSettings


def averages_after(model: Any, settings: RunSettings, epoch: int, before: Arrays) -> Arrays:
    """The plain mean of the trained weights at the ends of the epochs so far, for "swa"; else nothing.

    ``before`` is the same after the epoch before this one.
    """
    averaging = settings.averaging
    if averaging is None or averaging.kind != "swa" or epoch < averaging.first_epoch:
        return {}
    now = variables.arrays(_trained(model))
    if epoch == averaging.first_epoch:
        return now
    count = epoch - averaging.first_epoch + 1
    return {
        name: np.add(before[name], np.subtract(one, before[name]) / np.float32(count))
        for name, one in now.items()
    }


def judged_weights(model: Any, trainer: Any, settings: RunSettings, averages: Arrays) -> Arrays:
    """The weights that are judged in the places of the model's own; none where these are judged."""
    judged = dict(averages)
    if settings.averaging is not None and settings.averaging.kind == "ema":
        means = zip(trainer.trainable_variables, trainer.optimizer.averages(), strict=True)
        mean_of = {id(one): mean for one, mean in means}
        judged = variables.arrays({name: mean_of[id(one)] for name, one in _trained(model).items()})
    if trainer is not model:
        name, table = next(item for item in _trained(model).items() if item[1] is trainer.table)
        value = judged.get(name)
        judged[name] = trainer.normalised_table(table if value is None else value)
    return judged


def _trained(model: Any) -> dict[str, Any]:
    """The trained ones among the model's weights, by the names that all its weights have."""
    trained = {id(one) for one in model.trainable_variables}
    return {name: one for name, one in variables.named(model.weights).items() if id(one) in trained}
