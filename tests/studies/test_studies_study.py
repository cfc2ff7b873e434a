import csv
from dataclasses import replace
from pathlib import Path

import pytest

from sentilab import studies
from sentilab.errors import SentilabError
from sentilab.studies import Study, StudyResults, StudySpec, Training
from sentilab.training import Preparation, RunFolder, Silence

SMALL = """
name = "small"
[data]
source = "generated"
words = 300
length = 12
[protocol]
name = "notebook"
[defaults]
model_settings = { embedding = 8, units = 8 }
[[run]]
name = "e{epochs}"
model = "mlp"
epochs = [1, 2]
[[run]]
name = "refused"
model = "mlp-unflattened"
[[question]]
kind = "data"
title = "Data"
asks = "What?"
[[question]]
kind = "compare"
title = "Epochs"
asks = "More?"
runs = ["e1", "e2"]
"""


@pytest.fixture
def spec(tmp_path: Path) -> StudySpec:
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return studies.read(str(file))


def quiet(*_: object) -> Silence:
    return Silence()


def test_a_study_trains_its_runs_and_reports_after_each(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    heard: list[list[str]] = []

    def after_each(results: StudyResults) -> None:
        heard.append([one.status for one in results.runs])

    study = Study.prepare(spec, preparation, tmp_path / "out")
    results = study.carry_out(quiet, after_each)
    assert len(heard) == 3
    assert sum(one.count("planned") for one in heard) == 2 + 1
    assert [one.status for one in results.runs] == ["finished", "finished", "refused"]
    assert results.finished
    first, second, refused = results.runs
    assert [len(first.history), len(second.history)] == [1, 2]
    assert second.history[0] == first.history[0]
    assert second.accuracy == second.predictions().correct.mean()
    assert "(None, 12, 1)" in refused.reason
    assert not list((tmp_path / "out").glob("*/state.safetensors"))


def test_results_are_read_from_the_folder_alone(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(spec, preparation, tmp_path / "out", only=["e1"])
    results = study.carry_out(quiet, lambda _: None)
    assert studies.read_results(tmp_path / "out") == results
    (tmp_path / "out").rename(tmp_path / "moved")
    moved = studies.read_results(tmp_path / "moved")
    assert moved.runs[0].accuracy == results.runs[0].accuracy
    rows = list(csv.DictReader((tmp_path / "moved" / "runs.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["e1@notebook-297"]


def test_carrying_out_again_trains_nothing(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    Study.prepare(spec, preparation, tmp_path).carry_out(quiet, lambda _: None)
    again = Study.prepare(spec, preparation, tmp_path)
    assert again.unfinished() == ()

    def announce(training: Training, number: int, total: int) -> Silence:
        raise AssertionError("trained again")

    assert again.carry_out(announce, lambda _: None).finished


def test_questions_about_runs_left_out_are_not_asked(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    Study.prepare(spec, preparation, tmp_path, only=["refused"]).write_facts()
    assert [one.kind for one in studies.read_results(tmp_path).questions] == ["data"]


def test_runs_are_named_by_their_folders_before_anything_is_trained(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(spec, preparation, tmp_path)
    study.write_facts()
    expected = {one.folder.name: one.name for one in study.plan.runs}
    assert studies.run_names(tmp_path) == expected
    assert list(studies.run_names(tmp_path)) == list(expected)
    with pytest.raises(SentilabError, match="not a study's facts"):
        studies.run_names(tmp_path / "nowhere")


def test_a_shorter_run_keeps_its_state_until_the_longer_one_has_ended(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(spec, preparation, tmp_path)
    kept: list[bool] = []

    def announce(training: Training, number: int, total: int) -> Silence:
        if training.continues:
            kept.append(RunFolder(training.continues).state.exists())
        return Silence()

    study.carry_out(announce, lambda _: None)
    assert kept == [True]


def test_two_processes_do_not_work_on_one_study(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(spec, preparation, tmp_path)
    part = Study.prepare(spec, preparation, tmp_path, only=["e1"])

    def announce(training: Training, number: int, total: int) -> Silence:
        with pytest.raises(SentilabError, match="another sentilab is at work"):
            part.carry_out(quiet, lambda _: None)
        return Silence()

    results = study.carry_out(announce, lambda _: None)
    assert len(results.runs) == len(study.plan.runs) > len(part.plan.runs)


def test_both_protocols_share_no_run_and_count_their_duplicates(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(
        spec, preparation, tmp_path, protocols=["notebook", "holdout"], only=["e1"]
    )
    results = study.carry_out(quiet, lambda _: None)
    assert [one.settings.protocol for one in results.runs] == ["notebook", "holdout"]
    assert set(results.duplicates) == {"notebook", "holdout"}
    notebook, holdout = results.runs
    assert notebook.history[0].val_accuracy == notebook.accuracy
    assert holdout.history[0] != notebook.history[0]


def test_a_folder_without_a_study_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SentilabError, match="no study here"):
        studies.read_results(tmp_path)


def test_facts_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"runs": [{"name": 1}]}')
    with pytest.raises(SentilabError, match=r"study\.json"):
        studies.read_results(tmp_path)


def test_settings_of_the_plan_are_those_of_the_file_plus_protocol_and_seed(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(spec, preparation, tmp_path, seeds=[5], protocols=["holdout"])
    assert study.plan.runs[0].settings == replace(spec.runs[0].settings, seed=5, protocol="holdout")


def test_figures_recorded_on_the_studys_own_data_are_not_held_against_others(
    preparation: Preparation, tmp_path: Path
) -> None:
    homework = studies.read("homework")
    assert homework.source == "imdb"
    Study.prepare(homework, preparation, tmp_path).write_facts()
    results = studies.read_results(tmp_path)
    assert all(one.recorded is None for one in results.runs)
    assert all(one.notebook_says == "" for one in results.questions)
