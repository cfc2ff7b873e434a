import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sentilab.data.generated import generate

Sentilab = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    corpus = generate(train=80, test=40)
    rows = [
        f'"{text}",{("negative", "positive")[label]}'
        for text, label in zip(corpus.texts, corpus.labels, strict=True)
    ]
    file = tmp_path / "reviews.csv"
    file.write_text("text,sentiment\n" + "\n".join(rows) + "\n")
    return file


def test_a_budget_picks_trains_and_reports(
    sentilab: Sentilab, reviews: Path, tmp_path: Path
) -> None:
    # So little that on any machine the cheapest is all that fits: what is tested takes seconds.
    done = sentilab("train", "--data", "reviews.csv", "--budget", "1s")
    assert done.returncode == 0, done.stderr
    assert "candidates, cheapest first: majority" in done.stdout
    assert "too small for more than the cheapest candidate, majority" in done.stdout
    assert "majority reaches" in done.stdout
    (folder,) = (tmp_path / "runs").glob("reviews-budget-1s-*")
    assert "The model to take" in (folder / "report.md").read_text()

    again = sentilab("train", "--data", "reviews.csv", "--budget", "1s")
    assert again.returncode == 0
    assert "[1/" not in again.stdout
    assert "majority reaches" in again.stdout


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--budget", "10m", "--model", "mlp"), "leave out --model, or --budget"),
        (("--budget", "10m", "--set", "units=3"), "leave out --set, or --budget"),
        (("--budget", "10m", "--preset", "fast"), "leave out --preset, or --budget"),
        (("--budget", "10"), "as in 90s, 10m or 1.5h"),
        (("--preset", "fast", "--model", "mlp"), "leave out --model, or --preset"),
        (("--preset", "fasst"), 'Did you mean "fast"'),
    ],
)
def test_what_does_not_go_together_is_told_before_anything_is_read(
    sentilab: Sentilab, options: tuple[str, ...], complaint: str
) -> None:
    done = sentilab("train", "--data", "nowhere.csv", *options)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_a_preset_has_its_settings_and_the_options_beside_it(
    sentilab: Sentilab, reviews: Path, tmp_path: Path
) -> None:
    import tomllib

    done = sentilab(
        *("train", "--data", "reviews.csv", "--preset", "fasttext", "--epochs", "1"),
        *("--length", "12", "--words", "300"),
    )
    assert done.returncode == 0, done.stderr
    (config,) = (tmp_path / "runs").glob("*/fasttext-*/config.toml")
    run = tomllib.loads(config.read_text())["run"]
    assert (run["model"], run["epochs"], run["length"]) == ("fasttext", 1, 12)
    assert run["batch_size"] == 64
