import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sentilab.cli.ensemble import _how
from sentilab.errors import SettingsError
from sentilab.training import RunFolder
from sentilab.training.ensembling import How

Sentilab = Callable[..., subprocess.CompletedProcess[str]]

STUDY = """
name = "members"
[data]
source = "reviews.csv"
words = 200
length = 12
[defaults]
epochs = 1
model_settings = { embedding = 4, units = 4 }
[[run]]
name = "dense"
model = "mlp"
[[run]]
name = "lstm"
model = "bilstm1"
"""


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    rows = [
        f'"a {word} film, number {n}",{label}'
        for n in range(60)
        for word, label in (("good", "positive"), ("bad", "negative"))
    ]
    path = tmp_path / "reviews.csv"
    path.write_text("text,sentiment\n" + "\n".join(rows) + "\n")
    return path


def test_an_ensemble_of_a_studys_runs_is_an_ordinary_run(
    sentilab: Sentilab, reviews: Path, tmp_path: Path
) -> None:
    (tmp_path / "members.toml").write_text(STUDY)
    done = sentilab("study", "members.toml")
    assert done.returncode == 0, done.stderr

    made = sentilab("ensemble", "runs/members", "--data", "reviews.csv", "--stack", "--folds", "2")
    assert made.returncode == 0, made.stderr
    assert "inner fold 2 of 2" in made.stdout
    assert "learned from out-of-fold answers to 96 texts" in made.stdout
    run = RunFolder(tmp_path / made.stdout.rpartition("Run folder: ")[2].strip())
    assert run.settings().model == "ensemble"
    assert len(run.read_json("ensemble.json")["members"]) == 2

    again = sentilab("ensemble", "runs/members", "--data", "reviews.csv", "--stack", "--folds", "2")
    assert "inner fold" not in again.stdout
    assert str(run.path.relative_to(tmp_path)) in again.stdout

    member = next(str(one) for one in (tmp_path / "runs" / "members").glob("mlp-*"))
    for command in (
        ("compare", member, str(run.path)),
        ("report", str(run.path)),
        ("explain", str(run.path), "a good film"),
        ("probe", str(run.path), "--data", "reviews.csv", "--only", "padding"),
        ("export", str(run.path), "--data", "reviews.csv", "--out", "bundle"),
        ("predict", "bundle", "a good film"),
    ):
        used = sentilab(*command)
        assert used.returncode == 0, (command, used.stdout, used.stderr)


def test_a_cross_validation_ends_with_a_table(
    sentilab: Sentilab, reviews: Path, tmp_path: Path
) -> None:
    arguments = ["--data", "reviews.csv", "--model", "mlp", "--model", "bilstm1", "--ensemble"]
    small = ["--epochs", "1", "--words", "100", "--length", "8", "--folds", "2"]
    done = sentilab("crossvalidate", *arguments, *small)
    assert done.returncode == 0, done.stderr
    assert "fold 2 of 2" in done.stdout
    assert "120 texts, each answered once" in done.stdout
    assert "ensemble less mlp" in done.stdout
    folder = tmp_path / done.stdout.rpartition("Runs: ")[2].strip()
    assert (folder / "crossvalidation.json").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "Name what to train"),
        (("--model", "mlp", "--model", "mlp"), "named twice"),
        (("--model", "mlp", "--model", "cnn", "--set", "units=4"), "--set is for one model"),
        (("--model", "mpl"), 'Did you mean "mlp"'),
        (("homework", "--model", "mlp"), "--model is not for a study"),
    ],
)
def test_a_mistake_in_what_to_cross_validate_is_answered_in_words(
    sentilab: Sentilab, arguments: tuple[str, ...], complaint: str
) -> None:
    done = sentilab("crossvalidate", *arguments)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_options_say_how_members_are_weighed() -> None:
    assert _how(False, None, False, False, True) == How(calibrated=True)
    assert _how(True, None, False, False, False) == How("stacking", folds=5)
    assert _how(True, None, True, True, False) == How("stacking", nonnegative=False)


@pytest.mark.parametrize(
    "options",
    [
        (False, 5, False, False, False),
        (False, None, True, False, False),
        (False, None, False, True, False),
        (True, 5, True, False, False),
        (True, None, False, False, True),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: tuple) -> None:
    with pytest.raises(SettingsError):
        _how(*options)
