"""Pooling against plain NumPy, text by text."""

from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sentilab import layers
from sentilab.errors import SettingsError

Doubles = NDArray[np.float64]
KINDS = ("max", "mean", "attention", "max+mean")
SIZE = 5


def pooled(kind: str, text: Doubles, query: Doubles) -> Doubles:
    """One text's vectors (words, size) as one, by the definition."""
    if kind == "max":
        return np.array([max(column) for column in text.T])
    if kind == "mean":
        return np.array([sum(column) / len(column) for column in text.T])
    if kind == "max+mean":
        return np.concatenate([pooled("max", text, query), pooled("mean", text, query)])
    weights = np.exp([vector @ query for vector in text])
    return sum(w * vector for w, vector in zip(weights / weights.sum(), text, strict=True))


def pooling(kind: str, query: Doubles) -> Any:
    layer = layers.Pooling(kind)
    layer.build((None, None, SIZE))
    if kind == "attention":
        layer.set_weights([query])
    return layer


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)  # each compiles its own shapes
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    padding=st.integers(0, 9),
    seed=st.integers(0, 99),
)
def test_each_text_is_pooled_by_the_definition_whatever_is_masked_around_it(
    kind: str, lengths: list[int], padding: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    query = rng.normal(0, 1, SIZE)
    texts = [rng.normal(-2, 1, (length, SIZE)) for length in lengths]
    steps = max(lengths) + padding
    vectors = rng.normal(0, 100, (len(texts), steps, SIZE))  # what is masked may be anything
    mask = np.zeros((len(texts), steps), bool)
    for row, text in enumerate(texts):
        vectors[row, steps - len(text) :] = text
        mask[row, steps - len(text) :] = True
    found = jax.jit(pooling(kind, query))(vectors.astype(np.float32), mask=mask)
    wanted = np.stack([pooled(kind, text, query) for text in texts])
    # Sums of at most 6 numbers near 1, or of their exponentials, in float32.
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_mask_every_position_counts(kind: str) -> None:
    rng = np.random.default_rng(0)
    vectors, query = rng.normal(0, 1, (3, 7, SIZE)), rng.normal(0, 1, SIZE)
    found = pooling(kind, query)(vectors.astype(np.float32))
    wanted = np.stack([pooled(kind, text, query) for text in vectors])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_that_is_masked_throughout_gives_zeros(kind: str) -> None:
    vectors = np.ones((2, 3, SIZE), np.float32)
    mask = np.array([[True] * 3, [False] * 3])
    found = np.asarray(pooling(kind, np.ones(SIZE))(vectors, mask=mask))
    assert found[0].all()
    assert not found[1].any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_pools_as_before(kind: str, tmp_path: Path) -> None:
    words = keras.Input((None,), dtype="int32")
    x = layers.Embedding(9, SIZE, mask_zero=True)(words)
    model = keras.Model(words, layers.Pooling(kind)(x))
    model.set_weights([np.random.default_rng(0).normal(0, 1, one.shape) for one in model.weights])
    model.save(tmp_path / "model.keras")
    ids = np.array([[0, 0, 3, 4], [1, 2, 3, 4]])
    again = layers.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(ids, verbose=0), model.predict(ids, verbose=0))
    assert model.output_shape == (None, SIZE * (2 if kind == "max+mean" else 1))


def test_another_kind_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match='"attention"'):
        layers.Pooling("median")  # type: ignore[arg-type]
