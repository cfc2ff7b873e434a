from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import models
from sentilab.probe.halves import CannotSplit, halves, scores_of

LENGTH = 12
TASK = models.Task(words=50, length=LENGTH, classes=2)
SMALL = {"embedding": 8, "units": 8}


def texts(number: int = 8) -> NDArray[np.int32]:
    """Encoded texts of 1 token up to LENGTH, padded in front."""
    random = np.random.default_rng(1)
    x = random.integers(1, TASK.words, (number, LENGTH)).astype(np.int32)
    for row in range(number):
        x[row, : LENGTH - 1 - row * (LENGTH - 1) // (number - 1)] = 0
    return x


def sigmoid(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-scores.astype(np.float64)))


@pytest.mark.parametrize(
    ("name", "settings", "kernels"),
    [
        ("mlp", {}, "auto"),
        ("bilstm1", {}, "auto"),
        ("bilstm2", {}, "auto"),
        ("bilstm2", {"masked": True}, "auto"),
        ("bilstm1", {"masked": True}, "keras"),
    ],
)
def test_the_halves_give_what_the_whole_gives(
    name: str, settings: dict[str, Any], kernels: Any
) -> None:
    model = models.build(name, TASK, {**SMALL, **settings}, kernels=kernels)
    parts = halves(model)
    x = texts()
    vectors = np.asarray(parts.embedding(x))
    split = np.asarray(parts.scores_of_vectors([x, vectors]))
    whole = np.asarray(model(x))
    assert parts.link == "sigmoid"
    # The fused LSTM multiplies the table's rows once where it knows them: sums in another order.
    np.testing.assert_allclose(split, np.asarray(parts.scores(x)), atol=1e-6)
    np.testing.assert_allclose(sigmoid(split), whole, atol=1e-6)


def test_a_mask_stays_that_of_the_text_whatever_vectors_are_given() -> None:
    parts = halves(models.build("bilstm2", TASK, {**SMALL, "masked": True}))
    x = texts()
    vectors = np.array(parts.embedding(x))
    before = np.asarray(parts.scores_of_vectors([x, vectors]))
    vectors[x == 0] = 5.0
    np.testing.assert_array_equal(np.asarray(parts.scores_of_vectors([x, vectors])), before)


def test_a_softmax_is_taken_off_too() -> None:
    model = models.build("mlp", models.Task(50, LENGTH, 3), SMALL)
    parts = halves(model)
    scores = np.asarray(parts.scores(texts()))
    assert parts.link == "softmax"
    powers = np.exp(scores)
    np.testing.assert_allclose(
        powers / powers.sum(axis=1, keepdims=True), np.asarray(model(texts())), atol=1e-6
    )


@pytest.mark.parametrize("last", ["activation", "dense"])
def test_a_sequential_model_is_split(last: str) -> None:
    layers = keras.layers
    tail = [layers.Dense(1, activation="sigmoid")]
    if last == "activation":
        tail = [layers.Dense(1), layers.Activation("sigmoid")]
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(50, 4, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            *tail,
        ]
    )
    parts = halves(model)
    x = texts()
    scores = np.asarray(parts.scores_of_vectors([x, np.asarray(parts.embedding(x))]))
    np.testing.assert_allclose(sigmoid(scores), np.asarray(model(x)), atol=1e-6)


def test_of_another_end_only_probabilities_are_known() -> None:
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(50, 4)(words))
    model = keras.Model(words, keras.layers.Dense(1, activation="hard_sigmoid")(x))
    parts = halves(model)
    assert parts.link == "probability"
    np.testing.assert_allclose(
        np.asarray(parts.scores(texts())), np.asarray(model(texts())), atol=1e-7
    )


def no_embedding() -> Any:
    words = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Rescaling(0.1)(words)
    return keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x), name="none")


def two_embeddings() -> Any:
    words = keras.Input((LENGTH,), dtype="int32")
    both = [keras.layers.Embedding(50, 4, name=name)(words) for name in ("first", "second")]
    x = keras.layers.Flatten()(keras.layers.Concatenate()(both))
    return keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x), name="two")


def used_twice() -> Any:
    words = keras.Input((LENGTH,), dtype="int32")
    embedding = keras.layers.Embedding(50, 4, name="shared")
    x = keras.layers.Flatten()(keras.layers.Add()([embedding(words), embedding(words)]))
    return keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x), name="twice")


def nested() -> Any:
    inner_words = keras.Input((LENGTH,), dtype="int32")
    inner = keras.Model(inner_words, keras.layers.Embedding(50, 4, name="inner")(inner_words))
    words = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Flatten()(inner(words))
    return keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x), name="nested")


def beside_ngrams() -> Any:
    from sentilab import layers as own

    words = keras.Input((LENGTH,), dtype="int32")
    vectors = keras.layers.Flatten()(keras.layers.Embedding(50, 4)(words))
    sums = own.NgramSums(30)(own.Ngrams(2, 30, name="phrases")(words))
    x = keras.layers.Concatenate()([vectors, sums])
    return keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x), name="beside")


@pytest.mark.parametrize("make", [no_embedding, two_embeddings, beside_ngrams, nested])
def test_scores_are_there_where_a_model_cannot_be_split(make: Any) -> None:
    model = make()
    scores, link = scores_of(model)
    assert link == "sigmoid"
    np.testing.assert_allclose(
        sigmoid(np.asarray(scores(texts()))), np.asarray(model(texts())), atol=1e-6
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (beside_ngrams, "its layer phrases looks n-grams up by the words' numbers"),
        (no_embedding, "it has none"),
        (two_embeddings, "2 of them (first, second)"),
        (used_twice, "calls its layer shared 2 times"),
        (nested, "inner lies within another one"),
    ],
)
def test_a_model_without_one_place_of_vectors_is_refused(make: Any, said: str) -> None:
    with pytest.raises(CannotSplit) as error:
        halves(make())
    assert said in str(error.value)
