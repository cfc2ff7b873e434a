import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sentilab.cli import cli
from sentilab.errors import SettingsError

SMALL = ["--set", "words=300", "--set", "length=12", "--set", "embedding=4"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["tune", *arguments], catch_exceptions=False)


def test_a_dry_run_shows_the_space_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("--model", "mlp", "--set", "units=8", "--dry-run")
    assert done.exit_code == 0
    assert re.search(r"learning_rate +0.0003 to 0.01, by its logarithm +0.001", done.output)
    assert "units " not in done.output.partition("Fixed: units 8.")[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("time", ["10", "m", "0s", "-5m", "ten minutes"])
def test_a_time_that_cannot_be_read_is_refused(time: str) -> None:
    done = run("--budget", time, "--dry-run")
    assert done.exit_code == 2
    assert "write it as 90s, 10m or 1.5h" in done.output


def test_a_model_without_a_space_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(SettingsError, match=r"declares no space.*\n.*mlp"):
        run("--model", "mlp-unflattened")


def test_a_search_from_the_command_line_and_the_same_command_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentilab.data.generated import generate

    monkeypatch.chdir(tmp_path)
    corpus = generate(train=80, test=40)
    rows = [f'"{t}",{"np"[y]}' for t, y in zip(corpus.texts, corpus.labels, strict=True)]
    Path("reviews.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    command = ["--data", "reviews.csv", *SMALL, "--trials", "2", "--finalists", "1", "--seeds", "1"]
    done = run(*command)
    assert done.exit_code == 0, done.output
    assert "trial 2: units" in done.output
    assert "the winner, seed 298" in done.output
    assert "Test accuracy 0." in done.output
    (report,) = tmp_path.glob("runs/reviews-mlp-tune-*/report.html")
    assert "What suits mlp on reviews" in report.read_text()

    again = run(*command)
    assert again.exit_code == 0
    assert "trial 2: units" not in again.output
    assert "Test accuracy 0." in again.output
