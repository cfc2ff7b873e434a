import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentilab.checkup.similar import SKETCH, band_rows, near_duplicates, shingle_words
from sentilab.text import tokenize


def exact(texts: list[str], threshold: float, words: int) -> dict[tuple[int, int], float]:
    """Every pair measured, by the definition."""
    sets = []
    for text in texts:
        split = text.split()
        sets.append(
            {tuple(split[at : at + words]) for at in range(max(len(split) - words + 1, 1))}
            if split
            else set()
        )
    found = {}
    for first in range(len(texts)):
        for second in range(first + 1, len(texts)):
            if sets[first] and sets[second]:
                union = sets[first] | sets[second]
                index = len(sets[first] & sets[second]) / len(union)
                if index >= threshold:
                    found[first, second] = index
    return found


def found(texts: list[str], threshold: float, words: int) -> dict[tuple[int, int], float]:
    rows = np.arange(len(texts))
    pairs = near_duplicates(tokenize(texts), rows, np.zeros(len(texts), int), threshold, words)
    keys = [(first, second) for first, second in pairs.rows.tolist()]
    return dict(zip(keys, pairs.similarity.tolist(), strict=True))


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12), max_size=25),
    st.sampled_from([0.5, 0.8, 0.9, 1.0]),
    st.integers(2, 5),
)
def test_what_is_reported_reaches_the_threshold_and_is_measured_exactly(
    lists: list[list[str]], threshold: float, words: int
) -> None:
    texts = [" ".join(one) for one in lists]
    expected = exact(texts, threshold, words)
    assert found(texts, threshold, words).items() <= expected.items()


def test_no_pair_is_missed_among_500_texts_changed_in_a_few_words() -> None:
    random = np.random.default_rng(0)
    vocabulary = np.asarray([f"w{n}" for n in range(300)])
    texts = []
    for _ in range(250):
        words = random.choice(vocabulary, 100)
        changed = words.copy()
        changed[random.choice(100, random.integers(0, 5), replace=False)] = "changed"
        texts += [" ".join(words), " ".join(changed)]
    expected = exact(texts, 0.8, 3)
    assert len(expected) > 150
    assert found(texts, 0.8, 3) == expected


def test_of_thousands_alike_each_is_paired_with_one_of_every_kind_in_linear_time() -> None:
    base = " ".join(f"w{n}" for n in range(60))
    texts = [f"{base} end{n}" for n in range(1_000)]
    kinds = np.arange(1_000) % 2
    pairs = near_duplicates(tokenize(texts), np.arange(1_000), kinds, 0.8, 5)
    assert not pairs.are_all
    assert len(pairs.rows) < 1_000 * 50
    across = pairs.rows[kinds[pairs.rows[:, 0]] != kinds[pairs.rows[:, 1]]]
    assert len(np.unique(across)) == 1_000


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_a_pair_at_the_threshold_is_missed_less_than_once_in_a_thousand(threshold: float) -> None:
    rows = band_rows(threshold)
    assert SKETCH % rows == 0
    assert (1 - threshold**rows) ** (SKETCH / rows) < 0.001


def test_one_changed_word_leaves_a_text_of_median_length_a_near_duplicate() -> None:
    for length in (29, 30, 40, 50, 170):
        words = shingle_words(np.asarray([length]))
        one = [f"w{n}" for n in range(length)]
        other = [*one[: length // 2], "changed", *one[length // 2 + 1 :]]
        assert found([" ".join(one), " ".join(other)], 0.8, words)
    assert shingle_words(np.zeros(0, np.int64)) == 2
