"""A folder of files is scored file by file, each once, whatever is killed on the way."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentilab import bundle as bundles
from sentilab.data.generated import generate
from sentilab.engines import LocalPool, Outcome, Patience, Task, carry_out
from sentilab.errors import SentilabError, SettingsError
from sentilab.scoring import (
    Advance,
    Asked,
    ScoringError,
    journal,
    on_processes,
    score_file,
    score_folder,
)
from sentilab.scoring.partitions import LEDGER, Told, score_partition

FILES, ROWS = 5, 300


@pytest.fixture(scope="module")
def bundle(small_bundle: Callable[..., Path]) -> Path:
    return small_bundle("mlp")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "reviews"
    folder.mkdir()
    texts = list(generate(train=FILES * ROWS, test=0, seed=1).texts)
    for number in range(FILES):
        some = range(number * ROWS, (number + 1) * ROWS)
        rows = pa.table({"id": list(some), "text": [texts[one] for one in some]})
        pq.write_table(rows, folder / f"part-{number}.parquet")
    (folder / "_SUCCESS").touch()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in sorted(folder.iterdir()) if one.is_file()}


@pytest.fixture
def expected(bundle: Path, source: Path, tmp_path: Path) -> dict[str, bytes]:
    predictor = bundles.load(bundle, threads=1)
    for one in sorted(source.glob("*.parquet")):
        score_file(predictor, one, tmp_path / "expected" / one.name)
    return contents(tmp_path / "expected")


def test_each_file_is_scored_as_it_would_be_alone(
    bundle: Path, source: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    seen: list[Advance] = []
    done = score_folder(
        Asked(bundle), source, tmp_path / "out", on_processes(2), progress=seen.append
    )
    assert contents(tmp_path / "out") == expected
    assert (done.files, done.rows, done.rejected, done.earlier) == (FILES, FILES * ROWS, 0, 0)
    assert seen[-1].rows == FILES * ROWS
    again = score_folder(Asked(bundle), source, tmp_path / "out")
    assert (again.rows, again.earlier) == (FILES * ROWS, FILES)


def test_a_killed_worker_costs_nothing(
    bundle: Path, source: Path, tmp_path: Path, expected: dict[str, bytes], assassin: Any
) -> None:
    killed = []

    def run(tasks: Sequence[Task], told: Told) -> dict[str, Outcome]:
        with LocalPool(2, 1) as pool:
            killing = assassin(pool, [0.0, 0.1, 0.2, 0.4, 0.8, 1.6])
            found = carry_out(tasks, pool, killing, patience=Patience(lost=99))
            killed.append(killing.killed)
            return found

    assert score_folder(Asked(bundle), source, tmp_path / "out", run).rows == FILES * ROWS
    assert killed[0] >= 1
    assert contents(tmp_path / "out") == expected


@pytest.mark.parametrize("removed", range(4))
def test_a_job_that_ends_while_it_clears_away_goes_on(
    bundle: Path,
    source: Path,
    tmp_path: Path,
    expected: dict[str, bytes],
    removed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def here(tasks: Sequence[Task], told: Told) -> dict[str, Outcome]:
        return {
            one.key: Outcome("done", result=score_partition(one.payload, lambda _: None))
            for one in tasks
        }

    calls = []
    unlink = Path.unlink

    def failing(path: Path, **options: Any) -> None:
        if path.parent.name.endswith(".partial") and path.name[0] != ".":
            calls.append(path)
            if len(calls) > removed:
                raise KeyboardInterrupt
        unlink(path, **options)

    def rmtree(path: Path, **options: Any) -> None:
        for one in path.iterdir():
            failing(one)
        failing(path / "itself", missing_ok=True)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", failing)
        patched.setattr("sentilab.scoring.journal.shutil.rmtree", rmtree)
        with pytest.raises(KeyboardInterrupt):
            score_folder(Asked(bundle), source, tmp_path / "out", here)
    assert len(calls) == removed + 1
    assert score_folder(Asked(bundle), source, tmp_path / "out", here).files == FILES
    assert contents(tmp_path / "out") == expected


def test_a_file_that_another_process_is_at_is_left_to_it(
    bundle: Path, source: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    (tmp_path / "out" / LEDGER).mkdir(parents=True)
    lock = tmp_path / "out" / LEDGER / ".part-0.parquet.lock"
    held = [journal.locked(lock, Path("other"))]
    attempts = []

    def run(tasks: Sequence[Task], told: Told) -> dict[str, Outcome]:
        for one in tasks:
            for number in range(2):
                try:
                    score_partition(one.payload, lambda _: None)
                except BlockingIOError as error:
                    attempts.append((one.key, number, str(error)))
                    held.pop().close()
        return {one.key: Outcome("done", result={"rows": ROWS, "rejected": 0}) for one in tasks}

    assert score_folder(Asked(bundle), source, tmp_path / "out", run).files == FILES
    ((key, number, said),) = attempts
    assert (key, number) == ("part-0.parquet", 0)
    assert "another process is scoring" in said
    assert contents(tmp_path / "out") == expected


@pytest.mark.parametrize("step", ["atomic.write_text", "_move", "score_file"])
def test_a_job_that_ends_between_any_two_steps_goes_on(
    bundle: Path,
    source: Path,
    tmp_path: Path,
    expected: dict[str, bytes],
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def here(tasks: Sequence[Task], told: Told) -> dict[str, Outcome]:
        return {
            one.key: Outcome("done", result=score_partition(one.payload, lambda _: None))
            for one in tasks
        }

    def breaking(*values: object, **more: object) -> None:
        calls.append(values)
        raise KeyboardInterrupt

    for _ in range(FILES):
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            if (tmp_path / "out" / LEDGER / "job.json").exists() or step != "atomic.write_text":
                patch.setattr(f"sentilab.scoring.partitions.{step}", breaking)
            score_folder(Asked(bundle), source, tmp_path / "out", here)
    assert calls or step == "atomic.write_text"
    assert score_folder(Asked(bundle), source, tmp_path / "out", here).rows == FILES * ROWS
    assert contents(tmp_path / "out") == expected


def test_another_job_is_not_mixed_in(bundle: Path, source: Path, tmp_path: Path) -> None:
    score_folder(Asked(bundle), source, tmp_path / "out")
    with pytest.raises(ScoringError, match="another job was begun here; what differs: prefix"):
        score_folder(Asked(bundle, prefix="second_"), source, tmp_path / "out")
    done = score_folder(Asked(bundle, prefix="second_"), source, tmp_path / "out", restart=True)
    assert done.earlier == 0
    assert "second_label" in pq.read_schema(tmp_path / "out" / "part-0.parquet").names


def test_a_file_that_has_changed_since_is_told(bundle: Path, source: Path, tmp_path: Path) -> None:
    score_folder(Asked(bundle), source, tmp_path / "out")
    time.sleep(0.01)
    shutil.copy(source / "part-1.parquet", source / "part-0.parquet")
    with pytest.raises(ScoringError, match=r"part-0.parquet: this file has changed"):
        score_folder(Asked(bundle), source, tmp_path / "out")


def test_a_file_that_cannot_be_scored_is_named_and_the_others_are_done(
    bundle: Path, source: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    whole = (source / "part-2.parquet").read_bytes()
    (source / "part-2.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(ScoringError, match=r"1 of 5 files could not be scored:\n  part-2.parquet"):
        score_folder(Asked(bundle), source, tmp_path / "out")
    assert set(contents(tmp_path / "out")) == set(expected) - {"part-2.parquet"}
    (source / "part-2.parquet").write_bytes(whole)
    assert score_folder(Asked(bundle), source, tmp_path / "out").earlier == FILES - 1
    assert contents(tmp_path / "out") == expected


def test_an_empty_folder_and_the_input_itself_are_refused(
    bundle: Path, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="no file here can be scored"):
        score_folder(Asked(bundle), tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ScoringError, match="the input itself"):
        score_folder(Asked(bundle), source, source)


def test_two_commands_on_one_folder_do_not_meet(bundle: Path, source: Path, tmp_path: Path) -> None:
    def meeting(tasks: Sequence[Task], told: Told) -> dict[str, Outcome]:
        with pytest.raises(SentilabError, match="another sentilab is at work"):
            score_folder(Asked(bundle), source, tmp_path / "out")
        return on_processes(2)(tasks, told)

    assert score_folder(Asked(bundle), source, tmp_path / "out", meeting).files == FILES


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ray_data_ends_with_the_same_files_where_a_worker_is_killed(
    bundle: Path, source: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    pytest.importorskip("ray.data", reason="Ray Data is not installed")
    from sentilab.scoring import ray_data

    over, kills = threading.Event(), []

    def chaos() -> None:
        while not over.wait(0.2) and not kills:
            for one in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    if (one / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                        os.kill(int(one.name), signal.SIGKILL)
                        kills.append(one)
                        break

    thread = threading.Thread(target=chaos)
    thread.start()
    try:
        done = score_folder(Asked(bundle), source, tmp_path / "out", ray_data.runner(workers=2))
    finally:
        over.set()
        thread.join()
    assert kills
    assert done.rows == FILES * ROWS
    assert contents(tmp_path / "out") == expected
