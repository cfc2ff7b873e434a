import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sentilab.errors import SettingsError
from sentilab.tracking import Tracker, open_tracker
from sentilab.training import RunFolder
from sentilab.training.ensembling import ensemble_settings

# SQLAlchemy 2.1 finds fault with MLflow 3's tables.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

Ended = Callable[..., RunFolder]

# In the order in which a record is made.
CALLS = ("create_experiment", "create_run", "log_batch", "set_terminated")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, each with an experiment of its own: it takes seconds to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'runs.db'}"


@pytest.fixture
def tracker(uri: str) -> Tracker:
    return open_tracker(f"mlflow={uri}")


def recorded(uri: str, study: str) -> list[Any]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(study)
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def test_a_run_reads_back_from_mlflow(ended: Ended, tracker: Tracker, uri: str) -> None:
    run = ended()
    assert tracker.record(run, "mlp@holdout-297", "whole")
    (found,) = recorded(uri, "whole")
    assert found.info.run_name == "mlp@holdout-297"
    assert found.info.status == "FINISHED"
    assert found.info.end_time - found.info.start_time == pytest.approx(3500, abs=2)
    assert found.data.params["model_settings.units"] == "4"
    assert found.data.tags["sentilab.run"] == run.path.name
    assert found.data.tags["data"] == "reviews"
    assert found.data.metrics["test_accuracy"] == 0.625
    assert found.data.metrics["val_accuracy"] == 0.7
    curve = MlflowClient(tracking_uri=uri).get_metric_history(found.info.run_id, "val_loss")
    assert sorted((one.step, one.value) for one in curve) == [(1, 0.69), (2, 0.6)]


def test_a_run_is_recorded_once(ended: Ended, uri: str) -> None:
    run = ended()
    assert open_tracker(f"mlflow={uri}").record(run, "mlp", "once")
    assert not open_tracker(f"mlflow={uri}").record(run, "mlp", "once")
    assert open_tracker(f"mlflow={uri}").record(ended(seed=2), "mlp", "once")
    assert len(recorded(uri, "once")) == 2


def test_a_failed_run_says_why_and_gives_way_when_it_has_finished(
    ended: Ended, tracker: Tracker, uri: str
) -> None:
    tracker.record(ended("failed"), "mlp", "failed")
    (found,) = recorded(uri, "failed")
    assert found.info.status == "FAILED"
    assert found.data.tags["reason"] == "The loss is nan."
    assert tracker.record(ended(), "mlp", "failed")
    (found,) = recorded(uri, "failed")
    assert found.info.status == "FINISHED"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_kill_at_any_call_leaves_one_whole_record_in_the_end(
    ended: Ended,
    tracker: Tracker,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    done: bool,
) -> None:
    study, run, real = f"killed-{call}-{done}", ended(), getattr(MlflowClient, call)
    count = 3 if call == "log_batch" else 1  # settings, metrics, and the mark of a whole record
    for number in range(count):
        calls = 0

        def killed(self: MlflowClient, *given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            dies = calls == number + 1  # noqa: B023 (called within this round)
            answer = real(self, *given, **named) if done or not dies else None
            if dies:
                raise KeyboardInterrupt
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(MlflowClient, call, killed)
            with pytest.raises(KeyboardInterrupt):
                tracker.record(run, "mlp", study)
    tracker.record(run, "mlp", study)
    (found,) = recorded(uri, study)
    assert found.info.status == "FINISHED"
    assert found.data.metrics["test_accuracy"] == 0.625
    assert found.data.params["epochs"] == "2"


def test_settings_of_any_number_and_length_are_recorded(
    ended: Ended, tracker: Tracker, uri: str
) -> None:
    many = ensemble_settings([ended(seed=seed).settings() for seed in range(12)]).to_dict()
    long = ended("failed", model_settings={"note": "long " * 2000})
    assert tracker.record(ended(**many), "ensemble", "many")
    assert tracker.record(long, "mlp", "many")
    by_name = {one.info.run_name: one.data.params for one in recorded(uri, "many")}
    assert len(by_name["ensemble"]) > 100
    assert by_name["mlp"]["model_settings.note"].startswith("long long")


@pytest.mark.parametrize("place", ["mlruns", "file:mlruns"])
def test_a_plain_folder_is_refused_with_what_would_do(place: str) -> None:
    with pytest.raises(SettingsError, match="sqlite:///"):
        open_tracker(f"mlflow={place}")


def test_the_default_is_mlflows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert "sqlite:///mlflow.db" in open_tracker("mlflow").shown_by(Path())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example.org:5000")
    assert open_tracker("mlflow").shown_by(Path()) == "http://example.org:5000"


def test_a_database_may_lie_in_a_folder_that_is_not_there_yet(ended: Ended, tmp_path: Path) -> None:
    assert open_tracker(f"mlflow=sqlite:///{tmp_path}/new%20place/runs.db").record(
        ended(), "mlp", "study"
    )
    assert [one.name for one in (tmp_path / "new place").iterdir()] == ["runs.db"]


def test_what_cannot_be_written_fails_at_once(ended: Ended, tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("This is no database at all. " * 100)
    began = time.monotonic()
    with pytest.raises(sqlite3.Error):
        open_tracker(f"mlflow=sqlite:///{tmp_path / 'no.db'}").record(ended(), "mlp", "study")
    with pytest.raises(Exception, match="failed with exception"):
        open_tracker("mlflow=http://127.0.0.1:9").record(ended(), "mlp", "study")
    assert time.monotonic() - began < 30
