"""`sentilab study --until-resolved` as a user types it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]

STUDY = """
name = "longer"
[data]
source = "generated"
words = 1000
length = 24
[protocol]
name = "holdout"
[defaults]
model = "mlp"
model_settings = { embedding = 4, units = 4 }
[[run]]
name = "short"
epochs = 1
[[run]]
name = "long"
epochs = 3
[[question]]
kind = "compare"
title = "Epochs"
asks = "Does it pay to train for longer?"
runs = ["short", "long"]
"""


def test_seeds_are_added_up_to_the_budget_and_each_look_is_told(
    sentilab: Run, tmp_path: Path
) -> None:
    (tmp_path / "longer.toml").write_text(STUDY)
    done = sentilab("study", "longer.toml", "--until-resolved", "--max-seeds", "3")
    assert done.returncode == 0, done.stderr
    assert "1 comparison, at most 3 seeds" in done.stdout
    assert "after 3 seeds" in done.stdout
    assert "resolved" in done.stdout or "still open" in done.stdout
    again = sentilab("study", "longer.toml", "--until-resolved", "--max-seeds", "3")
    assert "are already done" in again.stdout
    assert again.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]


def test_a_fixed_number_of_seeds_contradicts_it(sentilab: Run, tmp_path: Path) -> None:
    (tmp_path / "longer.toml").write_text(STUDY)
    done = sentilab("study", "longer.toml", "--until-resolved", "--seeds", "3")
    assert done.returncode == 1
    assert "decides on the number of seeds itself" in done.stderr
