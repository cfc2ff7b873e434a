"""Pretraining in a study file."""

from pathlib import Path

import pytest

from sentilab import studies, workbench
from sentilab.data.generated import generate
from sentilab.errors import SettingsError
from sentilab.training import Silence
from sentilab.training.ensembling import members_of

STUDY = """
name = "pretrained"
title = "Does it help to have read before?"
seeds = [1, 2]

[data]
source = "generated"
words = 200
length = 12

[protocol]
name = "notebook"

[defaults]
model = "bilstm1"
epochs = 1
batch_size = 64
model_settings = { embedding = 4, units = 4 }

[[run]]
name = "plain"

[[run]]
name = "pretrained"
pretraining = { unlabelled = "more.txt", epochs = 1, row_length = 16, sampled = 20 }

[[run]]
name = "both"
ensemble = ["plain", "pretrained"]
"""


@pytest.fixture
def home(home: Path) -> Path:
    (home / "study.toml").write_text(STUDY)
    return home


def test_a_studys_runs_are_pretrained_on_the_texts_that_it_names_once_for_all_seeds(
    home: Path,
) -> None:
    study = workbench.prepare_study(
        studies.read("study.toml"), generate(train=80, test=40), Path("runs")
    )
    settings = {one.name.partition("@")[0]: one.settings for one in study.plan.runs}
    asked = settings["pretrained"].pretraining
    assert settings["plain"].pretraining is None
    assert asked is not None
    assert study.preparation.unlabelled is not None
    assert asked.unlabelled_fingerprint == study.preparation.unlabelled.fingerprint
    assert members_of(settings["both"])[1].pretraining == asked
    results = study.carry_out(lambda *_: Silence(), lambda _: None)
    assert {one.status for one in results.runs} == {"finished"}
    assert len(list((home / "runs" / "pretraining").iterdir())) == 1


def test_a_pretraining_that_does_not_exist_is_refused_with_its_key(home: Path) -> None:
    (home / "study.toml").write_text(STUDY.replace("sampled = 20", "sample = 20"))
    with pytest.raises(SettingsError, match=r"study.toml, .*pretraining.*sample"):
        studies.read("study.toml")


def test_runs_of_one_study_read_the_same_unlabelled_texts(home: Path) -> None:
    (home / "study.toml").write_text(
        STUDY + '[[run]]\nname = "other"\npretraining = { unlabelled = "imdb" }\n'
    )
    with pytest.raises(SettingsError, match="different unlabelled texts"):
        workbench.prepare_study(
            studies.read("study.toml"), generate(train=80, test=40), Path("runs")
        )
