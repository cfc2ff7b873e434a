"""The look-up and the sums against dictionaries and loops."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import layers
from sentilab.text import ngrams

ORDERS, SLOTS = 3, 400
# (texts, length): few words, so that n-grams come again within a text.
X = np.random.default_rng(0).integers(1, 7, (8, 12)).astype(np.int32)
X[2, :5], X[3] = 0, 0


def hash_of(words: tuple[int, ...]) -> int:
    return int(ngrams.hashes(np.asarray([words], np.int32), len(words))[0, -1, -1])


def known_ngrams() -> list[tuple[int, ...]]:
    """Those of the first five texts."""
    found = {
        tuple(text[start : start + order])
        for text in X[:5].tolist()
        for order in range(1, ORDERS + 1)
        for start in range(len(text) - order + 1)
    }
    return sorted(one for one in found if 0 not in one)


def looked_up() -> tuple[layers.Ngrams, dict[tuple[int, ...], int]]:
    layer = layers.Ngrams(ORDERS, SLOTS, name="ngrams")
    layer.build((None, None))
    known = known_ngrams()
    hashes = np.asarray([hash_of(one) for one in known], np.uint32)
    return layer, dict(zip(known, layer.set_table(hashes).tolist(), strict=True))


def test_every_known_ngram_has_a_number_of_its_own_and_no_other_has_any() -> None:
    layer, numbers = looked_up()
    assert len(set(numbers.values())) == len(numbers)
    assert min(numbers.values()) >= 1
    assert max(numbers.values()) <= SLOTS
    found = np.asarray(layer(X))
    assert found.shape == (8, 12, ORDERS)
    assert found.dtype == np.int32
    unknown = 0
    for text, position, column in np.ndindex(*found.shape):
        start = position - column
        words = tuple(X[text, max(start, 0) : position + 1].tolist())
        whole = start >= 0 and 0 not in words
        wanted = numbers.get(words, 0) if whole else 0
        unknown += whole and not wanted
        assert found[text, position, column] == wanted
    assert unknown > 20


def test_the_number_of_each_ngram_is_that_of_the_formula_for_all_integers() -> None:
    words = np.asarray([[1, 2, 3, 60_000, 2**30, 2**31 - 1]], np.int32)
    hashes = ngrams.hashes(words, ORDERS)[0]
    layer = layers.Ngrams(ORDERS, 64)
    layer.build((None, None))
    numbers = layer.set_table(np.sort(hashes[hashes > 0]))
    by_hash = dict(zip(np.sort(hashes[hashes > 0]).tolist(), numbers.tolist(), strict=True))
    found = np.asarray(layer(words))[0].T
    np.testing.assert_array_equal(found, [[by_hash.get(int(h), 0) for h in row] for row in hashes])


@pytest.mark.parametrize("length", [1, 2, 12])
def test_texts_may_be_shorter_than_the_ngrams(length: int) -> None:
    layer, _ = looked_up()
    whole = np.asarray(layer(X))
    short = np.asarray(layer(X[:, -length:]))
    assert short.shape == (8, length, ORDERS)
    for column in range(ORDERS):  # what ends there and begins there
        np.testing.assert_array_equal(
            short[:, column:, column], whole[:, 12 - length :, column][:, column:]
        )
        assert not short[:, :column, column].any()


def test_until_a_table_is_set_nothing_is_known() -> None:
    assert not np.asarray(layers.Ngrams(ORDERS, SLOTS)(X)).any()


def summed(norms: int, outputs: int = 2) -> tuple[Any, NDArray[np.float32]]:
    """A model with drawn columns, and these."""
    words = keras.Input((None,), dtype="int32")
    look_up, _ = looked_up()
    sums = layers.NgramSums(SLOTS, outputs, norms, name="sums")
    model = keras.Model(words, sums(look_up(words)))
    columns = np.random.default_rng(1).normal(0, 1, sums.columns.shape).astype(np.float32)
    columns[:, outputs:] **= 2
    columns[0] = 0
    sums.columns.assign(columns)
    return model, columns


@pytest.mark.parametrize("norms", [0, 1, 2])
def test_each_distinct_ngram_counts_once_and_the_length_divides(norms: int) -> None:
    model, columns = summed(norms)
    look_up, _ = looked_up()
    found = model.predict(X, verbose=0)
    for row, numbers in enumerate(np.asarray(look_up(X))):
        distinct = sorted(set(numbers.ravel().tolist()) - {0})
        total = columns[distinct].astype(np.float64).sum(axis=0)
        length = np.sqrt(total[2:]) if norms and distinct else 1
        np.testing.assert_allclose(found[row], total[:2] / length, rtol=1e-4, atol=1e-5)
    assert not found[3].any()  # nothing but padding


@pytest.mark.parametrize("padding", [1, 2, 30])
def test_padding_in_front_changes_nothing(padding: int) -> None:
    model, _ = summed(1)
    padded = model(np.pad(X, ((0, 0), (padding, 0))))
    np.testing.assert_allclose(np.asarray(padded), np.asarray(model(X)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("norms", [0, 2])
def test_a_saved_model_answers_the_same(norms: int, tmp_path: Path) -> None:
    model, _ = summed(norms)
    model.save(tmp_path / "model.keras")
    loaded = layers.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model.predict(X, verbose=0), loaded.predict(X, verbose=0))


def test_the_gradient_is_finite_for_a_text_without_ngrams() -> None:
    import jax

    model, columns = summed(2)
    trained = [one.value for one in model.trainable_variables]
    fixed = [one.value for one in model.non_trainable_variables]

    def total(weights: Any) -> Any:
        return model.stateless_call(weights, fixed, X)[0].sum()

    (gradient,) = jax.grad(total)(trained)
    assert gradient.shape == columns.shape
    assert np.isfinite(np.asarray(gradient)).all()


def test_other_numbers_of_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="norms is 3; it must be 0, 1 or 2"):
        layers.NgramSums(SLOTS, 2, 3)
