"""Pretraining from the command line."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sentilab import kernels
from sentilab.cli import cli
from sentilab.data.generated import generate
from sentilab.errors import SettingsError

SMALL = ("--model", "bilstm1", "--set", "embedding=4", "--set", "units=4", "--epochs", "1")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a few labelled texts and a few without labels."""
    monkeypatch.chdir(tmp_path)
    corpus = generate(train=80, test=0)
    rows = [f'"{text}",{label}' for text, label in zip(corpus.texts, corpus.labels, strict=True)]
    (tmp_path / "reviews.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    (tmp_path / "more.txt").write_text("\n".join(generate(train=40, test=0, seed=1).texts) + "\n")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        cli, ("train", "--data", "reviews.csv", *arguments), catch_exceptions=False
    )


def test_a_run_is_pretrained_says_the_perplexity_and_shares_the_language_model(home: Path) -> None:
    asked = ("--unlabelled", "more.txt", "--pretrain-epochs", "1", "--pretrain", "row_length=16")
    first = run(*SMALL, *asked, "--seed", "1")
    assert first.exit_code == 0, first.output
    assert "pretraining 1/1" in first.output
    assert "perplexity" in first.output
    second = run(*SMALL, *asked, "--seed", "2")
    assert second.exit_code == 0, second.output
    assert "pretraining 1/1" not in second.output
    assert len(list((home / "runs" / "pretraining").iterdir())) == 1
    config = next((home / "runs").glob("reviews-*/bilstm1-*/config.toml"))
    pretraining = tomllib.loads(config.read_text())["run"]["pretraining"]
    assert (pretraining["unlabelled"], pretraining["row_length"]) == ("more", 16)
    assert len(pretraining["unlabelled_fingerprint"]) == 64


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--pretrain", "sampled=9"), "--pretrain has no effect without --pretrain-epochs"),
        (
            ("--unlabelled", "more.txt"),
            "--unlabelled has no effect: bilstm1, as it is set, learns from labels alone",
        ),
        (
            ("--pretrain-epochs", "1", "--pretrain", "words=9"),
            '"words" is not a setting of pretraining; there are batch_size',
        ),
        (("--pretrain-epochs", "0"), "pretraining.epochs is 0"),
        (
            ("--pretrain-epochs", "1", "--pretrain", "precision=half"),
            "pretraining.precision is 'half'",
        ),
    ],
)
def test_options_that_make_no_pretraining_are_refused(
    home: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        run(*SMALL, *arguments)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(
            ("--model", "documents", "--set", "passes=2", "--set", "size=16", "--set", "least=2"),
            marks=pytest.mark.skipif(bool(kernels.missing()), reason=kernels.missing() or "built"),
        ),
        (*SMALL, "--adversarial", "virtual"),
    ],
)
def test_unlabelled_texts_are_read_beside_the_labelled_by_what_can(
    home: Path, how: tuple[str, ...]
) -> None:
    done = run(*how, "--unlabelled", "more.txt")
    assert done.exit_code == 0, done.output
    config = next((home / "runs").glob("reviews-*/*/config.toml"))
    reading = tomllib.loads(config.read_text())["run"]["reading"]
    assert reading["unlabelled"] == "more"
    assert len(reading["unlabelled_fingerprint"]) == 64
