"""Every command and every Python example in README.md and docs/ is run here.

IMDB and its contrast sets are replaced by made-up files of the same form, small enough that the whole
study takes seconds; what is checked is that the documented commands work as written. Commands that would
take minutes even so stand in a `console` block: of them only the arguments are read.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from sentilab.cli import cli

ROOT = Path(__file__).resolve().parents[2]
# The study first: another page writes the report of it again.
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").glob("*.md")], key=lambda page: page.name != "study.md"
)
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, content) of each fenced block, unindented."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(language, re.sub(r"^  (?=\S)", "", text, flags=re.M)) for language, text in found]


def commands(page: Path, written_in: str = "sh") -> list[str]:
    lines = [
        line
        for language, text in blocks(page)
        if language == written_in
        for line in text.splitlines()
    ]
    return [line.partition("   #")[0].strip() for line in lines if line.strip() and line[0] != "#"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the documentation's reader has it: small data, and the files that it shows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sentilab.data.generated import generate

    folder = tmp_path_factory.mktemp("desk")
    corpus = generate(train=80, test=40)
    labels = corpus.labels
    numbers = np.arange(len(labels))
    table = pa.table(
        {
            "split": list(corpus.splits),
            "id": numbers,
            "text": list(corpus.texts),
            "label": labels,
            "rating": np.where(labels == 1, 9, 2),
        }
    )
    (folder / "datasets").mkdir()
    pq.write_table(table, folder / "datasets" / "imdb-labelled.parquet")
    (folder / "datasets" / "contrast-sets").mkdir()
    for part, row in (("dev", 0), ("test", 1)):
        sides = {"original": ("Negative", "Positive"), "contrast": ("Positive", "Negative")}
        for side, names in sides.items():
            (folder / "datasets" / "contrast-sets" / f"{part}_{side}.tsv").write_text(
                f"Sentiment\tText\n{names[labels[row]]}\t{corpus.texts[row]}\n"
            )
    rows = [
        f'"{text}",{("negative", "positive")[label]}'
        for text, label in zip(corpus.texts, labels, strict=True)
    ]
    (folder / "reviews.csv").write_text("text,sentiment\n" + "\n".join(rows) + "\n")
    more = generate(train=40, test=0, seed=1).texts
    (folder / "more-reviews.txt").write_text("\n".join(more) + "\n")
    for page in PAGES:
        for language, text in blocks(page):
            name = re.match(r"# (\S+\.(?:toml|py))\n", text)
            if name and language in ("toml", "python"):
                (folder / name[1]).write_text(text)
    return folder


def environment(desk: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "XDG_CACHE_HOME": str(desk / "cache"), "SENTILAB_DATA": ""}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_page_works(page: Path, desk: Path) -> None:
    for command in commands(page):
        if command.startswith("make "):
            # What make would do is done by the other lines here; that the target exists is the test.
            subprocess.run(
                [*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True
            )
            continue
        done = subprocess.run(
            command.replace("PATH", "datasets"),
            shell=True,
            cwd=desk,
            env=environment(desk),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_long_command_of_the_page_has_arguments_that_are_understood(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in commands(page, "console"):
        for folder in re.findall(r"\bruns/\S+", command):  # as the command before has left it
            Path(folder).mkdir(parents=True, exist_ok=True)
        context, (name, *arguments) = click.Context(cli), shlex.split(command)[1:]
        found = cli.get_command(context, name)
        assert found is not None, command
        found.make_context(name, arguments, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_example_of_the_page_works(page: Path, desk: Path) -> None:
    code = "\n".join(text for language, text in blocks(page) if language == "python")
    if not code:
        return
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=desk,
        env=environment(desk),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
