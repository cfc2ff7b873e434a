"""A training as an engine's task: while another process is at the same run, and on data that change."""

import os
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


def flip_a_bit(path: Path) -> None:
    """Of its last number, in place, as a disk does it."""
    with path.open("r+b") as file:
        file.seek(-8, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-8, os.SEEK_END)
        file.write(bytes([byte ^ 1]))


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


@pytest.mark.parametrize(("moment", "kept"), [("on_step", 0), ("on_validate", 0), ("on_epoch", 1)])
def test_nothing_is_kept_of_what_came_of_shared_data_that_changed_meanwhile(
    payload: dict[str, Any], tmp_path: Path, moment: str, kept: int
) -> None:
    share = Path(payload["share"])
    damaged: list[Path] = []

    def report(told: dict[str, Any]) -> None:
        if moment in told and not damaged:
            damaged.extend(share.glob("encoded-*.npy"))
            for one in damaged:
                flip_a_bit(one)

    with pytest.raises(OSError, match="have changed since they were written"):
        carry_out(payload, report)
    run = RunFolder(Path(payload["folder"]))
    assert len(damaged) == 3
    assert not run.read_json("result.json")
    assert not list(run.path.glob("predictions*"))
    assert run.state.exists() == bool(kept)
    # They are made anew, and what was kept is as good as ever.
    assert carry_out(payload, lambda _: None)["status"] == "finished"
    calm = {**payload, "folder": str(tmp_path / "calm" / "one")}
    assert carry_out(calm, lambda _: None)["status"] == "finished"
    for name in ("weights.safetensors", "predictions.parquet", "metrics.jsonl", "result.json"):
        assert (run.path / name).read_bytes() == (Path(calm["folder"]) / name).read_bytes()


@pytest.mark.parametrize("name", ["tokens-ids", "labels", "groups"])
def test_what_others_would_take_over_is_not_made_of_damaged_data(
    payload: dict[str, Any], name: str
) -> None:
    share = Path(payload["share"])
    with tasks.prepared(payload["share"]):
        pass  # as a worker's earlier task has mapped them
    flip_a_bit(share / f"{name}.npy")
    with pytest.raises(OSError, match="have changed since they were written"):
        carry_out(payload, lambda _: None)
    assert not RunFolder(Path(payload["folder"])).read_json("result.json")
    with pytest.raises(OSError, match="not those that were written"):
        carry_out(payload, lambda _: None)  # read anew, and refused
