"""A training as an engine's task: it may be begun while another process is at the same run."""

import threading
from pathlib import Path
from typing import Any, cast

import pytest

from sentilab import atomic
from sentilab.engines import Pool
from sentilab.training import Crew, Preparation, RunFolder, RunSettings
from sentilab.training import task as tasks
from sentilab.training.task import Training, carry_out, task_of


@pytest.fixture
def payload(preparation: Preparation, tmp_path: Path) -> dict[str, Any]:
    share, folder = tmp_path / "share", tmp_path / "runs" / "one"
    preparation.write_shared(share)
    small = {"embedding": 8, "units": 8}
    settings = RunSettings("mlp", epochs=1, words=300, length=12, model_settings=small)
    training = Training(settings, folder, continues=None, keep_state=False)
    crew = Crew(cast(Pool, None))
    folder.mkdir(parents=True)
    return task_of(training, crew, share=share, pretrainings=tmp_path / "pretraining").payload


def test_a_run_that_another_process_is_at_is_waited_for(payload: dict[str, Any]) -> None:
    told: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []
    waited = threading.Event()

    def report(what: dict[str, Any]) -> None:
        told.append(what)
        waited.set()

    folder = Path(payload["folder"])
    thread = threading.Thread(target=lambda: ended.append(carry_out(payload, report)))
    with atomic.alone(folder, "run"):
        thread.start()
        assert waited.wait(60)
        assert told[0] == {}  # a sign of life, and no progress
        assert not RunFolder(folder).read_json("environment.json")
    thread.join()
    assert ended[0]["status"] == "finished"
    assert any("on_epoch" in one for one in told)


def test_but_not_for_ever(payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "LONGEST_WAIT", 0.0)
    with (
        atomic.alone(Path(payload["folder"]), "run"),
        pytest.raises(BlockingIOError, match="another process has long been at work"),
    ):
        carry_out(payload, lambda _: None)
