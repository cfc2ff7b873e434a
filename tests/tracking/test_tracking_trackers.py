from collections.abc import Callable
from pathlib import Path

import pytest

from sentilab import studies
from sentilab.errors import SentilabError, SettingsError
from sentilab.tracking import Trackers, ended_runs, open_tracker, study_name
from sentilab.training import RunFolder

Ended = Callable[..., RunFolder]


class Diary:
    """A tracker that keeps what it is told, and fails when it is told to."""

    def __init__(self, spec: str, failure: Exception | None = None) -> None:
        self.spec, self.failure = spec, failure
        self.told: list[tuple[str, str, str]] = []
        self.asked = 0

    def record(self, run: RunFolder, name: str, study: str) -> bool:
        self.asked += 1
        if self.failure:
            raise self.failure
        self.told.append((run.path.name, name, study))
        return True

    def shown_by(self, runs: Path) -> str:
        return ""


def test_only_runs_that_have_ended_are_recorded_and_each_once(ended: Ended) -> None:
    one, other = ended(), ended("failed", seed=2)
    running = ended("running", seed=3)
    diary = Diary("diary")
    trackers = Trackers([diary], print)
    for _ in range(2):
        trackers.record_new(studies.collect([one.path, other.path, running.path]))
    assert [name for name, _, _ in diary.told] == [one.path.name, other.path.name]
    assert {study for _, _, study in diary.told} == {"study"}
    assert diary.asked == 2


def test_a_tracker_that_fails_says_so_once_and_disturbs_no_other(ended: Ended) -> None:
    results = studies.collect([ended().path, ended(seed=2).path])
    bad = Diary(
        "mlflow=https://me:secret@example.org", OSError("nobody at //me:secret@example.org")
    )
    good = Diary("good")
    said: list[str] = []
    trackers = Trackers([bad, good], said.append)
    trackers.record_new(results)
    trackers.record_new(results)
    assert len(good.told) == 2
    assert bad.asked == 1
    (sentence,) = said
    assert "nobody at" in sentence
    assert "sentilab track" in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize("spec", ["", "wandb", "mlflow=", "tensorboard=", "MLflow"])
def test_what_names_no_tracker_is_an_error(spec: str) -> None:
    with pytest.raises(SettingsError):
        open_tracker(spec)


def test_run_folders_are_found_with_how_many_have_not_ended(ended: Ended) -> None:
    one = ended()
    ended("running", seed=2)
    runs, left = ended_runs(one.path.parent)
    assert [(run.path, name) for run, name in runs] == [(one.path, one.path.name)]
    assert left == 1
    assert ended_runs(one.path) == ([(one, one.path.name)], 0)
    assert study_name(one.path) == "study"


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SentilabError, match="no run"):
        ended_runs(tmp_path)
