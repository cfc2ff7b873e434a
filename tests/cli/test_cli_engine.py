"""Studies on workers from the command line: what is shown, and what a person may ask meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentilab.cli.live import duration, pictured
from sentilab.studies.progress import Running, Snapshot

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(small_study: Callable[..., Path]) -> Path:
    return small_study([2], [1, 2, 3]).parent


def test_a_study_says_who_carries_it_out_and_where_it_stands(home: Path, sentilab: Run) -> None:
    done = sentilab("study", "small.toml", "--workers", "2", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "2 processes of 1 thread (as asked for)." in done.stdout
    assert "[1] epoch 2/2" in done.stdout
    told = sentilab("status", "--json")
    found = json.loads(told.stdout)
    assert found["folder"] == "runs/small-generated"
    assert (found["trainings"], found["finished"], found["waiting"]) == (3, 3, 0)
    assert not found["is_live"]
    shown = sentilab("status", "runs")
    assert "3 of 3 trainings" in shown.stdout
    assert "nobody is at it" in shown.stdout
    watched = sentilab("watch", "runs")
    assert "best so far: 0." in watched.stdout


def test_a_running_study_is_watched_from_outside_and_no_other_may_begin(
    home: Path, sentilab: Run, small_study: Callable[..., Path]
) -> None:
    small_study([500], [1, 2, 3], name="long")
    running = subprocess.Popen(
        [sys.executable, "-m", "sentilab", "study", "long.toml", "--workers", "2"],
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not (home / "runs/small-generated/progress.json").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    found = json.loads(sentilab("status", "--json").stdout)
    planned = (home / "runs/small-generated/study.json").read_bytes()
    second = sentilab("study", "long.toml", "--seeds", "1", "--retry-failed")
    dry = sentilab("study", "long.toml", "--seeds", "1", "--dry-run")
    untouched = (home / "runs/small-generated/study.json").read_bytes() == planned
    running.send_signal(signal.SIGINT)
    running.wait(30)
    assert found["is_live"]
    assert found["pid"] == running.pid
    assert second.returncode == 1
    assert "another sentilab is at work on this study" in second.stderr
    assert dry.returncode == 0
    assert untouched
    assert sentilab("study", "small.toml", "--workers", "1").returncode == 0


def test_a_packing_is_chosen_with_its_reason_and_kept(home: Path, sentilab: Run) -> None:
    cores = len(os.sched_getaffinity(0))
    first = sentilab("study", "small.toml", "--seeds", "2")
    assert "(too little is to be done to measure more)" in first.stdout or cores == 1
    kept = json.loads((home / "runs/small-generated/packing.json").read_text())
    assert kept["processes"] * kept["threads"] <= cores
    again = sentilab("study", "small.toml")
    assert "(as it was begun)" in again.stdout


def test_the_threads_that_a_study_was_begun_with_stay(home: Path, sentilab: Run) -> None:
    first = sentilab("study", "small.toml", "--seeds", "1", "--workers", "1", "--threads", "2")
    assert "1 process of 2 threads (as asked for)." in first.stdout
    more = sentilab("study", "small.toml", "--seeds", "2", "--workers", "2")
    assert "2 processes of 2 threads (as asked for)." in more.stdout
    again = sentilab("study", "small.toml")
    assert "1 process of 2 threads (as it was begun)." in again.stdout


def test_options_that_do_not_go_together_are_refused(home: Path, sentilab: Run) -> None:
    done = sentilab("study", "small.toml", "--address", "10.0.0.1:6379")
    assert done.returncode == 1
    assert "add --engine ray" in done.stderr
    bad = sentilab("study", "small.toml", "--storage", "nowhere://x")
    assert bad.returncode == 1
    assert '--storage "nowhere://x' in bad.stderr


def test_a_folder_without_a_study_is_told(home: Path, sentilab: Run) -> None:
    (home / "empty").mkdir()
    for command in ("status", "watch"):
        done = sentilab(command, "empty")
        assert done.returncode == 1
        assert "there is no study here" in done.stderr


def test_a_folder_that_cannot_be_written_is_an_error_of_a_line_or_two(
    home: Path, sentilab: Run
) -> None:
    (home / "runs").mkdir()
    (home / "runs" / "small-generated").write_text("a file where the folder should be")
    done = sentilab("study", "small.toml")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Error:") == 1


def test_tuning_with_several_trials_at_once(home: Path, sentilab: Run) -> None:
    done = sentilab(
        *("tune", "--data", "generated", "--model", "mlp", "--trials", "3", "--parallel", "2"),
        *("--finalists", "1", "--seeds", "1", "--set", "words=300", "--set", "length=12"),
        *("--set", "embedding=4", "--set", "epochs=1"),
    )
    assert done.returncode == 0, done.stderr
    assert "2 processes of 1 thread" in done.stdout or len(os.sched_getaffinity(0)) == 1
    assert "trial 3" in done.stdout


def test_the_live_view_says_what_matters() -> None:
    from rich.console import Console

    console = Console(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    running = [
        Running("run-a", "mlp", 1, "worker 1", 2, 4, epoch=2, share=0.4, accuracy=0.8, silent=70)
    ]
    console.print(
        pictured(
            Snapshot(
                trainings=10,
                finished=3,
                failed=1,
                seconds=75,
                left=130,
                running=running,
                failures=[{"run": "run-b", "status": "failed", "reason": "It diverged.\nMore."}],
                spoilt={"lost": 2},
                best={"run": "run-c", "val_accuracy": 0.9123},
            )
        )
    )
    text = console.export_text()
    console.file.close()
    for said in (
        "mlp, seed 1",
        "epoch 2/4  acc 0.8000",
        "worker 1: attempt 2, silent for 1 min 10 s",
        "4 of 10 trainings · 1 failed · attempts in vain: 2 lost · 1 min 15 s · about 2 min 10 s left",
        "best so far: 0.9123",
        "failed run-b: It diverged.",
    ):
        assert said in text
    assert "More." not in text


@pytest.mark.parametrize(
    ("seconds", "said"), [(3.2, "3 s"), (61, "1 min 01 s"), (3 * 3600 + 61, "3 h 01 min")]
)
def test_durations_are_told_in_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said
