"""A few bytes of Parquet can stand for gigabytes: benchmarks/fuzz_inputs.py makes such files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentilab.tables import read_table


def named_again_and_again(path: Path, text: str, rows: int) -> Path:
    indices = np.zeros(rows, np.int32)
    column = pa.DictionaryArray.from_arrays(indices, [text])
    pq.write_table(pa.table({"text": column}), path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 1 << 20
    return path


@pytest.mark.parametrize(("length", "rows"), [(1 << 20, 3_000), (3, 3_000_000), (2_000, 500_000)])
def test_a_text_that_stands_in_very_many_rows_is_counted_before_it_is_made(
    tmp_path: Path, length: int, rows: int
) -> None:
    path = named_again_and_again(tmp_path / "bomb.parquet", "a" * length, rows)
    before = pa.total_allocated_bytes()
    with pytest.raises(ValueError, match="unpacks to more than"):
        read_table(path)
    assert pa.total_allocated_bytes() - before < 64 << 20


def test_repeats_within_reason_are_read_as_texts(tmp_path: Path) -> None:
    path = named_again_and_again(tmp_path / "same.parquet", "the same", 10_000)
    table = read_table(path)
    assert table["text"].type == pa.string()
    assert table["text"].to_pylist() == ["the same"] * 10_000


def test_texts_that_are_packed_each_for_itself_are_refused_by_what_the_file_says(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bomb.parquet"
    table = pa.table({"text": ["a" * (1 << 20)] * 160})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    with pytest.raises(ValueError, match="unpacks to more than"):
        read_table(path)


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a\x1b[2J": [1]}), tmp_path / "odd.parquet")
    with pytest.raises(ValueError, match=r'its columns are "a�\[2J"'):
        read_table(tmp_path / "odd.parquet", ["text"])


def test_an_empty_table_is_one(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    assert read_table(tmp_path / "empty.parquet", ["text"]).num_rows == 0
