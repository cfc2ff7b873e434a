"""A study on an engine's workers ends with the bytes that one process ends with, whatever happens."""

import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sentilab import studies
from sentilab.engines import LocalPool, Needs
from sentilab.errors import SentilabError
from sentilab.studies import Study, StudySpec, many
from sentilab.training import Crew, Preparation, RunFolder, Silence
from sentilab.training.storage import Storage
from sentilab.training.task import ATTEMPTS, SHARE

REFUSED = """
[[run]]
name = "refused"
model = "mlp-unflattened"
"""
# What a run's folder has to be the same, to the byte; times and versions are told beside.
SAME = (
    "config.toml",
    "metrics.jsonl",
    "model.keras",
    "predictions.parquet",
    "result.json",
    "validation.parquet",
    "vocabulary.json",
    "weights.safetensors",
)


@pytest.fixture
def spec(small_study: Callable[..., Path]) -> StudySpec:
    return studies.read(str(small_study([1, 3], [1, 2], REFUSED)))


def quiet(*_: object) -> Silence:
    return Silence()


def outcome(folder: Path) -> dict[str, bytes]:
    return {
        f"{run.name}/{name}": (run / name).read_bytes()
        for run in sorted(folder.glob("*-*"))
        for name in SAME
        if (run / name).exists()
    }


@pytest.fixture
def alone(spec: StudySpec, preparation: Preparation, tmp_path: Path) -> dict[str, bytes]:
    """What the study ends with in one process."""
    Study.prepare(spec, preparation, tmp_path / "alone").carry_out(quiet, lambda _: None)
    return outcome(tmp_path / "alone")


def carried_out(study: Study, **more: object) -> studies.StudyResults:
    with LocalPool(2, 1) as pool:
        return study.carry_out(quiet, lambda _: None, Crew(pool, **more))  # type: ignore[arg-type]


def test_workers_end_with_the_same_bytes_as_one_process(
    spec: StudySpec, preparation: Preparation, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    results = carried_out(Study.prepare(spec, preparation, tmp_path / "many"))
    assert results.finished
    found = outcome(tmp_path / "many")
    assert len(found) > 4 * 7
    assert found == alone
    assert not list((tmp_path / "many").glob("*/state.safetensors"))
    assert not (tmp_path / "many" / SHARE).exists()


def test_and_so_they_do_where_workers_are_killed_all_the_time(
    spec: StudySpec, preparation: Preparation, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    study = Study.prepare(spec, preparation, tmp_path / "many")
    killers: list[threading.Timer] = []
    with LocalPool(2, 1) as pool:

        def kill_one() -> None:
            for pid in list(pool.pids().values())[:1]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        def announce(*_: object) -> Silence:
            if len(killers) < 4:  # of one training no more than it may lose
                killers.append(threading.Timer(0.3, kill_one))
                killers[-1].start()
            return Silence()

        results = study.carry_out(announce, lambda _: None, Crew(pool))
        for one in killers:
            one.join()
    assert len(killers) == 4
    assert results.finished
    assert outcome(tmp_path / "many") == alone


def test_what_an_earlier_command_lost_does_not_count_after_a_further_epoch(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(spec, preparation, tmp_path / "many", only=["e1"], seeds=[1])
    (training,) = study.plan.trainings
    run = RunFolder(training.folder)
    run.path.mkdir(parents=True, exist_ok=True)
    run.write_json(ATTEMPTS, {"lost": 4, "hung": 1})
    found = []

    class Looking(Silence):
        def on_step(self, *_: object) -> None:
            found.append(run.read_json(ATTEMPTS))

        def on_epoch(self, *_: object) -> None:
            found.append(run.read_json(ATTEMPTS))

    with LocalPool(1, 1) as pool:
        study.carry_out(lambda *_: Looking(), lambda _: None, Crew(pool))
    assert found[0] == {"lost": 4, "hung": 1}
    assert found[-1] == {"hung": 1}


def test_what_was_done_is_not_done_again(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    carried_out(Study.prepare(spec, preparation, tmp_path / "many"))

    def announce(*_: object) -> Silence:
        raise AssertionError("trained again")

    with LocalPool(1, 1) as pool:
        again = Study.prepare(spec, preparation, tmp_path / "many")
        assert again.carry_out(announce, lambda _: None, Crew(pool)).finished


def test_a_training_that_workers_do_not_survive_is_recorded_and_may_be_tried_again(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(spec, preparation, tmp_path / "many", only=["e1"], seeds=[1])
    bad = tmp_path / "bad.py"
    bad.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    results = carried_out(study, models_from=(bad,))
    assert [one.status for one in results.runs] == ["failed"]
    assert "SIGKILL" in results.runs[0].reason
    assert results.runs[0].accuracy is None
    assert many.forget_failures(study) == 1
    assert [one.status for one in carried_out(study).runs] == ["finished"]


def test_settings_that_cannot_be_meant_are_told_once_the_others_are_done(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(spec, preparation, tmp_path / "many", only=["e1"], seeds=[1])
    bad = tmp_path / "bad.py"
    bad.write_text("from sentilab.errors import SentilabError\nraise SentilabError('no model')\n")
    with pytest.raises(SentilabError, match="no model"):
        carried_out(study, models_from=(bad,))
    assert [one.status for one in carried_out(study).runs] == ["finished"]


def test_shared_data_that_are_damaged_are_written_anew(
    spec: StudySpec, preparation: Preparation, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    study = Study.prepare(spec, preparation, tmp_path / "many")
    damaged = []

    def announce(*_: object) -> Silence:
        if not damaged:
            file = study.folder / SHARE / "tokens-ids.npy"
            content = bytearray(file.read_bytes())
            content[-1] ^= 1
            file.write_bytes(content)
            damaged.append(file)
        return Silence()

    with LocalPool(2, 1) as pool:
        results = study.carry_out(announce, lambda _: None, Crew(pool))
    assert damaged
    assert results.finished
    assert outcome(tmp_path / "many") == alone


def test_runs_kept_at_an_address_are_computed_once_for_all_who_ask(
    spec: StudySpec, preparation: Preparation, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    storage = Storage(f"file://{tmp_path}/bucket/small")
    study = Study.prepare(spec, preparation, tmp_path / "first")
    assert carried_out(study, storage=storage).finished
    assert outcome(tmp_path / "first") == alone
    assert outcome(tmp_path / "bucket" / "small") == alone

    def announce(*_: object) -> Silence:
        raise AssertionError("trained again")

    with LocalPool(1, 1) as pool:
        elsewhere = Study.prepare(spec, preparation, tmp_path / "second")
        crew = Crew(pool, storage=storage)
        assert elsewhere.carry_out(announce, lambda _: None, crew).finished
    assert outcome(tmp_path / "second") == alone


def test_progress_is_written_for_others_to_read(
    spec: StudySpec, preparation: Preparation, tmp_path: Path
) -> None:
    study = Study.prepare(spec, preparation, tmp_path / "many", seeds=[1])
    seen = []

    def watch(_: object) -> None:
        seen.append(studies.read_progress(study.folder))

    with LocalPool(2, 1) as pool:
        crew = Crew(pool, Needs(1), told="2 processes")
        study.carry_out(quiet, lambda _: None, crew, watch)
    assert all(one.is_live for one in seen)
    assert any(one.running for one in seen)
    assert {one.engine for one in seen} == {"2 processes"}
    last = json.loads((study.folder / "progress.json").read_text())
    assert (last["trainings"], last["finished"], last["refused"], last["failed"]) == (3, 2, 1, 0)
    counted = studies.read_progress(study.folder)
    assert not counted.is_live
    assert (counted.finished, counted.refused, counted.waiting) == (2, 1, 0)
    best = max(
        RunFolder(one).read_json("result.json")["kept"]["val_accuracy"]
        for one in study.folder.glob("mlp-b*")
    )
    assert counted.best is not None
    assert counted.best["val_accuracy"] == best == last["best"]["val_accuracy"]


def test_an_address_that_another_command_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentilab.training.storage.LEASE_SECONDS", 1.0)
    first, second = (Storage(f"file://{tmp_path}/bucket") for _ in range(2))
    with first.alone(), pytest.raises(SentilabError, match="another sentilab"), second.alone():
        pass
    with second.alone():
        pass


def test_an_address_whose_holder_was_killed_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentilab.training.storage.LEASE_SECONDS", 1.0)
    storage = Storage(f"file://{tmp_path}/bucket")
    storage._files.makedirs(storage._root)
    storage._write_lock("dead", 41)
    with storage.alone():
        assert (storage._lock() or {})["token"] != "dead"
