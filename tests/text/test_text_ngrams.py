"""N-grams against whole numbers without a limit, and against scikit-learn's counting."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from sentilab.text import ngrams
from sentilab.text.ngrams import NoPlace, count, hashes, place, places, slots_for

UNKNOWN = 2


def number_of(words: tuple[int, ...]) -> int:
    """The docstring's formula in Python's own numbers."""
    h = 0
    for word in words:
        x = (h + word * ngrams.C) % 2**32
        h = rotated(x * ngrams.A % 2**32) * ngrams.B % 2**32
    return h


def rotated(y: int) -> int:
    return (y * 2**16 + y // 2**16) % 2**32


def encoded(texts: list[list[int]], length: int) -> NDArray[np.int32]:
    x = np.zeros((len(texts), length), np.int32)
    for row, text in enumerate(texts):
        x[row, length - len(text) :] = text
    return x


texts_of_words = st.lists(
    st.lists(st.sampled_from([1, UNKNOWN, 3, 4, 5, 6, 70_000, 2**31 - 1]), max_size=9),
    min_size=1,
    max_size=8,
)


@given(texts_of_words, st.integers(1, 4))
def test_numbers_are_those_of_the_formula(texts: list[list[int]], orders: int) -> None:
    found = hashes(encoded(texts, 9), orders)
    assert found.shape == (len(texts), orders, 9)
    for row, text in enumerate(texts):
        for order in range(1, orders + 1):
            for end in range(9):
                start = end - (9 - len(text)) - order + 1
                there = start >= 0
                wanted = number_of(tuple(text[start : start + order])) if there else 0
                assert found[row, order - 1, end] == wanted


def test_64_bits_are_enough_for_every_step() -> None:
    for factor in (ngrams.A, ngrams.B, ngrams.C, *ngrams.PLACES):
        assert factor % 2 == 1
        # A product and a sum of two 32-bit numbers.
        assert factor * (2**32 - 1) + 2**32 < 2**63


def test_what_goes_on_from_the_number_zero_is_left_out() -> None:
    # The one word whose number is 0 times C, up to 2³², is 0 itself; so one of two words is built.
    first = number_of((3,))
    last = -first * pow(ngrams.C, -1, 2**32) % 2**32
    x = np.asarray([[3, last, 4]], np.uint32).astype(np.int32)
    assert hashes(x, 3)[0].tolist()[1:] == [[0, 0, number_of((last, 4))], [0, 0, 0]]


@given(texts_of_words, st.integers(0, 12))
def test_padding_in_front_changes_nothing(texts: list[list[int]], more: int) -> None:
    narrow, wide = (hashes(encoded(texts, 9 + extra), 3) for extra in (0, more))
    np.testing.assert_array_equal(wide[:, :, more:], narrow)
    assert not wide[:, :, :more].any()


@given(texts_of_words, st.integers(1, 4), st.integers(1, 3))
def test_counted_are_those_that_scikit_learn_counts(
    texts: list[list[int]], orders: int, least: int
) -> None:
    found = count(encoded(texts, 9), orders, least=least)
    # Scikit-learn joins tokens with spaces; a part between unknown words is a text of its own.
    wanted: Counter[int] = Counter()
    has: list[set[int]] = []
    for text in texts:
        counter = CountVectorizer(
            analyzer="word", tokenizer=str.split, token_pattern=None, lowercase=False,
            ngram_range=(1, orders), binary=True,
        )  # fmt: skip
        words = [" | " if one == UNKNOWN else str(one) for one in text]
        pieces = " ".join(words).split("|")
        names = []
        if any(one.strip() for one in pieces):
            counter.fit(pieces)
            names = list(counter.vocabulary_)
        has.append({number_of(tuple(map(int, one.split(" ")))) for one in names})
        wanted.update(has[-1])
    kept = sorted(one for one, times in wanted.items() if times >= least)
    assert found.hashes.tolist() == kept
    assert found.frequencies.tolist() == [wanted[one] for one in kept]
    for row, text in enumerate(has):
        mine = found.indices[found.starts[row] : found.starts[row + 1]]
        assert found.hashes[mine].tolist() == sorted(text & set(kept))


def test_of_too_many_the_most_frequent_stay_and_of_equals_the_lower_numbers() -> None:
    x = encoded([[3, 4, 5, 6], [3, 4, 5], [3, 4, 7], [3, 7]], 4)
    everything = count(x, 1, least=1)
    by_rank = sorted(
        zip((-everything.frequencies).tolist(), everything.hashes.tolist(), strict=True)
    )
    for features in range(1, 7):
        kept = count(x, 1, least=1, features=features)
        assert kept.hashes.tolist() == sorted(number for _, number in by_rank[:features])


def test_the_matrix_has_a_value_where_a_text_has_an_ngram() -> None:
    found = count(encoded([[3, 4, 3], [], [4]], 3), 1, least=1)
    order = np.argsort([number_of((3,)), number_of((4,))])
    values = np.asarray([0.5, 2.0], np.float32)
    np.testing.assert_array_equal(
        found.matrix().toarray()[:, np.argsort(order)], [[1, 1], [0, 0], [0, 1]]
    )
    np.testing.assert_array_equal(
        found.matrix(values[order]).toarray()[:, np.argsort(order)], [[0.5, 2], [0, 0], [0, 2]]
    )
    assert found.matrix().indptr.dtype == np.int32  # scikit-learn takes no others


@given(
    arrays(np.uint32, st.integers(0, 300), elements=st.integers(1, 2**32 - 1), unique=True),
    st.integers(20, 300),
)
def test_each_number_is_placed_alone_in_one_of_its_places(
    numbers: NDArray[np.uint32], more: int
) -> None:
    # Numbers that were looked for may be ones that crowd the same few slots.
    slots = slots_for(len(numbers)) + more
    found = place(numbers, slots)
    allowed = places(numbers, slots)
    assert len(set(found.tolist())) == len(numbers)
    assert ((found >= 0) & (found < slots)).all()
    assert (found[:, None] == allowed).any(axis=1).all()
    for row, number in zip(allowed.tolist(), numbers.tolist(), strict=True):
        wanted = [rotated(number * one % 2**32) % 2**31 % slots for one in ngrams.PLACES]
        assert row == wanted


def test_many_numbers_find_places_and_the_same_ones_each_time() -> None:
    numbers = np.unique(np.random.default_rng(0).integers(1, 2**32, 50_000, np.uint32))
    first, second = (place(numbers, slots_for(len(numbers))) for _ in range(2))
    assert len(np.unique(first)) == len(numbers)
    np.testing.assert_array_equal(first, second)


def test_more_numbers_than_slots_are_refused() -> None:
    numbers = np.arange(1, 20, dtype=np.uint32)
    with pytest.raises(NoPlace, match="19 n-grams do not find places in 18 slots"):
        place(numbers, 18)


def test_ngrams_share_numbers_no_more_often_than_drawn_ones_would() -> None:
    words = np.arange(1, 501, dtype=np.int32)
    x = np.stack(np.meshgrid(words, words), axis=-1).reshape(-1, 2)
    found = hashes(x, 2)[:, 1, 1]
    shared = len(found) - len(np.unique(found))
    # Of 250,000 drawn numbers 7 come again, give or take 3.
    expected = len(found) ** 2 / 2**33
    assert shared < expected + 5 * expected**0.5
    singles = hashes(np.arange(1, 100_001, dtype=np.int32)[:, None], 1)
    assert len(np.unique(singles)) == 100_000


def test_the_places_of_a_number_are_not_tied_to_each_other() -> None:
    # Were they, whoever shares one place would share all, and placing would fail.
    numbers = np.random.default_rng(1).integers(1, 2**32, 20_000, np.uint32)
    for slots in (1 << 10, 1_000, 997):
        each = places(numbers, slots)
        for one, other in pairwise([*range(3), 0]):
            same: Any = (each[:, one] == each[:, other]).mean()
            assert same < 3 / slots + 0.001
