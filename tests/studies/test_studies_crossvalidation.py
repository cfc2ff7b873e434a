import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sentilab import studies
from sentilab.compare import accuracy_interval
from sentilab.data import Dataset
from sentilab.errors import SentilabError, SettingsError
from sentilab.studies import CrossValidation, StudySpec
from sentilab.training import Preparation, RunFolder, Silence

STUDY = """
seeds = [1, 2]
[data]
source = "generated"
words = 300
length = 12
[defaults]
epochs = 1
learning_rate = 0.01
model_settings = { embedding = 4, units = 4 }
[[run]]
name = "dense"
model = "mlp"
[[run]]
name = "lstm"
model = "bilstm1"
[[run]]
name = "both of them"
ensemble = ["dense", "lstm"]
"""


@pytest.fixture
def spec(tmp_path: Path) -> StudySpec:
    (tmp_path / "s.toml").write_text(STUDY)
    return studies.read(str(tmp_path / "s.toml"))


@pytest.fixture(scope="module")
def unsplit(corpus: Dataset) -> Preparation:
    return Preparation(replace(corpus, splits=None))


class Counting(Silence):
    trained = 0

    def on_epoch(self, *_: object) -> None:
        Counting.trained += 1


def test_every_setting_is_judged_on_all_texts_and_nothing_is_trained_twice(
    spec: StudySpec, unsplit: Preparation, tmp_path: Path
) -> None:
    prepared = CrossValidation.prepare(spec, unsplit, tmp_path / "cv", folds=3, seeds=[1])
    assert len(prepared.unfinished()) == 9
    Counting.trained = 0
    found = prepared.carry_out(lambda *_: Counting())
    assert Counting.trained == 9
    assert (found.texts, found.folds, found.protocol) == (len(unsplit.dataset), 3, "notebook")
    assert [one.name for one in found.settings] == ["dense", "lstm", "both of them"]
    for one in found.settings:
        kept = RunFolder(tmp_path / "cv" / "out-of-fold" / f"{one.name.replace(' ', '-')}-1")
        answers = kept.predictions()
        assert answers.ids.tolist() == list(unsplit.dataset.ids)
        np.testing.assert_array_equal(answers.labels, unsplit.dataset.labels)
        assert one.accuracy == answers.correct.mean()
        assert one.interval == accuracy_interval(int(answers.correct.sum()), found.texts)
        assert len(one.by_fold) == 3
        assert np.mean(one.by_fold) == pytest.approx(one.accuracy, abs=0.01)
    dense, lstm, both = found.settings
    assert found.differences["lstm"].difference == pytest.approx(lstm.accuracy - dense.accuracy)
    assert both.seconds > dense.seconds + lstm.seconds
    told = json.loads((tmp_path / "cv" / "crossvalidation.json").read_text())
    assert told["settings"][0]["accuracy"] == dense.accuracy

    again = CrossValidation.prepare(spec, unsplit, tmp_path / "cv", folds=3, seeds=[1])
    assert again.unfinished() == ()
    assert again.carry_out(lambda *_: Counting()).to_json() == found.to_json()
    assert Counting.trained == 9


def test_seeds_share_the_folds_and_widen_the_interval(
    spec: StudySpec, unsplit: Preparation, tmp_path: Path
) -> None:
    prepared = CrossValidation.prepare(spec, unsplit, tmp_path, folds=2, only=["dense", "lstm"])
    found = prepared.carry_out(lambda *_: Silence())
    assert found.seeds == (1, 2)
    assert found.differences["lstm"].covers == "test texts and seeds"
    low, high = found.settings[0].interval
    assert low < found.settings[0].accuracy < high


def test_a_run_that_stops_early_validates_outside_of_the_fold_that_tests_it(
    spec: StudySpec, unsplit: Preparation, tmp_path: Path
) -> None:
    watching = STUDY.replace('model = "mlp"', 'model = "mlp"\nearly_stopping = { patience = 1 }')
    (tmp_path / "w.toml").write_text(watching)
    spec = studies.read(str(tmp_path / "w.toml"))
    prepared = CrossValidation.prepare(spec, unsplit, tmp_path, folds=2, only=["dense"])
    assert prepared.protocol == "holdout"
    for only in ("dense", "both of them"):
        with pytest.raises(SettingsError, match="would watch the very texts"):
            CrossValidation.prepare(
                spec, unsplit, tmp_path, folds=2, protocol="notebook", only=[only]
            )
    with pytest.raises(SettingsError, match="take notebook or holdout"):
        CrossValidation.prepare(spec, unsplit, tmp_path, folds=2, protocol="validation")


def test_a_setting_that_cannot_be_trained_is_left_out_with_its_reason(
    spec: StudySpec, unsplit: Preparation, tmp_path: Path
) -> None:
    (tmp_path / "r.toml").write_text(STUDY.replace('"bilstm1"', '"mlp-unflattened"'))
    spec = studies.read(str(tmp_path / "r.toml"))
    prepared = CrossValidation.prepare(spec, unsplit, tmp_path / "cv", folds=2, seeds=[1])
    found = prepared.carry_out(lambda *_: Silence())
    assert [one.name for one in found.settings] == ["dense"]
    assert "cannot be trained" in found.failed["lstm"]
    assert "was refused" in found.failed["both of them"]
    prepared = CrossValidation.prepare(
        spec, unsplit, tmp_path / "cv", folds=2, seeds=[1], only=["lstm"]
    )
    with pytest.raises(SentilabError, match="No setting could be trained"):
        prepared.carry_out(lambda *_: Silence())
