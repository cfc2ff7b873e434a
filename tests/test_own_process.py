"""What XLA has compiled is found again by later commands, and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# All that is compiled is kept: what takes about as long as the least that is would be now and then.
TRAIN = (
    "from sentilab import own_process; own_process._LEAST_SECONDS = 0.0;"
    "from sentilab.cli import cli; cli.main(['train', '--data', 'generated', '--model', 'averaging',"
    " '--epochs', '1', '--set', 'embedding=8', '--set', 'units=8', '--runs', {runs!r}])"
)


def train(home: Path, runs: str, **more: str) -> bytes:
    """Trains a small model in a process of its own; its weights."""
    known = {name: one for name, one in os.environ.items() if not name.startswith("JAX_")}
    subprocess.run(
        [sys.executable, "-c", TRAIN.format(runs=runs)],
        cwd=home,
        env={**known, "XDG_CACHE_HOME": str(home / "cache"), **more},
        check=True,
        capture_output=True,
    )
    return next((home / runs).glob("*/*/weights.safetensors")).read_bytes()


def entries(folder: Path) -> set[str]:
    return {one.name for one in folder.rglob("*-cache")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_a_second_command_compiles_nothing_new_and_ends_with_the_same_weights(home: Path) -> None:
    first = train(home, "first")
    compiled = entries(home / "cache" / "sentilab" / "compiled")
    assert compiled
    assert train(home, "second") == first
    assert entries(home / "cache" / "sentilab" / "compiled") == compiled


def test_a_folder_that_jax_was_given_stays(home: Path) -> None:
    own = home / "own"
    given = {
        "JAX_COMPILATION_CACHE_DIR": str(own),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    train(home, "third", **given)
    assert entries(own)


def test_processors_with_other_instructions_have_another_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sentilab import own_process

    here = own_process._processor_mark()
    assert here == own_process._processor_mark()
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "flags : fpu other\n")
    monkeypatch.setattr(Path, "exists", lambda *_: True)
    assert own_process._processor_mark() != here
