import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from sentilab import data
from sentilab.cli.explain import command, printable, style
from sentilab.data import Dataset
from sentilab.errors import SentilabError, SettingsError
from sentilab.training import Preparation, RunSettings, train

HOSTILE = 'A <script>alert("1")</script> [bold]dull[/bold] :smile: \x1b[31mfilm\u202e & "fine"'


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, corpus: Dataset) -> Path:
    """A folder with reviews.csv and, in run/, a model trained on it."""
    folder = tmp_path_factory.mktemp("desk")
    names = ("negative", "positive")
    rows = [f'"{t}",{names[n]}' for t, n in zip(corpus.texts, corpus.labels, strict=True)]
    (folder / "reviews.csv").write_text("text,sentiment\n" + "\n".join(rows) + "\n")
    dataset = data.load(folder / "reviews.csv", rejected_folder=folder)
    settings = RunSettings.from_dict(
        {
            "model": "mlp",
            "model_settings": {"embedding": 4, "units": 4},
            "words": 300,
            "length": 12,
            "epochs": 1,
        }
    )
    train(settings, Preparation(dataset).examples(settings), folder / "study" / "run")
    return folder


def explained(desk: Path, *arguments: Any, **environment: str) -> Result:
    plain = {"NO_COLOR": "1", "COLUMNS": "100"}
    return CliRunner().invoke(
        command, [str(desk / "study"), *map(str, arguments)], env=plain | environment
    )


def test_without_colour_the_strongest_words_are_a_table(desk: Path) -> None:
    done = explained(desk, "The plot was dull, and the ACTING fine.")
    assert done.exit_code == 0, done.output
    assert "p(positive) = 0." in done.output
    assert "ACTING" in done.output
    assert "integrated gradients" in done.output
    assert "occlusion" in done.output
    assert "Spearman" in done.output
    assert "\x1b" not in done.output


@pytest.mark.parametrize(("method", "other"), [("ig", "ccluded"), ("occlusion", "gradients")])
def test_one_method_can_be_asked_alone(desk: Path, method: str, other: str) -> None:
    done = explained(desk, "A dull film", "--method", method)
    assert done.exit_code == 0, done.output
    assert other not in done.output
    assert "Spearman" not in done.output


def test_the_page_and_the_data_escape_what_the_text_says(desk: Path, tmp_path: Path) -> None:
    page, numbers = tmp_path / "page.html", tmp_path / "numbers.json"
    done = explained(desk, HOSTILE, "--html", page, "--json", numbers)
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output
    html = page.read_text(encoding="utf-8")
    assert "alert(" not in html.replace("alert</mark>", "")
    assert "<script>alert" not in html
    assert "&lt;</span><mark" in html
    assert 'src="http' not in html
    assert html.count("<mark class=") > 5
    plain = json.loads(numbers.read_text(encoding="utf-8"))
    assert plain["text"] == HOSTILE
    assert all(plain["text"][one["start"] : one["end"]] == one["word"] for one in plain["words"])
    values = [one["integrated gradients"] for one in plain["words"]]
    assert np.isclose(
        sum(values), plain["log_odds"] - plain["reference_log_odds"] + plain["completeness_gap"]
    )


def test_a_text_comes_from_a_file_or_from_the_data(desk: Path, tmp_path: Path) -> None:
    file = tmp_path / "review.txt"
    file.write_text("A fine film.", encoding="utf-8")
    assert "p(positive)" in explained(desk, "--file", file).output
    dataset = data.load(desk / "reviews.csv", rejected_folder=tmp_path)
    done = explained(desk, "--id", dataset.ids[3], "--data", desk / "reviews.csv")
    assert done.exit_code == 0, done.output + str(done.exception)
    assert f"Labelled {dataset.label_names[dataset.labels[3]]}." in done.output


def test_what_cannot_be_explained_is_said(desk: Path, tmp_path: Path) -> None:
    assert "one of TEXT, --file and --id" in explained(desk).output
    assert "one of TEXT, --file and --id" in explained(desk, "a", "--id", "1").output
    assert isinstance(explained(desk, " ... ").exception, SentilabError)
    unknown = explained(desk, "--id", "none", "--data", desk / "reviews.csv").exception
    assert isinstance(unknown, SettingsError)
    assert 'no text "none"' in str(unknown)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    assert "UTF-8" in str(explained(desk, "--file", tmp_path / "bytes").exception)


def test_colour_shows_the_whole_text(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from rich.console import Console

    from sentilab.cli.explain import _show
    from sentilab.probe import Classifier
    from sentilab.probe.attributions import Explainer, explain

    text = "Cut off. " * 8 + "A dull film, a fine one!"
    why = explain(Explainer(Classifier.from_run(desk / "study" / "run")), text)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=200)
    console.no_color = False
    _show(console, why)
    assert "\x1b[2m" in out.getvalue()  # dim: what was cut off
    assert "38;2;" in out.getvalue()  # a colour of words
    shown = Console(file=io.StringIO(), width=200)
    shown.print(out.getvalue())


def test_a_value_is_shown_by_its_share_of_the_largest() -> None:
    assert style(0.05) == ""
    assert style(0.2) == "#2f86b8"
    assert style(-0.4) == "bold #d1662b"
    assert style(-1) == "bold #ffffff on #d1662b"


def test_control_characters_are_shown_not_obeyed() -> None:
    assert printable("a\x1b[31mb\x07\u202ec\n\tİ\u200d") == "a�[31mb��c\n\tİ\u200d"
