"""What a scoring job writes, as bytes that are appended chunk by chunk.

Where the output has the input's form, rows are written as they stood, with the answers behind them:
quotes, spaces and numbers stay as they were.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from sentilab.scoring.answers import Answers, Naming, as_json
from sentilab.scoring.records import Chunk, Source
from sentilab.scoring.separated import Separated


class Sink(Protocol):
    """``begin`` gives the file's first bytes, ``rows`` those of a chunk; ``finish`` makes of all of
    them, in ``whole``, the file that the user gets, and says where it is.
    """

    def begin(self) -> bytes: ...
    def rows(self, chunk: Chunk, answers: Answers) -> bytes: ...
    def finish(self, whole: Path) -> Path: ...


class _Bytes:
    """A sink whose bytes are the file's own."""

    def finish(self, whole: Path) -> Path:
        return whole


class SeparatedAsItStands(_Bytes):
    """CSV to CSV, or TSV to TSV."""

    def __init__(self, source: Separated, naming: Naming) -> None:
        self._source, self._naming = source, naming
        self._labels = [self._cell(one) for one in naming.labels]

    def _cell(self, text: str) -> str:
        if any(one in text for one in (self._source.separator, '"', "\r", "\n")):
            return '"' + text.replace('"', '""') + '"'
        return text

    def begin(self) -> bytes:
        return self._line(self._source.header, map(self._cell, self._naming.names))

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        made = bytearray()
        decided = answers.decided.tolist()
        for number, (raw, numbers) in enumerate(zip(chunk.raws, answers.rounded(), strict=True)):
            cells = [self._labels[decided[number]], *numbers]
            if answers.pieces is not None:
                cells.append(self._cell(as_json(answers.pieces[number])))
            made += self._line(raw, cells)
        return bytes(made)

    def _line(self, raw: bytes, cells: Iterable[str]) -> bytes:
        separator = self._source.separator
        added = separator + separator.join(cells)
        return raw.rstrip(b"\r\n") + added.encode() + self._source.line_end


class JsonAsItStands(_Bytes):
    """JSON Lines to JSON Lines."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._names = [json.dumps(one, ensure_ascii=False) for one in naming.names]
        self._labels = [json.dumps(one, ensure_ascii=False) for one in naming.labels]

    def begin(self) -> bytes:
        return b""

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        made = bytearray()
        decided = answers.decided.tolist()
        for number, (raw, numbers) in enumerate(zip(chunk.raws, answers.rounded(), strict=True)):
            values = [self._labels[decided[number]], *numbers]
            if answers.pieces is not None:
                values.append(as_json(answers.pieces[number]))
            added = "".join(
                f", {name}: {value}" for name, value in zip(self._names, values, strict=True)
            )
            # What was read was an object with a text in it: it ends in a brace, and is not empty.
            made += raw.strip()[:-1] + added.encode() + b"}\n"
        return bytes(made)


class PlainWithAnswers(_Bytes):
    """Lines of label, probabilities and weights, then the text, which may hold tabs, last."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming

    def begin(self) -> bytes:
        return b""

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        made = bytearray()
        for number, (raw, numbers) in enumerate(zip(chunk.raws, answers.rounded(), strict=True)):
            cells = [self._naming.labels[int(answers.decided[number])], *numbers]
            if answers.pieces is not None:
                cells.append(as_json(answers.pieces[number]))
            made += ("\t".join(cells) + "\t").encode() + raw.rstrip(b"\r\n") + b"\n"
        return bytes(made)


class SeparatedAnew(_Bytes):
    """CSV or TSV from anything else. Lines end as RFC 4180 has it, in CR LF."""

    def __init__(self, source: Source, naming: Naming, separator: str) -> None:
        csv.field_size_limit(2**31 - 1)
        self._source, self._naming, self._separator = source, naming, separator
        self._columns = list(source.kinds())

    def begin(self) -> bytes:
        return self._written([[*self._columns, *self._naming.names]])

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        return self._written(self._rows(chunk, answers))

    def _rows(self, chunk: Chunk, answers: Answers) -> Iterator[list[str]]:
        numbers = answers.rounded()
        for number, row in enumerate(self._source.rows(chunk)):
            cells = [as_text(row.get(name)) for name in self._columns]
            cells += [self._naming.labels[int(answers.decided[number])], *numbers[number]]
            if answers.pieces is not None:
                cells.append(as_json(answers.pieces[number]))
            yield cells

    def _written(self, rows: Iterable[list[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._separator, lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode()


class JsonAnew(_Bytes):
    """JSON Lines from anything else."""

    def __init__(self, source: Source, naming: Naming) -> None:
        self._source, self._naming = source, naming

    def begin(self) -> bytes:
        return b""

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        made = []
        numbers = answers.rounded()
        for number, row in enumerate(self._source.rows(chunk)):
            values: list[Any] = [self._naming.labels[int(answers.decided[number])]]
            values += map(float, numbers[number])
            if answers.pieces is not None:
                values.append(json.loads(as_json(answers.pieces[number])))
            whole = {**row, **dict(zip(self._naming.names, values, strict=True))}
            made.append(json.dumps(whole, ensure_ascii=False, default=as_text) + "\n")
        return "".join(made).encode()


class Packed:
    """Another sink's bytes, packed with gzip: one member a chunk, which together are one file."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def begin(self) -> bytes:
        return _packed(self._sink.begin())

    def rows(self, chunk: Chunk, answers: Answers) -> bytes:
        return _packed(self._sink.rows(chunk, answers))

    def finish(self, whole: Path) -> Path:
        return self._sink.finish(whole)


def _packed(content: bytes) -> bytes:
    # No time in it: the same rows give the same bytes.
    return gzip.compress(content, 6, mtime=0) if content else b""


def as_text(value: object) -> str:
    """A value as a cell of text: nothing for None, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False, default=as_text)
    text = str(value)
    if text.isascii():
        return text
    # Half a character, as JSON may bring, cannot be written as UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()
