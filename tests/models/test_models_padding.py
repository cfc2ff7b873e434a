"""Which models are known to ignore padding, and that these do."""

from typing import Any

import keras
import numpy as np
import pytest

from sentilab import layers, models
from sentilab.models import Task

WORDS = 30

# That a mask ends in such a layer is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not support masking:UserWarning")


def built(*chain: Any, length: int | None = None, masked: bool = True) -> Any:
    words = keras.Input((length,), dtype="int32")
    x = layers.Embedding(WORDS, 4, mask_zero=masked)(words)
    for layer in chain:
        x = layer(x)
    model = keras.Model(words, x)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 1, one.shape) for one in model.get_weights()])
    return model


class Whole(keras.layers.Layer):  # type: ignore[misc]
    """A layer of a user's own, of which nothing is known."""

    def call(self, x: Any) -> Any:
        return keras.ops.sum(x, axis=1)


class Vouched(Whole):
    ignores_padding = True

    def call(self, x: Any, mask: Any = None) -> Any:
        return keras.ops.sum(x * keras.ops.cast(mask, x.dtype)[:, :, None], axis=1)


IGNORING = {
    "a masked LSTM": lambda: built(layers.LSTM(3)),
    "two of them": lambda: built(
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        keras.layers.SpatialDropout1D(0.5),
        layers.Bidirectional(layers.LSTM(3)),
    ),
    "pooled": lambda: built(keras.layers.Dense(3), layers.Pooling("max+mean")),
    "a masked mean": lambda: built(keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)),
    "another's layer that says so": lambda: built(Vouched()),
}
READING = {
    "an LSTM": lambda: built(layers.LSTM(3), masked=False),
    "pooled without a mask": lambda: built(layers.Pooling("mean"), masked=False),
    "a maximum that knows no masks": lambda: built(keras.layers.GlobalMaxPooling1D()),
    "a convolution": lambda: built(keras.layers.Conv1D(3, 2), keras.layers.GlobalMaxPooling1D()),
    "another's layer": lambda: built(Whole()),
}


@pytest.mark.parametrize("build", IGNORING.values(), ids=IGNORING)
def test_models_that_are_said_to_ignore_padding_do(build: Any) -> None:
    model = build()
    assert models.ignores_padding(model)
    x = np.random.default_rng(0).integers(1, WORDS, (5, 7), dtype=np.int32)
    padded = np.pad(x, ((0, 0), (9, 0)))
    np.testing.assert_allclose(
        model.predict(padded, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("build", READING.values(), ids=READING)
def test_models_that_read_padding_or_may_are_said_to_read_it(build: Any) -> None:
    assert not models.ignores_padding(build())


def test_a_model_of_one_length_cannot_be_given_less() -> None:
    assert not models.ignores_padding(built(layers.LSTM(3), length=7))


@pytest.mark.parametrize(
    ("name", "settings", "ignores"),
    [
        ("mlp", {}, False),
        ("bilstm2", {}, False),
        ("bilstm2", {"masked": True}, True),
        ("recurrent", {}, True),
        ("recurrent", {"ngrams": 3}, True),
        ("recurrent", {"masked": False}, False),
    ],
)
def test_the_built_in_models(name: str, settings: dict[str, Any], ignores: bool) -> None:
    model = models.build(name, Task(WORDS, 9, 2), settings)
    assert models.ignores_padding(model) is ignores
