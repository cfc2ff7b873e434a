"""Self-training from the command line."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sentilab.cli import cli
from sentilab.data.generated import generate
from sentilab.errors import SettingsError

SMALL = ("--model", "averaging", "--set", "embedding=4", "--set", "units=4", "--epochs", "1")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a few labelled texts, and with unlabelled ones of which one is labelled too."""
    monkeypatch.chdir(tmp_path)
    corpus = generate(train=80, test=0)
    rows = [f'"{text}",{label}' for text, label in zip(corpus.texts, corpus.labels, strict=True)]
    (tmp_path / "reviews.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    more = generate(train=40, test=0, seed=1).texts
    new = [one for one in more if one not in set(corpus.texts)]
    (tmp_path / "more.txt").write_text("\n".join([*new[:20], corpus.texts[7]]) + "\n")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        cli, ("train", "--data", "reviews.csv", *arguments), catch_exceptions=False
    )


def test_a_run_is_taught_by_another_and_says_what_it_learned(home: Path) -> None:
    first = run("--model", "nblr")
    assert first.exit_code == 0, first.output
    teacher = next((home / "runs").glob("reviews-nblr-*"))
    taught = run(
        *SMALL, "--teacher", str(teacher), "--unlabelled", "more.txt", "--teach", "confidence=0.0"
    )
    assert taught.exit_code == 0, taught.output
    assert "20 of 21 unlabelled texts" in taught.output
    assert "repeats of labelled texts: 1." in taught.output
    config = next((home / "runs").glob("reviews-averaging-*/averaging-*/config.toml"))
    teaching = tomllib.loads(config.read_text())["run"]["teaching"]
    assert (teaching["unlabelled"], teaching["confidence"]) == ("more", 0.0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--teach", "soft=true"), "--teach has no effect without --teacher"),
        (("--teacher", "."), "name them with --unlabelled"),
        (("--unlabelled", "more.txt"), "--unlabelled has no effect"),
        (
            ("--teacher", ".", "--unlabelled", "more.txt", "--teach", "certain=1"),
            '"certain" is not a setting of teaching; there are confidence, soft',
        ),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    arguments: tuple[str, ...], complaint: str, home: Path
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        run(*SMALL, *arguments)
