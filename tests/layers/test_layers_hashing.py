"""Hashed n-grams against the same arithmetic in whole numbers."""

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import layers
from sentilab.errors import SettingsError
from sentilab.layers.hashing import FOR_EARLIER, FOR_WORD, ROUNDS


def bucket(ngram: tuple[int, ...], buckets: int) -> int:
    """The layer's docstring in Python's own unbounded numbers."""
    state = ngram[0]
    for order, word in enumerate(ngram[1:], start=2):
        state = (FOR_EARLIER * state % 2**32 + FOR_WORD * word % 2**32 + order) % 2**32
        for _ in range(ROUNDS):
            state = state * (2 * state + 1) % 2**32
            state = (state % 2**16) * 2**16 + state // 2**16
    return 1 + state % buckets


def ids(texts: int = 3, length: int = 9) -> NDArray[np.int32]:
    drawn = np.random.default_rng(0).integers(1, 60_000, (texts, length), dtype=np.int32)
    drawn[0, :4] = 0
    return drawn


@pytest.mark.parametrize("buckets", [1, 1_000, 200_003, 2**31 - 1])
def test_buckets_are_those_of_the_arithmetic_in_the_docstring(buckets: int) -> None:
    x = ids()
    found = np.asarray(layers.HashedNgrams(4, buckets)(x))
    assert found.shape == (3, 9, 3)
    for text, position, column in np.ndindex(*found.shape):
        begin = position - column - 1
        ngram = tuple(int(one) for one in x[text, max(0, begin) : position + 1])
        whole = begin >= 0 and 0 not in ngram
        assert found[text, position, column] == (bucket(ngram, buckets) if whole else 0)


def test_no_product_with_a_constant_leaves_the_range_of_int64() -> None:
    for factor in (FOR_EARLIER, FOR_WORD):
        assert factor * (2**32 - 1) < 2**63


def test_padding_in_front_adds_zeros_and_nothing_else() -> None:
    x, layer = ids(), layers.HashedNgrams(3, 1_000)
    padded = np.pad(x, ((0, 0), (17, 0)))
    found = np.asarray(layer(padded))
    np.testing.assert_array_equal(found[:, 17:], np.asarray(layer(x)))
    assert not found[:, :17].any()


def test_different_ngrams_share_buckets_no_more_often_than_at_random() -> None:
    words = np.arange(1, 401, dtype=np.int32)
    x = np.stack(np.meshgrid(words, words), axis=-1).reshape(-1, 2)
    buckets = 1 << 16
    found = np.asarray(layers.HashedNgrams(2, buckets)(x))[:, 1, 0]
    # Of b buckets n random balls leave b exp(-n/b) empty; the standard deviation is below sqrt(b)/2.
    empty = buckets - len(np.unique(found))
    assert abs(empty - buckets * np.exp(-len(x) / buckets)) < 5 * np.sqrt(buckets) / 2


def test_a_saved_layer_answers_as_before(tmp_path: Path) -> None:
    words = keras.Input((None,), dtype="int32")
    keras.Model(words, layers.HashedNgrams(3, 1_000)(words)).save(tmp_path / "ngrams.keras")
    loaded = layers.load_model(tmp_path / "ngrams.keras")
    np.testing.assert_array_equal(
        loaded.predict(ids(), verbose=0), np.asarray(layers.HashedNgrams(3, 1_000)(ids()))
    )


def test_buckets_may_begin_after_the_words() -> None:
    from_one = np.asarray(layers.HashedNgrams(3, 1_000)(ids()))
    after = np.asarray(layers.HashedNgrams(3, 1_000, first=60_000)(ids()))
    np.testing.assert_array_equal(after, np.where(from_one > 0, from_one + 59_999, 0))


@pytest.mark.parametrize(
    ("orders", "buckets", "first"), [(1, 10, 1), (2, 0, 1), (2, 2**31, 1), (2, 10, 0)]
)
def test_numbers_that_cannot_be_are_refused(orders: int, buckets: int, first: int) -> None:
    with pytest.raises(SettingsError, match="Hashed n-grams"):
        layers.HashedNgrams(orders, buckets, first)
