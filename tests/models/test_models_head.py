"""The last layer, and models without it."""

from typing import Any

import keras
import numpy as np
import pytest

from sentilab import models
from sentilab.models.head import scores_of
from sentilab.models.linear import parts

IDS = np.random.default_rng(3).integers(0, 30, (5, 7)).astype("int32")


def built(name: str, classes: int) -> Any:
    task = models.Task(30, 7, classes)
    if name == "linear":
        made = parts(task, name, orders=1, slots=32, norms=0)
        bias = np.linspace(-1, 1, made.model.output_shape[-1])
        made.put(np.zeros(0, np.uint32), np.zeros((0, len(bias)), np.float32), bias)
        return made.model
    return models.build(name, task, {"embedding": 3})


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["averaging", "bilstm1", "linear"])
def test_scores_are_what_the_last_step_makes_probabilities_of(name: str, classes: int) -> None:
    model = built(name, classes)
    scores = scores_of(model).predict(IDS, verbose=0)
    link = keras.ops.sigmoid if classes == 2 else keras.ops.softmax
    np.testing.assert_allclose(link(scores), model.predict(IDS, verbose=0), rtol=1e-5)


def test_a_model_that_ends_otherwise_has_no_scores() -> None:
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(30, 3)(words))
    half = keras.layers.Dense(1, activation="hard_sigmoid")(x)
    assert scores_of(keras.Model(words, half)) is None
    doubled = keras.layers.Rescaling(1.0)(keras.layers.Dense(1, activation="sigmoid")(x))
    assert scores_of(keras.Model(words, doubled)) is None
