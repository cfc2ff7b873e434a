"""Rows that are missing or there twice are found; the files of a hundred million are done on computed clusters."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
# The benchmarks are no part of the installed package.
sys.path.insert(0, str(ROOT))

from benchmarks import pages, score_many  # noqa: E402


def write(folder: Path, *parts: list[int]) -> Path:
    folder.mkdir()
    for number, ids in enumerate(parts):
        pq.write_table(
            pa.table({"id": pa.array(ids, pa.int64())}), folder / f"part-{number}.parquet"
        )
    return folder


def test_each_row_must_be_there_once(tmp_path: Path) -> None:
    found = score_many.checked(write(tmp_path / "whole", [0, 1], [2]), 3)
    assert list(found) == ["part-0.parquet", "part-1.parquet"]
    for name, parts in {"lost": ([0, 1], []), "twice": ([0, 1], [1, 2])}.items():
        with pytest.raises(AssertionError, match="1 rows are not there exactly once"):
            score_many.checked(write(tmp_path / name, *parts), 3)


def test_the_files_of_many_rows_are_done_where_workers_die(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_many, "SIMULATED", 2_000_000)
    monkeypatch.setattr(score_many, "CLUSTERS", ((4, None), (4, 0.05)))
    said = score_many.simulated(5_000, 20, seed=1)
    in_peace, dying = said.splitlines()[-2:]
    assert "2,000,000 rows in 20 files" in said
    assert in_peace.startswith("| 4 | never |")
    assert in_peace.endswith("| 0 |")
    assert dying.startswith("| 4 | 3 min |")
    assert not dying.endswith("| 0 |")


def test_the_page_has_a_place_for_each_table() -> None:
    text = pages.page("engines.md").read_text(encoding="utf-8")
    for name in ("chaos", "overhead", "packing", "nodes", "rows"):
        assert pages.between(text, name)
