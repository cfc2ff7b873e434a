from collections.abc import Callable

import pytest

from sentilab.errors import SentilabError
from sentilab.tracking import recording_of
from sentilab.training import RunFolder
from sentilab.training.ensembling import ensemble_settings

Ended = Callable[..., RunFolder]


def test_a_finished_run_is_told_whole(ended: Ended) -> None:
    told = recording_of(ended(), "study")
    assert told.run.startswith("mlp-b32-e2-s297-")
    assert told.parameters["model_settings.units"] == 4
    assert told.parameters["epochs"] == 2
    assert told.tags["study"] == "study"
    assert told.tags["seed"] == "297"
    assert told.tags["data_fingerprint"] == "f1"
    assert "reason" not in told.tags
    curve = [(one.step, one.value) for one in told.points if one.name == "val_loss"]
    assert curve == [(1, 0.69), (2, 0.6)]
    last = {one.name: (one.step, one.value) for one in told.points}
    assert last["test_accuracy"] == (2, 0.625)
    assert last["kept_epoch"] == (2, 2)
    assert last["training_seconds"] == (2, 3.5)
    assert last["seconds"] == (2, 2.0)


def test_times_are_counted_back_from_the_end(ended: Ended) -> None:
    run = ended()
    told = recording_of(run, "study")
    end = (run.path / "result.json").stat().st_mtime
    times = [told.time_of(one) - end for one in told.points if one.name == "loss"]
    assert times == pytest.approx([-2.0, 0.0], abs=1e-3)


def test_validation_texts_are_not_recorded_as_test_texts(ended: Ended) -> None:
    names = {one.name for one in recording_of(ended(protocol="validation"), "study").points}
    assert "val_accuracy" in names
    assert not names & {"test_accuracy", "test_loss"}


def test_a_failed_run_is_told_with_its_reason(ended: Ended) -> None:
    told = recording_of(ended("failed"), "study")
    assert told.status == told.tags["status"] == "failed"
    assert told.tags["reason"] == "The loss is nan."


def test_settings_within_settings_have_names_of_their_own(ended: Ended) -> None:
    stopping = {"monitor": "val_loss", "patience": 3}
    assert (
        recording_of(ended(early_stopping=stopping), "s").parameters["early_stopping.patience"] == 3
    )
    members = [ended().settings(), ended(seed=2).settings()]
    plain = ensemble_settings(members).to_dict()
    told = recording_of(ended(**plain), "study").parameters
    assert told["model_settings.members.1.seed"] == 2
    assert all(isinstance(value, str | int | float) for value in told.values())


def test_a_run_that_has_not_ended_is_refused(ended: Ended) -> None:
    with pytest.raises(SentilabError, match="has not ended"):
        recording_of(ended("running"), "study")
