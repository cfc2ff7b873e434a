"""The page reads CSV as Python does."""

import csv
import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentilab.bundle.web_tables import page_folder
from sentilab.data.forms import Row, open_records

# By name: the file's content, its end included.
FILES = {
    "plain.csv": b"id,text\n1,good\n2,bad\n",
    "quoted.csv": b'id,text\n1,"a, b"\n2,"say ""hi"""\n3,"two\nlines"\n4,""\n',
    "windows.csv": b'\xef\xbb\xbfid,text\r\n1,"two\r\nlines"\r\n2,x\r\n',
    "no-end.csv": b"text\ngood",
    "old.csv": b'id,text\r1,good\r2,"a,b"\r',
    "tabs.tsv": b"id\ttext\n1\ta, b\n2\t\xe6\x98\xa0\xe7\x94\xbb\n",
    "stray.csv": b'id,text\n1,"never closed\n2,fine\n3,a "quoted" word\n',
    "wrong.csv": b'id,text\n1\n1,2,3\n2,"x"y\n3,fine\n\n4,fine too\n',
    "bytes.csv": b"id,text\n1,\xff\n2,a\x00b\n3,fine\n",
    "mark.csv": "id,text\n\ufeff1,x\n".encode(),
    "empty.csv": b"id,text\n",
}


def written(seed: int) -> bytes:
    """A sound file of texts with all that must be quoted."""
    source = random.Random(seed)
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=source.choice(["\n", "\r\n"]))
    writer.writerow(["id", "text", "more"])
    letters = "ab,\"\n é映🎬;\t'"
    for number in range(source.randrange(200)):
        text = "".join(source.choice(letters) for _ in range(source.randrange(30)))
        writer.writerow([number, text, source.choice(["", "x", '"'])])
    return file.getvalue().encode()


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's modules beside files, and what Python reads in each."""
    folder = tmp_path_factory.mktemp("csv")
    for name in ("csv.js", "trouble.js", "scoring.js"):
        shutil.copy(page_folder() / name, folder)
    files = {**FILES, **{f"drawn{seed}.csv": written(seed) for seed in range(30)}}
    wanted = {}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        columns, records, _ = open_records(folder / name, None)
        wanted[name] = {
            "columns": columns,
            "records": [
                [one.line, list(one.fields.values()) if isinstance(one, Row) else None]
                for one in records
            ],
        }
    (folder / "wanted.json").write_text(json.dumps(wanted))
    (folder / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    return folder


READ = """async () => {
    const { openTable, recordsOf, rowOf, fieldsOf } = await import(document.baseURI + "csv.js");
    const wanted = await (await fetch("wanted.json")).json();
    const found = {};
    for (const name of Object.keys(wanted)) {
        const bytes = new Uint8Array(await (await fetch(name)).arrayBuffer());
        const table = await openTable(new File([bytes], name));
        // Read in pieces of any size, cut anywhere.
        for (const size of [bytes.length + 1, 7]) {
            let at = 0;
            const file = { stream: () => new ReadableStream({
                pull(controller) {
                    if (at >= bytes.length) return controller.close();
                    controller.enqueue(bytes.subarray(at, at + size));
                    at += size;
                },
            }) };
            const records = [];
            for await (const { line, fields } of recordsOf(file, table)) records.push([line, fields ?? null]);
            found[`${name} ${size === 7}`] = { columns: table.columns, records };
        }
        for (const [, fields] of found[`${name} true`].records) {
            if (fields && JSON.stringify(fieldsOf(rowOf(fields, ","), ",")) !== JSON.stringify(fields)) throw new Error(fields);
        }
    }
    return found;
}"""


def test_the_page_reads_the_rows_that_python_reads(
    browser: Any, cases: Path, files_at: Callable[[Path], str]
) -> None:
    page = browser.new_page()
    page.goto(files_at(cases))
    found = page.evaluate(READ)
    page.close()
    wanted = json.loads((cases / "wanted.json").read_text())
    for name, content in found.items():
        assert content == wanted[name.split(" ")[0]], name


def test_probabilities_are_written_as_python_writes_them(
    browser: Any, cases: Path, files_at: Callable[[Path], str]
) -> None:
    numbers = [0.0, 1.0, 0.5, 0.123456789, 0.99999999, 1e-4, 9.99999e-5, 1.5e-7, 2.25e-12]
    page = browser.new_page()
    page.goto(files_at(cases))
    found = page.evaluate(
        """async (numbers) => {
            const { rounded } = await import(document.baseURI + "scoring.js");
            return numbers.map(rounded);
        }""",
        numbers,
    )
    page.close()
    assert found == [f"{one:.6g}" for one in numbers]
