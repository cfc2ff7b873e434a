"""Kills the real command at random moments; what it ends with must be what it would have been."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

STUDY = """
name = "small"
[data]
source = "generated"
words = 1000
length = 24
[protocol]
name = "holdout"
[defaults]
model_settings = { embedding = 16, units = 16 }
[[run]]
name = "mlp-stopping"
model = "mlp"
epochs = 4
early_stopping = { monitor = "val_loss", patience = 1, restore_best = true }
[[run]]
name = "lstm-{epochs}"
model = "bilstm1"
epochs = [1, 2]
"""

SAME = (
    "*/weights.safetensors",
    "*/model.keras",
    "*/metrics.jsonl",
    "*/predictions.parquet",
    "*/validation.parquet",
    "*/result.json",
    "*/config.toml",
)


def command(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "sentilab", "study", "small.toml"],
        cwd=folder,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[bytes], within: float | None = None) -> bool:
    try:
        _, errors = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        return False
    assert process.returncode == 0, errors.decode()
    return True


def outcome(folder: Path) -> dict[str, bytes]:
    runs = folder / "runs" / "small-generated"
    return {
        str(path.relative_to(runs)): path.read_bytes()
        for pattern in SAME
        for path in sorted(runs.glob(pattern))
    }


def killed_in_time(folder: Path, delays: list[float]) -> bool:
    """Whether the study in `folder`, killed after each delay in turn, is still unfinished."""
    for delay in delays:
        process = command(folder)
        if finished(process, within=delay):
            return False
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return True


def test_a_study_killed_at_random_moments_ends_with_the_same_bytes(tmp_path: Path) -> None:
    kills = int(os.environ.get("SENTILAB_TEST_KILLS", "3"))
    moments = random.Random(2026)

    def folder_of_study(name: str) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "small.toml").write_text(STUDY)
        return tmp_path / name

    undisturbed = folder_of_study("undisturbed")
    started = time.monotonic()
    assert finished(command(undisturbed))
    whole = time.monotonic() - started

    # Long enough to get somewhere, short enough that the study is not over before the last kill.
    # How fast it goes depends on what else the machine does: where it was over, begin again and
    # kill sooner.
    killed = folder_of_study("killed")
    delays = [moments.uniform(0.3, 0.3 + 1.5 / kills) * whole for _ in range(kills)]
    while not killed_in_time(killed, delays):
        shutil.rmtree(killed)
        folder_of_study("killed")
        delays = [delay * 0.7 for delay in delays]
    assert finished(command(killed))
    moments_told = ", ".join(f"{delay:.1f}" for delay in delays)
    print(f"killed after {moments_told} s; undisturbed the study takes {whole:.1f} s")

    expected = outcome(undisturbed)
    assert len(expected) == len(SAME) * 3
    assert outcome(killed) == expected
    assert not list(killed.rglob("*.partial.*")), "temporary files were left behind"
