"""Parquet files that may be damaged or made to harm -> tables of bounded size.

A few bytes of such a file can stand for gigabytes: a long text named a million times, or nothing but the
number of rows. What it comes to is counted before it is there.
"""

from pathlib import Path
from typing import Any

from sentilab.readable import listed, most_unpacked, printable, too_large

# What a row costs at the least once Python holds it.
BYTES_A_ROW = 256
SMALL_FILE = 4 << 20
BATCH_ROWS, BATCH_ROWS_NESTED = 4096, 16


def read_table(path: Path, columns: list[str] | None = None) -> Any:
    """The pyarrow.Table of these columns, or of all. Raises ValueError, in one line, if it cannot be."""
    import pyarrow as pa

    try:
        return _read(path, columns)
    except (pa.ArrowException, OSError, KeyError, TypeError, OverflowError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(printable(lines[0])) from error


def _read(path: Path, columns: list[str] | None) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    if columns is not None and not set(columns) <= set(schema.names):
        raise ValueError(f"its columns are {listed(schema.names)}")
    fields = [one for one in schema if columns is None or one.name in columns]
    # In a small file texts that are named again and again are read as numbers, and counted before they
    # are made. In a large one that would cost as much as the rest.
    is_small = path.stat().st_size < SMALL_FILE
    texts = [one.name for one in fields if is_small and _is_text(one.type)]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        limit = most_unpacked(path)
        names = {one.name for one in fields}
        _require_small(file.metadata, names, limit)
        nested = any(pa.types.is_nested(one.type) for one in fields)
        rows = BATCH_ROWS_NESTED if nested else BATCH_ROWS
        batches, size = [], 0
        for batch in file.iter_batches(rows, columns=None if columns is None else columns):
            size += sum(map(_bytes_of, batch.columns)) + BYTES_A_ROW * batch.num_rows
            if size > limit:
                raise ValueError(too_large(size))
            batches.append(batch)
        table = pa.Table.from_batches(batches, None if batches else file.schema_arrow)
    plain = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    table = table.cast(pa.schema(plain, table.schema.metadata))
    table.validate(full=True)
    return table


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return any(one(kind) for one in kinds)


def _require_small(metadata: Any, names: set[str], limit: int) -> None:
    """Raises ValueError for a file that says itself that it is a bomb."""
    size = BYTES_A_ROW * metadata.num_rows
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for at in range(row_group.num_columns):
            column = row_group.column(at)
            if column.path_in_schema.partition(".")[0] in names:
                size += column.total_uncompressed_size
    if size > limit or size < 0:
        raise ValueError(too_large(size))


def _bytes_of(column: Any) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return int(pc.sum(lengths.cast(pa.int64())).as_py() or 0)
