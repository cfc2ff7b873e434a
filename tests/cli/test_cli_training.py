"""Options of training on the command line, and the settings that come of them."""

import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from sentilab.cli.training import settings_of, training_options
from sentilab.errors import SettingsError

PLAIN = {"words": 20_000, "length": 200, "epochs": 2, "batch_size": 32, "learning_rate": 0.001}


def settings(arguments: str = "", **defaults: Any) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    @click.command()
    @training_options
    def command(**given: Any) -> None:
        found.append(settings_of(given, defaults))
        assert not given

    command(arguments.split(), standalone_mode=False)
    return found[0]


def test_without_options_a_run_has_the_models_own_defaults_above_the_plain_ones() -> None:
    assert settings() == PLAIN
    assert settings(words=9, bucketed=True) == {**PLAIN, "words": 9, "bucketed": True}


def test_options_go_before_the_models_own_defaults() -> None:
    found = settings("--words 7 --no-bucketed --clip-norm 1", words=9, length=5, bucketed=True)
    assert found == {**PLAIN, "words": 7, "length": 5, "bucketed": False, "clip_norm": 1.0}


def test_options_of_one_kind_make_a_table() -> None:
    found = settings(
        "--schedule cosine --warmup 0.2 --averaging ema --averaging-decay 0.99 "
        "--adversarial virtual --radius 3 --label-smoothing 0.05"
    )
    assert found["schedule"] == {"kind": "cosine", "warmup": 0.2}
    assert found["averaging"] == {"kind": "ema", "decay": 0.99}
    assert found["adversarial"] == {"kind": "virtual", "radius": 3.0}
    assert found["label_smoothing"] == 0.05


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--warmup 0.1", "--warmup has no effect without --schedule"),
        ("--averaging-decay 0.9", "--averaging-decay has no effect without --averaging"),
        ("--radius 5", "--radius has no effect without --adversarial"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(arguments: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        settings(arguments)


def test_a_run_is_made_with_what_was_asked_for_and_what_suits_its_model(
    sentilab: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    options = "--epochs 1 --length 20 --schedule linear --averaging ema --averaging-decay 0.9"
    small = ("--set", "units=4", "--set", "embedding=4")
    done = sentilab(
        "train", "--data", "generated", "--model", "recurrent", *small, *options.split()
    )
    assert done.returncode == 0, done.stderr
    folder = Path(tmp_path, done.stdout.rpartition("Run folder: ")[2].strip())
    run = tomllib.loads((folder / "config.toml").read_text())["run"]
    assert (run["words"], run["length"], run["epochs"]) == (30_000, 20, 1)
    assert run["bucketed"] is True
    assert run["averaging"]["decay"] == 0.9
    assert run["schedule"]["kind"] == "linear"
