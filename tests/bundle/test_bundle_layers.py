"""Which Keras models the compiled kernel computes, and that it answers as they do."""

from typing import Any

import keras
import numpy as np
import pytest

from sentilab import models
from sentilab.bundle.engines import Computation
from sentilab.bundle.layers import layers_of, weights_of
from sentilab.models import Task
from sentilab.text import Encoding

WORDS, LENGTH = 40, 9


def built(*layers: Any, length: int | None = None) -> Any:
    words = keras.Input((length,), dtype="int32")
    x = words
    for layer in layers:
        x = layer(x)
    model = keras.Model(words, x)
    random = np.random.default_rng(2)
    model.set_weights([random.normal(0, 0.4, one.shape) for one in model.get_weights()])
    return model


def embedding(masked: bool = False) -> Any:
    return keras.layers.Embedding(WORDS, 6, mask_zero=masked)


def lstm(**settings: Any) -> Any:
    return keras.layers.LSTM(5, **settings)


def output(labels: int = 1) -> Any:
    return keras.layers.Dense(labels, activation="sigmoid" if labels == 1 else "softmax")


KNOWN = {
    "one direction": lambda: built(embedding(), lstm(), output()),
    "backwards": lambda: built(embedding(), lstm(go_backwards=True, use_bias=False), output()),
    "both, masked": lambda: built(
        embedding(True),
        keras.layers.Bidirectional(lstm(return_sequences=True)),
        keras.layers.Dropout(0.5),
        keras.layers.Bidirectional(lstm()),
        output(3),
    ),
    "dense": lambda: built(
        embedding(),
        keras.layers.Flatten(),
        keras.layers.Dense(4, activation="tanh", use_bias=False),
        keras.layers.Dense(4, activation="relu"),
        output(),
        length=LENGTH,
    ),
    "a sequence flattened": lambda: built(
        embedding(), lstm(return_sequences=True), keras.layers.Flatten(), output(), length=LENGTH
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_layers_are_computed_as_keras_does(name: str) -> None:
    model = KNOWN[name]()
    layers = layers_of(model)
    assert layers is not None
    ids = np.random.default_rng(0).integers(1, WORDS, (7, LENGTH)).astype(np.int32)
    for row in range(len(ids)):
        ids[row, :row] = 0
    compute = Computation(layers, weights_of(model), Encoding(WORDS, LENGTH))
    # Float32 sums of a few dozen products in another order.
    np.testing.assert_allclose(compute(ids, 2), model.predict(ids, verbose=0), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "layers",
    [
        [lambda: embedding(), lambda: keras.layers.GRU(4), output],
        [lambda: embedding(), lambda: lstm(activation="relu"), output],
        [lambda: embedding(), lambda: lstm(return_sequences=True), output],
        [lambda: embedding(), lambda: lstm(), lambda: keras.layers.Dense(3, activation="selu")],
        [
            lambda: embedding(),
            lambda: keras.layers.Bidirectional(lstm(go_backwards=True), backward_layer=lstm()),
            output,
        ],
        [lambda: embedding(), lambda: keras.layers.Bidirectional(lstm(), merge_mode="sum"), output],
        [lambda: embedding(), lambda: keras.layers.GlobalMaxPooling1D(), output],
        [lambda: embedding()],
    ],
)
def test_what_the_kernel_does_not_compute_has_no_layers(layers: list[Any]) -> None:
    assert layers_of(built(*(one() for one in layers))) is None


@pytest.mark.parametrize("name", ["bilstm1", "bilstm2", "mlp"])
def test_the_models_of_the_house_are_known(name: str) -> None:
    model = models.build(name, Task(WORDS, LENGTH, 2), {"embedding": 4, "units": 4})
    assert layers_of(model) is not None


def test_what_only_training_does_is_passed_over() -> None:
    settings = {"embedding": 4, "units": 4, "pooling": "last", "variational_dropout": 0.2}
    model = models.build("recurrent", Task(WORDS, LENGTH, 2), settings)
    layers = layers_of(model)
    assert layers is not None
    assert [one.kind for one in layers] == ["embedding", "lstm", "dense"]


def test_weights_keep_the_paths_that_the_layers_name() -> None:
    model = KNOWN["both, masked"]()
    layers = layers_of(model)
    assert layers is not None
    assert {name for one in layers for name in one.weights} == set(weights_of(model))


def test_weights_keep_their_kind_and_names_of_their_own() -> None:
    from sentilab import layers

    words = keras.Input((None,), dtype="int32")
    members = [models.build(name, Task(WORDS, LENGTH, 2), {}) for name in ("averaging", "fasttext")]
    reencoding = layers.Reencoding(WORDS, LENGTH, table_size=WORDS)
    answers = [one(reencoding(words)) for one in members]
    model = keras.Model(words, layers.Combination()(answers))
    weights = weights_of(model)
    assert len(weights) == len(model.weights)
    assert sum(one.size for one in weights.values()) == model.count_params()
    assert [one.dtype for one in weights.values() if one.shape == (WORDS,)] == [np.int32]
    assert any(name.endswith(":2") for name in weights)
