import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from rich.console import Console

from sentilab.checkup import Checkup, Finding, Passage, Table
from sentilab.cli import findings
from sentilab.cli.check import command

Sentilab = Callable[..., subprocess.CompletedProcess[str]]

WORDS = [
    "plot",
    "actor",
    "scene",
    "music",
    "story",
    "camera",
    "light",
    "ending",
    "cast",
    "dialogue",
    "pacing",
    "script",
]


def review(number: int) -> str:
    return " ".join(WORDS[(number * step + step // 3) % len(WORDS)] for step in range(7, 27))


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """300 reviews in a file with a rating; one is empty, two contradict each other."""
    rows = [(f"{review(n)} n{n}", ("bad", "good")[n * 7 % 10 < 5], n) for n in range(300)]
    rows[41] = (rows[40][0], "good" if rows[40][1] == "bad" else "bad", 41)
    rows[50] = ("", "good", 50)
    lines = [f'"{text}",{label},{9 if label == "good" else 2}' for text, label, _ in rows]
    path = tmp_path / "reviews.csv"
    path.write_text("text,label,rating\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_file_is_checked_and_everything_written_as_json(
    sentilab: Sentilab, reviews: Path, tmp_path: Path
) -> None:
    done = sentilab("check", "reviews.csv", "--json", "found.json")
    assert done.returncode == 0, done.stderr
    assert "looking for near-duplicates" in done.stderr
    assert "1 text has different labels in different rows." in done.stdout
    assert "line 42 (" in done.stdout
    assert "What to do: No model can be right on both." in done.stdout
    assert "The column “rating” all but decides the label." in done.stdout
    assert "1 of 300 rows could not be used." in done.stdout
    assert done.stdout.index("different labels") < done.stdout.index("rating")
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    by_name = {one["name"]: one for one in found["findings"]}
    assert found["texts"] == {"all": 299}
    assert by_name["label conflicts"]["examples"][0][0]["id"] == "line/42"
    assert by_name["columns that give the label away"]["table"]["rows"][0][0] == "rating"


def test_only_a_strict_checkup_ends_with_a_code_of_its_own(reviews: Path) -> None:
    runner = CliRunner()
    lenient = runner.invoke(command, [str(reviews)])
    strict = runner.invoke(command, [str(reviews), "--strict"])
    assert (lenient.exit_code, strict.exit_code) == (0, 3)


def test_the_label_column_is_no_column_beside_the_label(tmp_path: Path) -> None:
    rows = [f'{{"body": "{review(n)} n{n}", "y": {n % 2}.0, "copy": {n % 2}}}' for n in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = CliRunner().invoke(command, [str(tmp_path / "rows.jsonl")])
    assert "The column “copy” all but decides the label." in done.stdout
    named = CliRunner().invoke(
        command, [str(tmp_path / "rows.jsonl"), "--label-column", "copy", "--text-column", "body"]
    )
    assert "The column “y” all but decides the label." in named.stdout


def test_unlabelled_reviews_beside_imdb_are_checked_too(tmp_path: Path) -> None:
    ids = list(range(40))
    labelled = {
        "split": ["train"] * 20 + ["test"] * 20,
        "id": ids,
        "text": [f"{review(n)} n{n}" for n in ids],
        "label": [n % 2 for n in ids],
    }
    pq.write_table(pa.table(labelled), tmp_path / "imdb-labelled.parquet")
    more = {"id": ["0", "1"], "text": [f"{review(3)} n3", review(7)]}
    pq.write_table(pa.table(more), tmp_path / "imdb-unlabelled.parquet")
    for arguments in (["imdb", "--data", str(tmp_path)], [str(tmp_path)]):
        done = CliRunner().invoke(command, arguments)
        assert done.exit_code == 0, done.output
        assert "20 train, 20 test, 2 unlabelled" in done.stdout
    (tmp_path / "imdb-unlabelled.parquet").write_bytes(b"damaged")
    refused = CliRunner().invoke(command, ["imdb", "--data", str(tmp_path)])
    assert "imdb-unlabelled.parquet: not the unlabelled reviews" in str(refused.exception)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("check", "missing.csv"), "missing.csv"),
        (("check", "generated", "--threshold", "0.2"), "--threshold"),
        (("check", "reviews.csv", "--json", "/dev/null/x.json"), "cannot be written"),
    ],
)
def test_a_mistake_is_answered_in_words(
    sentilab: Sentilab, reviews: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = sentilab(*arguments)
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def shown(checkup: Checkup, width: int, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        color_system="standard" if colour else None,
        force_terminal=colour,
        legacy_windows=False,
    )
    findings.show(checkup, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_findings_keep_to_the_width_and_their_texts_are_never_read_as_markup(width: int) -> None:
    passage = Passage("line/7", "all", "good", "[red]what[/red] [a] word " * 5, ((9, 13),))
    finding = Finding(
        "name",
        "problem",
        "A sentence [bold]about[/bold] it. " * 5,
        "Do something. " * 20,
        {"share of it": 0.001234, "rows": 12345},
        Table(("split", "share", "p", "rows"), (("all", 0.5, 1e-9, 1_000),) * 14),
        ((passage,), (passage, passage)),
    )
    lines = shown(Checkup("d", "d", {"all": 1}, (finding,)), width).splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for said in ("[red]what[/red]", "line 7 (good)", "50.0%", "< 0.001", "1,000", "and 2 more"):
        assert said in text, said
    assert "share of it: 0.12%; rows: 12,345" in text
    assert "\x1b[" in shown(Checkup("d", "d", {"all": 1}, (finding,)), width, colour=True)
