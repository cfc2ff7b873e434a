"""What is said of Sentilab's own layers."""

from typing import Any

import keras
import pytest

from sentilab import layers, models
from sentilab.models import LayerAnatomy, Task

TASK = Task(words=50, length=12, classes=2)


def anatomies(model: Any, task: Task = TASK) -> dict[str, LayerAnatomy]:
    return {one.name: one for one in models.anatomy(model, task).layers}


def test_a_linear_models_table_and_columns_are_worked_out() -> None:
    found = anatomies(models.build("nblr", TASK, {"features": 1_000}))
    assert found["ngrams"].arithmetic == "1,266 slots = 1,266"
    assert found["ngrams"].explanation == (
        "each word, pair of words and run of 3 words that ends at a position becomes its number in a "
        "table of 1,266 slots, or 0 where it is not known"
    )
    assert found["sums"].arithmetic == "(1,266 slots + 1) × 2 = 2,534"
    assert found["sums"].explanation == (
        "what its distinct n-grams weigh adds up to 1 score of a text, divided by the text's length as "
        "a vector"
    )
    several = models.build("logistic", Task(50, 12, 3), {"features": 100, "normalised": False})
    assert anatomies(several, Task(50, 12, 3))["sums"].explanation == (
        "what its distinct n-grams weigh adds up to 3 scores of a text"
    )


@pytest.mark.parametrize(
    ("model", "settings", "layer", "said"),
    [
        ("fasttext", {"word_dropout": 0.2}, "word_dropout", "20% of the words are left out"),
        (
            "fasttext",
            {"orders": 3, "buckets": 70},
            "ngrams",
            "pair of words and run of 3 words that",
        ),
        (
            "recurrent",
            {"pooling": "max+mean", "units": 4},
            "pooling",
            "maximum and mean, side by side",
        ),
    ],
)
def test_other_models_layers_are_explained(
    model: str, settings: dict[str, Any], layer: str, said: str
) -> None:
    assert said in anatomies(models.build(model, TASK, settings))[layer].explanation


def test_a_layer_that_nothing_is_known_of_is_told_by_its_shapes() -> None:
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.GlobalMaxPooling1D()(layers.Embedding(50, 4)(words))
    x = keras.layers.Dense(1, activation="sigmoid")(keras.layers.UnitNormalization(name="unit")(x))
    assert anatomies(keras.Model(words, x))["unit"].explanation == "the shape stays"
