import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentilab.data import Dataset, load, partition
from sentilab.errors import DataError, DataNotFound


def dataset(texts: list[str], labels: list[int], splits: list[str] | None = None) -> Dataset:
    ids = [str(row) for row in range(len(texts))]
    official = None if splits is None else np.asarray(splits)
    return Dataset("d", "memory", "f", ids, texts, np.asarray(labels), ("no", "yes"), official)


def folded(data: Dataset, rows: np.ndarray) -> set[str]:
    return {" ".join(data.texts[row].split()).casefold() for row in rows}


# Few different texts, so that most of them repeat.
tables = st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=80, max_size=160)


@settings(max_examples=60, deadline=None)
@given(tables, st.integers(0, 99), st.booleans())
def test_no_text_straddles_the_parts_of_a_holdout(
    rows: list[tuple[int, bool]], seed: int, official: bool
) -> None:
    texts = [f"Text  {number}" if upper else f"text {number}" for number, upper in rows]
    labels = [number % 2 for number, _ in rows]
    splits = ["test" if number % 7 == 0 else "train" for number in range(len(rows))]
    data = dataset(texts, labels, splits if official else None)
    try:
        parts = partition(data, "holdout", seed=seed)
    except DataError:
        return  # too few of a label are left; said in words, tested below
    sides = [folded(data, one) for one in (parts.train, parts.validation, parts.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    used = sum(len(one) for one in (parts.train, parts.validation, parts.test))
    assert used + parts.duplicates["removed_from_training"] == len(data)


def test_a_holdout_is_stratified_seeded_and_independent_of_the_test_part() -> None:
    texts = [f"text {number}" for number in range(1_000)]
    labels = [int(number % 10 < 3) for number in range(1_000)]
    splits = ["train"] * 800 + ["test"] * 200
    data = dataset(texts, labels, splits)
    parts = partition(data, "holdout", validation_fraction=0.25, seed=1)
    assert len(parts.validation) == 200
    assert data.labels[parts.validation].sum() == 60
    assert list(parts.test) == list(range(800, 1_000))
    again = partition(data, "holdout", validation_fraction=0.25, seed=1)
    other = partition(data, "holdout", validation_fraction=0.25, seed=2)
    assert list(again.validation) == list(parts.validation)
    assert list(other.validation) != list(parts.validation)


def test_the_notebook_protocol_takes_the_splits_as_they_are() -> None:
    data = dataset(["a", "A ", "b", "a"], [0, 1, 1, 0], ["train", "train", "train", "test"])
    parts = partition(data, "notebook")
    assert list(parts.train) == [0, 1, 2]
    assert list(parts.validation) == list(parts.test) == [3]
    assert parts.duplicates == {
        "repeated_texts": 2,
        "straddling_official_splits": 1,
        "removed_from_training": 0,
        "grouped_in_holdout": 0,
    }


def test_a_label_with_too_few_texts_is_named() -> None:
    with pytest.raises(DataError, match='"yes" has 2 texts'):
        partition(dataset([f"t{n}" for n in range(50)], [0] * 48 + [1] * 2), "holdout")


def test_texts_that_all_repeat_cannot_be_split() -> None:
    with pytest.raises(DataError, match="too many repeats"):
        partition(dataset(["same"] * 25 + ["other"] * 25, [0] * 25 + [1] * 25), "holdout")


@pytest.mark.real_data
def test_123_texts_straddle_the_official_splits_of_imdb() -> None:
    try:
        imdb = load("imdb", download=False)
    except DataNotFound as error:
        pytest.skip(str(error).splitlines()[0])
    assert partition(imdb, "notebook").duplicates["straddling_official_splits"] == 123
    parts = partition(imdb, "holdout")
    assert not folded(imdb, parts.train) & folded(imdb, parts.test)
    assert abs(len(parts.validation) - 0.2 * 24_877) < 10


def test_another_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match="notebook, holdout"):
        partition(dataset(["a", "b"], [0, 1]), "hold-out")


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("protocol", ["notebook", "holdout", "validation"])
@pytest.mark.parametrize("fold", [None, (2, 3)])
def test_inner_folds_test_what_learns_and_nothing_that_is_tested(
    official: bool, protocol: str, fold: tuple[int, int] | None
) -> None:
    texts = [f"text {number % 450}" for number in range(500)]
    splits = ["test" if number % 450 < 100 else "train" for number in range(500)]
    data = dataset(texts, [number % 450 % 2 for number in range(500)], splits if official else None)
    whole = partition(data, protocol, fold=fold)
    inner = [partition(data, protocol, fold=fold, inner_fold=(n, 4)) for n in (1, 2, 3, 4)]
    tested = np.concatenate([one.test for one in inner])
    assert sorted(tested) == list(whole.learning)
    for one in inner:
        assert not set(one.test) & {*one.train, *one.validation}
        assert not folded(data, one.test) & folded(data, np.r_[one.train, one.validation])
        assert not {*one.train, *one.validation, *one.test} & set(whole.test)
        assert 0.3 < data.labels[one.test].mean() < 0.7
