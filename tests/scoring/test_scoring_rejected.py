import csv
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentilab.scoring import Scored, ScoringError

Score = Callable[..., Scored]


def rejected(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_bad_rows_of_csv_are_listed_with_line_and_reason_and_the_others_scored(
    score: Score, tmp_path: Path
) -> None:
    content = b'id,text\n1,good\n2,a,b\n3,\xff\xfe\n4,\n5,a\0b\n6,"open\n7,dull\n\n8," "\n'
    done = score("in.csv", content, "out.csv", max_rejected=1)
    assert (done.rows, done.rejected) == (2, 6)
    assert done.rejected_out == tmp_path / "out.rejected.csv"
    assert rejected(done.rejected_out) == [
        ["line", "reason", "content"],
        ["3", '3 fields where the header has 2 ("id", "text")', "2,a,b"],
        ["4", "not UTF-8: byte 0xff at 3", "3,\\xff\\xfe"],
        ["5", "empty text", "4,"],
        ["6", "holds a NUL character", "5,a\0b"],
        ["7", "a quote is opened and not closed, or closed before the field ends", '6,"open'],
        ["10", "empty text", '8," "'],
    ]
    out = (tmp_path / "out.csv").read_text().split("\n")
    assert [line.split(",")[0] for line in out[1:-1]] == ["1", "7"]


def test_bad_rows_of_json_lines_are_listed(score: Score, tmp_path: Path) -> None:
    lines = [
        b'{"text": "good"}',
        b'{"text": "cut off',
        b'["text"]',
        b'{"other": 1}',
        b'{"text": null}',
        b'{"text": 5}',
        b'{"text": "half \\ud800"}',
        b'{"text": "\xff"}',
        b'{"text": ' + b"[" * 100_000,
        b'{"text": "dull", "deep": {"a": [1]}}',
    ]
    done = score("a.jsonl", b"\n".join(lines), "out.jsonl", max_rejected=1)
    assert (done.rows, done.rejected) == (2, 8)
    listed = rejected(tmp_path / "out.rejected.csv")[1:]
    assert [row[0] for row in listed] == list("23456789")
    reasons = [row[1].partition(":")[0] for row in listed]
    assert reasons == [
        "not JSON",
        "not a JSON object, as in {...}",
        "no text",
        "no text",
        '"text" is int, not text',
        "the text holds half a character (a lone surrogate)",
        "not UTF-8",
        "not JSON",
    ]
    assert len(listed[-1][2]) == 500


def test_bad_rows_of_parquet_are_listed_by_their_number(score: Score, tmp_path: Path) -> None:
    texts = [None if n == 700 else "" if n == 1500 else f"row {n}" for n in range(2000)]
    pq.write_table(pa.table({"text": texts, "n": range(2000)}), tmp_path / "a.parquet")
    done = score("a.parquet", None, "out.parquet")
    assert (done.rows, done.rejected) == (1998, 2)
    assert rejected(tmp_path / "out.rejected.csv") == [
        ["row", "reason", "content"],
        ["701", 'no text: "text" is missing', '{"text": null, "n": 700}'],
        ["1501", "empty text", '{"text": "", "n": 1500}'],
    ]
    kept = pq.read_table(tmp_path / "out.parquet")["n"].to_pylist()
    assert kept == [n for n in range(2000) if n not in (700, 1500)]


def test_a_line_too_long_to_keep_is_set_aside_and_the_next_is_read(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("lines", "separated", "plain"):
        monkeypatch.setattr(f"sentilab.scoring.{module}.LONGEST_LINE", 5000)
    monkeypatch.setattr("sentilab.scoring.lines._BLOCK", 1000)
    for end in (b"\n", b"\r"):
        content = end.join([b"text", b"x" * 4000, b"y" * 12_345, b"z", b"w" * 5001, b"v"])
        done = score("a.csv", content, "out.csv", max_rejected=1, restart=True)
        assert (done.rows, done.rejected) == (3, 2)
        listed = rejected(tmp_path / "out.rejected.csv")[1:]
        assert [row[0] for row in listed] == ["3", "5"]
        assert listed[0][2] == "y" * 500
    done = score("a.txt", content.replace(b"\r", b"\n"), "out.txt", max_rejected=1)
    assert (done.rows, done.rejected) == (4, 2)


def test_too_many_bad_rows_end_the_job_which_goes_on_when_more_are_allowed(
    score: Score, tmp_path: Path, chunks_of: Callable[[int], None]
) -> None:
    chunks_of(100)
    content = b"text\n" + b"".join(b"good\n" if n % 4 else b"a,b\n" for n in range(1000))
    with pytest.raises(ScoringError, match=r"25 of 100 rows(.|\n)*line 2: 2 fields(.|\n)*--max"):
        score("a.csv", content, "out.csv")
    assert len(rejected(tmp_path / "out.rejected.csv")) > 25
    assert not (tmp_path / "out.csv").exists()
    done = score("a.csv", None, "out.csv", max_rejected=0.3)
    assert (done.rows, done.rejected) == (750, 250)
    assert done.earlier >= 75
    assert len(rejected(tmp_path / "out.rejected.csv")) == 251


def test_a_short_file_is_judged_by_its_share_at_the_end(score: Score) -> None:
    with pytest.raises(ScoringError, match="1 of 2 rows cannot be used"):
        score("a.csv", b"text\na,b\ngood\n", "out.csv")
    done = score("a.csv", None, "out.csv", max_rejected=0.5)
    assert (done.rows, done.rejected) == (1, 1)
