"""What is left out of training, and what probing skips, from the command line."""

import csv
import importlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from sentilab import studies
from sentilab.cli import cli
from sentilab.data.generated import generate
from sentilab.errors import DataNotFound, SettingsError
from sentilab.probe import NotApplicable

SMALL = [
    *("--model", "mlp", "--set", "embedding=4", "--set", "units=4"),
    *("--epochs", "1", "--words", "300", "--length", "12"),
]


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small IMDB, and contrast sets of four of its training reviews."""
    home = tmp_path_factory.mktemp("desk")
    folder = home / "datasets" / "contrast-sets"
    folder.mkdir(parents=True)
    corpus = generate(train=80, test=40)
    numbers = np.arange(len(corpus))
    table = pa.table(
        {
            "split": list(corpus.splits),
            "id": numbers,
            "text": list(corpus.texts),
            "label": corpus.labels,
        }
    )
    pq.write_table(table, folder.parent / "imdb-labelled.parquet")
    names = ("Negative", "Positive")
    for part, rows in (("dev", (0, 1)), ("test", (2, 3))):
        for which, turned in (("original", 0), ("contrast", 1)):
            with (folder / f"{part}_{which}.tsv").open("w", newline="") as file:
                writer = csv.writer(file, delimiter="\t")
                writer.writerow(("Sentiment", "Text"))
                for row in rows:
                    label = names[corpus.labels[row] ^ turned]
                    writer.writerow((label, corpus.texts[row] + " or so" * turned))
    return home


@pytest.fixture
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    monkeypatch.setenv("SENTILAB_DATA", "")
    return home


@pytest.fixture
def trained(desk: Path) -> Path:
    """A run without the originals, trained once."""
    run("train", *SMALL, "--without", "contrast-originals", "--runs", "less")
    return next(desk.glob("less/*/*/config.toml")).parent


def test_training_and_probing_without_the_originals(trained: Path) -> None:
    assert 'without = "contrast-originals"' in (trained / "config.toml").read_text()
    facts = json.loads((trained.parent / "study.json").read_text())
    assert "left out of the training data" in facts["data"]["notices"][-1]
    assert facts["data"]["name"] == "imdb"

    done = run("probe", str(trained), "--only", "contrast", "--only", "behaviour")
    assert "the originals were removed from training" in done.output
    assert "negation: " in done.output
    assert (trained / "probe" / "contrast.json").exists()


@pytest.mark.parametrize("error", [NotApplicable("Not here."), DataNotFound("Not found.")])
def test_a_probe_that_does_not_apply_is_skipped_with_its_reason(
    trained: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def measure(subject: object) -> None:
        raise error

    monkeypatch.setattr("sentilab.probe.contrast.measure", measure)
    # The other probes would take a minute; the report asks for their results by name.
    monkeypatch.setattr("sentilab.probe.store.PROBES", {"contrast": "sentilab.probe.contrast"})
    monkeypatch.setattr(importlib.import_module("sentilab.report.document"), "SECTIONS", ())
    done = run("probe", str(trained), "--again")
    assert f"contrast: skipped. {error}" in done.output
    if isinstance(error, DataNotFound):
        with pytest.raises(DataNotFound):
            run("probe", str(trained), "--again", "--only", "contrast")
    else:
        assert "skipped" in run("probe", str(trained), "--again", "--only", "contrast").output


def test_a_study_file_says_what_it_does_without(tmp_path: Path) -> None:
    text = '[data]\nwithout = "{}"\n[[run]]\nmodel = "mlp"\n'
    path = tmp_path / "mine.toml"
    path.write_text(text.format("contrast-originals"))
    assert studies.read(str(path)).without == "contrast-originals"
    path.write_text(text.format("originals"))
    with pytest.raises(SettingsError, match=r'mine.toml, data.without: is "originals"'):
        studies.read(str(path))


def test_the_study_of_character_trains_without_the_originals() -> None:
    spec = studies.read("character")
    assert spec.without == "contrast-originals"
    assert spec.seeds == (297, 298, 299)
    assert spec.protocols == ("holdout",)
    models = [one.settings.model for one in spec.runs]
    assert models == [
        "bilstm1",
        "bilstm2",
        "bilstm1",
        "bilstm2",
        "mlp",
        "nbsvm",
        "recurrent",
        "ensemble",
    ]
    notebooks = [one.settings for one in spec.runs[:5]]
    masked = [one.model_settings.get("masked", False) for one in notebooks]
    assert masked == [False, False, True, True, False]
    assert [(one.batch_size, one.epochs) for one in notebooks] == [
        *[(64, 2)] * 4,
        (32, 1),
    ]
    assert studies.read("homework").without == ""


def test_a_study_leaves_out_what_its_file_or_the_command_says(desk: Path) -> None:
    (desk / "mine.toml").write_text(
        '[data]\nwithout = "contrast-originals"\nwords = 300\nlength = 12\n'
        '[[run]]\nname = "one"\nmodel = "mlp"\nepochs = 1\n'
        "model_settings = { embedding = 4, units = 4 }\n"
    )
    run("study", "mine.toml")
    facts = json.loads((desk / "runs" / "mine" / "study.json").read_text())
    assert "left out" in facts["data"]["notices"][-1]
    (desk / "mine.toml").write_text((desk / "mine.toml").read_text().replace("without", "#"))
    run("study", "mine.toml", "--without", "contrast-originals")
    again = json.loads((desk / "runs" / "mine" / "study.json").read_text())
    assert again["data"]["fingerprint"] == facts["data"]["fingerprint"]
