"""Parquet, streamed in and out by arro3.

What is written stays an Arrow stream until the job ends: that can be appended to, chunk by chunk,
and a Parquet file cannot.
"""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from sentilab.errors import DataError, SentilabError
from sentilab.readable import most_unpacked, printable, too_large
from sentilab.scoring.answers import Answers, Naming
from sentilab.scoring.lines import LONGEST_LINE
from sentilab.scoring.records import (
    SHOWN_OF_RAW,
    BadRow,
    Chunk,
    Position,
    Source,
    fault_of,
    require_distinct,
    text_column,
)
from sentilab.scoring.sinks import as_text

if TYPE_CHECKING:
    from arro3.core import DataType, Field, RecordBatch, RecordBatchReader

BATCH = 512
# A small file is gone through before it is read: a long text that is named in each row takes a few bytes
# of it. What is looked at is a few rows at a time, and then as many as take no more than this.
SMALL_FILE, LOOKED_AT = 8 << 20, 2
BATCHES_LOOKED_AT, BATCH_OF_MANY = 10_000, 32
LARGEST_BATCH = 16 << 20
BYTES_A_ROW = 256
ROW_GROUP = 4 * 4096
_END = b"\xff\xff\xff\xff\0\0\0\0"


class Table:
    """The rows of a Parquet file."""

    unit = "row"
    start = Position(0, 0)
    size = 0

    def __init__(self, path: Path, wanted: str | None) -> None:
        """Raises DataError if the file cannot be read, SettingsError if no column can be the texts."""
        self.path, self._batch = path, LOOKED_AT
        self.schema = self._open().schema
        self.columns = list(self.schema.names)
        require_distinct(str(path), self.columns)
        self.text_column = text_column(str(path), self.columns, wanted)
        self._batch = self._batch_for_it() if path.stat().st_size < SMALL_FILE else BATCH

    def _open(self) -> "RecordBatchReader":
        arro3_io = arro3("io")
        if not self.path.is_file():
            raise DataError(f"{self.path}: there is no such file.")
        with _readable(self.path):
            reader: RecordBatchReader = arro3_io.read_parquet(self.path, batch_size=self._batch)
            return reader

    def _batch_for_it(self) -> int:
        """How many rows of a small file to read at once. Raises DataError if it unpacks to hours of work."""
        largest, to_the_end = self._largest(BATCHES_LOOKED_AT)
        rows = max(LOOKED_AT, min(BATCH, LARGEST_BATCH * LOOKED_AT // largest))
        if not to_the_end:
            self._batch = rows = min(rows, BATCH_OF_MANY)
            self._largest()
        return rows

    def _largest(self, batches: int | None = None) -> tuple[int, bool]:
        """(bytes of the largest batch among the first so many, whether these were all)."""
        unpacked, largest, limit = 0, 1, most_unpacked(self.path)
        reader = self._open()
        for _ in range(batches) if batches else itertools.count():
            with _readable(self.path):
                batch = next(reader, None)
            if batch is None:
                return largest, True
            largest = max(largest, batch.nbytes)
            unpacked += batch.nbytes + BYTES_A_ROW * batch.num_rows
            if unpacked > limit:
                raise DataError(f"{self.path}: {too_large(unpacked)}.")
        return largest, False

    def chunks(self, start: Position, rows: int) -> Iterator[Chunk]:
        place, chunk = 0, Chunk(start)
        reader = self._open()
        while True:
            with _readable(self.path):
                batch = next(reader, None)
            if batch is None:
                break
            # There is no way but through the rows that are done.
            skipped = min(max(0, start.place - place), batch.num_rows)
            place += batch.num_rows
            if skipped < batch.num_rows:
                self._take(batch.slice(skipped), place - batch.num_rows + skipped, chunk)
            if chunk.is_full(rows):
                chunk.after = Position(place, place)
                yield chunk
                chunk = Chunk(chunk.after)
        if chunk.texts or chunk.bad:
            chunk.after = Position(place, place)
            yield chunk

    def _take(self, batch: "RecordBatch", before: int, chunk: Chunk) -> None:
        with _readable(self.path):
            texts: list[Any] = list(batch.column(self.text_column).to_pylist())
        reasons = [fault_of(one, self.text_column) or _too_long(one) for one in texts]
        good = [at for at, reason in enumerate(reasons) if not reason]
        for at, reason in enumerate(reasons):
            if reason:
                row = next(iter(self._rows(batch.slice(at, 1))))
                chunk.bad.append(BadRow(before + at + 1, reason, as_text(row)[:SHOWN_OF_RAW]))
        if good:
            kept = batch if len(good) == len(texts) else batch.take(np.asarray(good, np.uint64))
            chunk.batches.append(kept)
            chunk.texts.extend(texts[at] for at in good)
        chunk.size += batch.nbytes

    def rows(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        for batch in chunk.batches:
            yield from self._rows(batch)

    def _rows(self, batch: "RecordBatch") -> Iterator[dict[str, Any]]:
        # Times that Python has no words for, and the like.
        with _readable(self.path):
            columns = [batch.column(at).to_pylist() for at in range(batch.num_columns)]
        for values in zip(*columns, strict=True):
            yield dict(zip(batch.column_names, values, strict=True))

    def kinds(self) -> dict[str, str]:
        return dict.fromkeys(self.columns, "mixed")


def _too_long(text: str) -> str:
    is_long = len(text) > LONGEST_LINE >> 2 and len(text.encode()) > LONGEST_LINE
    return f"longer than {LONGEST_LINE >> 20} MiB" if is_long else ""


class TableSink:
    """Parquet from anything: a table's rows with their types, or columns of texts and numbers."""

    def __init__(self, source: Source, naming: Naming) -> None:
        core = arro3("core")
        self._source, self._naming = source, naming
        if isinstance(source, Table):
            self._fields = [source.schema.field(at) for at in range(len(source.columns))]
        else:
            types = _types()
            self._fields = [
                core.Field(name, types.get(kind, types["text"]), nullable=True)
                for name, kind in source.kinds().items()
            ]
            self._texts = {name for name, kind in source.kinds().items() if kind not in types}
        self._schema = core.Schema([*self._fields, *_answer_fields(naming)])
        if isinstance(source, Table):
            self._schema = self._schema.with_metadata(source.schema.metadata)

    def begin(self) -> bytes:
        return _stream(self._schema.empty_table())[0]

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        made, at = bytearray(), 0
        for batch in chunk.batches or [None]:
            rows = len(chunk.texts) if batch is None else batch.num_rows
            columns = self._columns(chunk) if batch is None else batch.columns
            part = slice(at, at + rows)
            pieces = None if answers.pieces is None else answers.pieces[part]
            some = Answers(answers.decided[part], answers.probabilities[part], pieces)
            made += self._message([*columns, *_answer_columns(some, self._naming)])
            at += rows
        return bytes(made)

    def _columns(self, chunk: Chunk) -> list[Any]:
        core = arro3("core")
        rows = list(self._source.rows(chunk))
        columns = []
        for field in self._fields:
            values = [row.get(field.name) for row in rows]
            if field.name in self._texts:
                values = [None if one is None else as_text(one) for one in values]
            columns.append(core.Array(values, field.type))
        return columns

    def _message(self, columns: list[Any]) -> bytes:
        batch = arro3("core").RecordBatch.from_arrays(columns, schema=self._schema)
        return _stream(batch)[1]

    def finish(self, whole: Path) -> Path:
        """Raises OSError if it cannot be written."""
        arro3_io = arro3("io")
        assembled = whole.with_name("assembled.parquet")
        with whole.open("ab") as file:
            file.write(_END)
        with assembled.open("wb") as file:
            writing = _Writing(file)
            arro3_io.write_parquet(
                arro3_io.read_ipc_stream(whole),
                writing,
                compression="zstd(1)",
                max_row_group_size=ROW_GROUP,
            )
        if writing.failed is not None:
            raise writing.failed
        return assembled


class _Writing(io.RawIOBase):
    """A file for arro3, whose Rust panics where it cannot write: so it is told later."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failed: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        if self.failed is None:
            try:
                self._file.write(content)
            except OSError as error:
                self.failed = error
        return len(content)

    def flush(self) -> None:
        if self.failed is None:
            try:
                self._file.flush()
            except OSError as error:
                self.failed = error


def arro3(part: str) -> Any:
    """arro3.core or arro3.io; raises SentilabError if they are not installed."""
    import importlib

    try:
        return importlib.import_module(f"arro3.{part}")
    except ImportError as error:
        raise SentilabError(
            "Parquet needs arro3, which is not installed.\n"
            "  Install it with: pip install arro3-core arro3-io"
        ) from error


class _readable:  # noqa: N801  # reads as a clause
    """Whatever arro3 raises in the block is the file's fault."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: Any
    ) -> None:
        # A panic of its Rust is no Exception.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise DataError(
                f"{self._path}: not a readable Parquet file ({_first_line(error)})."
            ) from error


def _first_line(error: BaseException | None) -> str:
    return printable((str(error).strip() or type(error).__name__).splitlines()[0].rstrip("."))


def _types() -> "dict[str, DataType]":
    kinds = arro3("core").DataType
    return {
        "text": kinds.string(),
        "integer": kinds.int64(),
        "number": kinds.float64(),
        "truth": kinds.bool(),
    }


def _answer_fields(naming: Naming) -> "list[Field]":
    core = arro3("core")
    real = core.DataType.float32()
    fields = [core.Field(naming.label, core.DataType.string(), nullable=False)]
    fields += [
        core.Field(name, real, nullable=False) for name in (naming.probability, *naming.each)
    ]
    if naming.explain:
        fields.append(core.Field(naming.weights, _weights_type(), nullable=False))
    return fields


def _piece_fields() -> "list[Field]":
    core = arro3("core")
    return [
        core.Field("piece", core.DataType.string(), nullable=False),
        core.Field("weight", core.DataType.float32(), nullable=True),
    ]


def _weights_type() -> "DataType":
    core = arro3("core")
    pair = core.DataType.struct(_piece_fields())
    made: DataType = core.DataType.list(core.Field("item", pair, nullable=False))
    return made


def _answer_columns(answers: Answers, naming: Naming) -> list[Any]:
    core = arro3("core")
    labels = [naming.labels[one] for one in answers.decided.tolist()]
    numbers = (answers.of_decided, *answers.probabilities.T)
    columns = [
        core.Array(labels, core.DataType.string()),
        *(core.Array.from_numpy(np.ascontiguousarray(one)) for one in numbers),
    ]
    if answers.pieces is not None:
        columns.append(_weights(answers.pieces))
    return columns


def _weights(pieces: list[Any]) -> Any:
    core = arro3("core")
    texts = [text for one in pieces for text, _ in one]
    weights = [weight for one in pieces for _, weight in one]
    pairs = core.struct_array(
        [core.Array(texts, core.DataType.string()), core.Array(weights, core.DataType.float32())],
        fields=_piece_fields(),
    )
    ends = np.cumsum([0, *map(len, pieces)]).astype(np.int32)
    return core.list_array(core.Array.from_numpy(ends), pairs, type=_weights_type())


def _stream(data: Any) -> tuple[bytes, bytes]:
    """An Arrow stream's schema, and what follows it before the mark of its end.

    Source: arrow.apache.org/docs/format/Columnar.html, "Encapsulated message format".
    """
    buffer = io.BytesIO()
    arro3("io").write_ipc_stream(data, buffer)
    content = buffer.getvalue()
    schema = 8 + int.from_bytes(content[4:8], "little")
    return content[:schema], content[schema:].removesuffix(_END)
