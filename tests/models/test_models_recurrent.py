"""The recurrent model: what each setting does, and that padding is not read."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from sentilab import layers, models
from sentilab.errors import SettingsError
from sentilab.models import Task

TASK = Task(words=50, length=12, classes=2)
SMALL = {"embedding": 6, "units": 5, "ngram_embedding": 6, "ngram_buckets": 40}

VARIANTS: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "last": {"pooling": "last"},
    "mean": {"pooling": "mean"},
    "attention": {"pooling": "attention"},
    "max+mean": {"pooling": "max+mean"},
    "two layers": {"layers": 2, "variational_dropout": 0.3, "word_dropout": 0.2},
    "one direction": {"bidirectional": False, "pooling": "last", "layers": 2},
    "n-grams added": {"ngrams": 2},
    "n-grams beside": {"ngrams": 3, "ngrams_joined": "concat", "ngram_embedding": 4},
    "a hidden layer": {"hidden": 4, "dropout": 0.0},
}


def built(settings: dict[str, Any], task: Task = TASK) -> Any:
    model = models.build("recurrent", task, SMALL | settings)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, one.shape) for one in model.get_weights()])
    return model


def texts(length: int = 9, count: int = 4) -> Any:
    return np.random.default_rng(1).integers(1, TASK.words, (count, length), dtype=np.int32)


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_any_amount_of_padding_gives_the_same_answer(settings: dict[str, Any]) -> None:
    model, x = built(settings), texts()
    plain = model.predict(x, verbose=0)
    assert plain.std() > 1e-3
    for padding in (1, 7, 30):
        padded = model.predict(np.pad(x, ((0, 0), (padding, 0))), verbose=0)
        # The same sums over other shapes.
        np.testing.assert_allclose(padded, plain, rtol=1e-5)


def test_without_masking_padding_is_read() -> None:
    model, x = built({"masked": False}), texts()
    padded = model.predict(np.pad(x, ((0, 0), (7, 0))), verbose=0)
    assert not np.allclose(padded, model.predict(x, verbose=0), atol=1e-3)


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_a_saved_model_answers_as_before(settings: dict[str, Any], tmp_path: Path) -> None:
    model, x = built(settings), texts()
    model.save(tmp_path / "model.keras")
    again = layers.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    # Keras's own LSTM takes its sums in another order.
    stock = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(stock.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5)


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.skipif(bool(layers.here()), reason=f"no kernel: {layers.here()}")
def test_all_lstms_stay_on_the_fused_path_in_training(settings: dict[str, Any]) -> None:
    model = models.build("recurrent", TASK, SMALL | settings, kernels="fused")
    model.compile("sgd", "binary_crossentropy")
    model.train_on_batch(texts(), np.array([0.0, 1, 0, 1]))
    assert layers.lstm_path(model).startswith("fused")


def test_more_ngrams_tell_the_same_words_in_another_order_apart() -> None:
    settings = {"ngrams": 2, "units": 5, "pooling": "mean"}
    model = built(settings)
    first = model.get_layer("ngram_embedding")(model.get_layer("ngrams")(texts()))
    assert first.shape == (4, 9, 1, 6)
    assert models.anatomy(model, TASK).trainable


def test_dropout_keeps_and_drops_what_it_says() -> None:
    settings = {"word_dropout": 0.5, "variational_dropout": 0.5, "masked": False}
    model = built(settings)
    ones = np.ones((3, 20, 6), np.float32)
    words = np.asarray(model.get_layer("word_dropout")(ones, training=True))
    assert {tuple(one) for row in words for one in row} == {(0.0,) * 6, (2.0,) * 6}
    steps = np.asarray(model.get_layer("variational_dropout_1")(ones, training=True))
    assert (steps == steps[:, :1]).all()
    assert 0 < (steps == 0).mean() < 1


def test_three_labels_get_probabilities_that_sum_to_one() -> None:
    answers = built({}, Task(50, 12, 3)).predict(texts(), verbose=0)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-6)


def test_parameters_are_as_many_as_the_docstring_says() -> None:
    assert models.build("recurrent", Task(30_000, 400, 2)).count_params() == 3_938_945


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"pooling": "median"}, '"attention"'),
        ({"word_dropout": 1.0}, "word_dropout is 1.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"precision": "int8"}, '"bf16"'),
        ({"ngrams": 2, "ngram_embedding": 3}, "must be of one size"),
        ({"ngrams": 2, "ngrams_joined": "mean"}, '"concat"'),
        ({"ngrams": 1}, "at least 2"),
    ],
)
def test_a_setting_that_cannot_be_is_named(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        models.build("recurrent", TASK, SMALL | wrong)
