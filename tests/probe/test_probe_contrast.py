import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sentilab.data import Dataset, contrast, leave_out
from sentilab.data.generated import generate
from sentilab.errors import DataNotFound
from sentilab.probe import NotApplicable, Subject
from sentilab.probe.contrast import Result, edits, lines, measure, training_sentence
from sentilab.training import Preparation, RunFolder, RunSettings, train
from sentilab.workbench import Subjects

SETTINGS = RunSettings.from_dict(
    {
        "model": "mlp",
        "model_settings": {"embedding": 4, "units": 4},
        "words": 300,
        "length": 12,
        "epochs": 1,
        "protocol": "holdout",
    }
)
PAIRS = 8


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Generated sentences that pass for IMDB, with contrast sets of the first few beside them."""
    home = tmp_path_factory.mktemp("home")
    folder = home / contrast.FOLDER
    folder.mkdir()
    dataset = replace(generate(train=200, test=60), name="imdb", is_generated=False, home=home)
    names = {0: ("Negative", "Positive"), 1: ("Positive", "Negative")}
    for part, rows in (("dev", range(3)), ("test", range(3, PAIRS))):
        for which, side in (("original", 0), ("contrast", 1)):
            lines = ["Sentiment\tText"]
            for row in rows:
                edited = " not at all" if side else ""
                lines.append(f"{names[dataset.labels[row]][side]}\t{dataset.texts[row]}{edited}")
            (folder / f"{part}_{which}.tsv").write_text("\n".join(lines) + "\n")
    return dataset


def trained(dataset: Dataset, folder: Path) -> Subject:
    preparation = Preparation(dataset)
    run = train(SETTINGS, preparation.examples(SETTINGS), folder)
    return Subject(run, dataset, preparation)


@pytest.fixture(scope="module")
def whole(reviews: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return trained(reviews, tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture(scope="module")
def without(reviews: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    left = leave_out(reviews, "contrast-originals")
    return trained(left, tmp_path_factory.mktemp("without") / "run")


def test_answers_are_kept_pair_by_pair(whole: Subject) -> None:
    result = measure(whole)
    assert len(result.positive) == len(result.originals) == len(result.twins) == PAIRS
    right = (np.array(result.originals) > 0.5) == np.array(result.positive)
    assert result.originals_right.tolist() == right.tolist()
    assert (result.both_right == (result.originals_right & result.twins_right)).all()
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
    assert f"of {PAIRS} originals are answered rightly" in lines(result)[0]


def test_originals_in_the_training_part_are_counted(whole: Subject) -> None:
    result = measure(whole)
    training = {contrast.folded(one) for one in whole.texts(whole.examples.train.ids)}
    folded = [contrast.folded(whole.dataset.texts[row]) for row in range(PAIRS)]
    assert result.in_training == sum(one in training for one in folded) > 0
    assert not result.removed
    assert training_sentence(result).startswith(
        f"{result.in_training} of {PAIRS} originals were in its training data: the drop is flattered"
    )


def test_originals_that_were_left_out_are_known_to_be(without: Subject) -> None:
    result = measure(without)
    assert (result.in_training, result.removed) == (0, True)
    assert training_sentence(result) == "the originals were removed from training"
    assert "none of the originals was found" in training_sentence(replace(result, removed=False))


def test_a_run_without_originals_says_so_and_is_probed_on_the_same_data(
    whole: Subject, without: Subject, reviews: Dataset
) -> None:
    assert without.run.data()["without"] == "contrast-originals"
    assert "without" not in (whole.run.path / "config.toml").read_text()
    subjects = Subjects(lambda name: reviews)
    assert subjects.of(without.run).dataset.fingerprint == without.dataset.fingerprint
    assert subjects.of(whole.run).dataset.fingerprint == reviews.fingerprint
    assert RunFolder(whole.run.path).data()["without"] == ""


def test_other_data_than_imdb_have_no_contrast_sets(whole: Subject) -> None:
    other = Subject(whole.run, replace(whole.dataset, name="reviews"), whole.preparation)
    with pytest.raises(NotApplicable, match="this run was trained on reviews"):
        measure(other)


def test_contrast_sets_out_of_reach_are_an_error(
    whole: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SENTILAB_DATA", raising=False)
    elsewhere = Subject(whole.run, replace(whole.dataset, home=tmp_path), whole.preparation)
    with pytest.raises(DataNotFound, match="beside the reviews"):
        measure(elsewhere)


def test_pairs_that_the_model_reads_alike_are_counted(
    whole: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail = " and so on" * 5
    pairs = [
        contrast.Pair(f"fine{tail}", f"poor{tail}", True),
        contrast.Pair(f"{tail} superb", f"{tail} dull", True),
    ]
    monkeypatch.setattr("sentilab.probe.contrast.contrast_pairs", lambda beside: pairs)
    assert measure(whole).unseen == 1


def test_edits_show_what_changed_with_words_around_it() -> None:
    one = "it was a truly wonderful film that I would gladly see again and again some day soon"
    two = one.replace("wonderful", "dreadful").replace("soon", "maybe")
    assert edits(one, two) == (
        (
            "it was a truly wonderful film that I would gladly",
            "it was a truly dreadful film that I would gladly",
        ),
        ("again and again some day soon", "again and again some day maybe"),
    )
    assert edits(one, one) == ()
