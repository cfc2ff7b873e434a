from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sentilab.data import Dataset
from sentilab.data.splits import repeat_groups
from sentilab.errors import SentilabError
from sentilab.training import Preparation, RunFolder, RunSettings, Silence
from sentilab.training.folds import (
    cross_validate,
    fold_settings,
    gathered,
    inner_fold_settings,
    train_folds,
)

Settings = Callable[..., RunSettings]


@pytest.fixture(scope="module")
def unsplit(corpus: Dataset) -> Dataset:
    """The corpus without official splits, some of its texts there twice."""
    from dataclasses import replace

    twice = [*range(len(corpus)), *range(30)]
    return replace(
        corpus,
        texts=[corpus.texts[n] for n in twice],
        labels=corpus.labels[twice],
        ids=[str(n) for n in range(len(twice))],
        splits=None,
    )


def test_every_text_is_answered_once_in_the_datas_order_by_a_model_that_has_not_seen_it(
    unsplit: Dataset, small_settings: Settings, tmp_path: Path
) -> None:
    preparation = Preparation(unsplit)
    settings = small_settings(epochs=1, protocol="holdout")
    answers = cross_validate(settings, preparation, tmp_path, folds=3)
    assert answers.ids.tolist() == list(unsplit.ids)
    np.testing.assert_array_equal(answers.labels, unsplit.labels)
    groups = repeat_groups(unsplit)
    for one in fold_settings(settings, 3):
        rows = preparation.partition(one)
        run = RunFolder(tmp_path / one.folder_name(unsplit.fingerprint))
        assert run.predictions().ids.tolist() == [unsplit.ids[row] for row in rows.test]
        assert not set(groups[rows.test]) & set(groups[np.r_[rows.train, rows.validation]])
        assert abs(unsplit.labels[rows.test].mean() - unsplit.labels.mean()) < 0.05


def test_where_there_are_official_splits_the_training_rows_are_folded(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    corpus = preparation.dataset
    answers = cross_validate(small_settings(epochs=1), preparation, tmp_path, folds=2)
    tested = {one for one, split in zip(corpus.ids, corpus.splits, strict=True) if split == "test"}
    assert not tested & set(answers.ids.tolist())
    assert len(answers.ids) > 200


class Counting(Silence):
    trained = 0

    def on_epoch(self, *_: object) -> None:
        Counting.trained += 1


def test_folds_that_are_done_are_not_trained_again(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    Counting.trained = 0
    folds = inner_fold_settings(small_settings(epochs=1), 3)
    train_folds(folds[:2], preparation, tmp_path, lambda *_: Counting())
    assert Counting.trained == 2
    train_folds(folds, preparation, tmp_path, lambda *_: Counting())
    assert Counting.trained == 3


def test_examples_of_one_fold_at_a_time_are_kept(corpus: Dataset, small_settings: Settings) -> None:
    preparation = Preparation(corpus)
    whole = preparation.examples(small_settings())
    for one in fold_settings(small_settings(), 4):
        preparation.examples(one)
    assert len(preparation._examples) == 2
    assert preparation.examples(small_settings()) is whole


def test_a_text_that_is_answered_twice_or_never_is_an_error(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    runs = train_folds(fold_settings(small_settings(epochs=1), 2), preparation, tmp_path)
    ids = [*runs[0].predictions().ids, *runs[1].predictions().ids]
    assert gathered(runs, ids[::-1]).ids.tolist() == ids[::-1]
    for wrong in ([runs[0], runs[0], runs[1]], runs[:1]):
        with pytest.raises(SentilabError, match="exactly once"):
            gathered(wrong, ids)
