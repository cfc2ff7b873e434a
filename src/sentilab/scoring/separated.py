"""CSV and TSV, streamed. A stray quote or an undecodable byte costs its own line and no other.

What counts as a row, and why one is bad, is as ``sentilab.data`` has it, but for its second look at
files that have faults: that needs labels, and the whole file at once.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sentilab.errors import DataError, SettingsError
from sentilab.readable import listed, printable
from sentilab.scoring.lines import HEAD, LONGEST_LINE, File, Overlong, size_of
from sentilab.scoring.records import (
    BadRow,
    Chunk,
    Position,
    fault_of,
    require_distinct,
    shown,
    text_column,
)

# A quoted text may span lines; what spans more is a quote that was never closed.
LONGEST_RECORD = 500
UNCLOSED = "a quote is opened and not closed, or closed before the field ends"


class Separated:
    """``header`` is the first line as it stands, without its end, which is ``line_end``."""

    unit = "line"

    def __init__(self, path: Path, packed: bool, separator: str, wanted: str | None) -> None:
        """Raises DataError if the header cannot be read, SettingsError for a separator or column."""
        if len(separator) != 1 or separator in '"\r\n':
            raise SettingsError(f'The separator must be one character, not "{separator}".')
        csv.field_size_limit(2**31 - 1)
        self.path, self.separator = path, separator
        self._file = File(path, packed)
        self.size = path.stat().st_size if path.exists() else 0
        head = self._file.head()
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DataError(f"{path}: encoded as UTF-16; save it as UTF-8.")
        # Old spreadsheets end lines with a carriage return alone.
        self._end = b"\r" if b"\r" in head and b"\n" not in head else b"\n"
        line, end, _ = head.partition(self._end)
        if not end and len(head) >= HEAD:
            raise DataError(f"{path}, line 1: too long to be the names of columns.")
        self.header = line.rstrip(b"\r")
        self.line_end = line[len(self.header) :] + (end or self._end)
        self.start = Position(len(line) + len(end), 1)
        self.columns = self._columns(path)
        self.text_column = text_column(str(path), self.columns, wanted)
        self._text = self.columns.index(self.text_column)

    def _columns(self, path: Path) -> list[str]:
        named = self.header.removeprefix(codecs.BOM_UTF8)
        if not named:
            raise DataError(f"{path}: the first line is empty; it must name the columns.")
        try:
            text = io.StringIO(named.decode("utf-8"), newline="")
            rows = list(csv.reader(text, delimiter=self.separator, strict=True))
            if len(rows) != 1:
                raise csv.Error("a carriage return stands in the middle of the line")
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(
                f"{path}, line 1: the names of the columns cannot be read ({printable(str(error))})."
            ) from error
        columns = [name.strip() for name in rows[0]]
        require_distinct(str(path), columns)
        return columns

    def chunks(self, start: Position, rows: int) -> Iterator[Chunk]:
        with self._file.opened(start.offset) as reading:
            chunk = Chunk(start)
            for record in _Records(reading.lines(self._end), self.separator, self.columns, start):
                chunk.size += record.size
                if record.reason:
                    chunk.bad.append(record.as_bad())
                elif reason := fault_of(record.fields[self._text], self.text_column):
                    chunk.bad.append(record.as_bad(reason))
                else:
                    chunk.texts.append(record.fields[self._text])
                    chunk.raws.append(record.raw)
                    chunk.fields.append(record.fields)
                if chunk.is_full(rows):
                    chunk.after, chunk.done = record.after, reading.raw.tell()
                    yield chunk
                    chunk = Chunk(chunk.after)
            if chunk.texts or chunk.bad:
                chunk.done = self.size
                chunk.after = record.after
                yield chunk

    def rows(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        for fields in chunk.fields:
            yield dict(zip(self.columns, fields, strict=True))

    def kinds(self) -> dict[str, str]:
        return dict.fromkeys(self.columns, "text")


class _Record:
    """Fields, or why there are none; ``raw`` as it stands in the file, ``size`` bytes there."""

    __slots__ = ("after", "fields", "place", "raw", "reason", "size")

    def __init__(
        self, place: int, raw: bytes, fields: list[str], reason: str, size: int, after: Position
    ) -> None:
        self.place, self.raw, self.fields = place, raw, fields
        self.reason, self.size, self.after = reason, size, after

    def as_bad(self, reason: str = "") -> BadRow:
        return BadRow(self.place, reason or self.reason, shown(self.raw))


class _Odd(Exception):
    """A line that no record may hold, or one too many for a record."""


class _Feed:
    """Lines as csv.reader wants them; ``taken`` are those of the record that is being read."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._returned: list[bytes] = []
        self.taken: list[bytes] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._returned.pop() if self._returned else next(self._lines)
        taken = self.taken
        taken.append(line)
        if isinstance(line, Overlong):
            raise _Odd(f"longer than {LONGEST_LINE >> 20} MiB")
        if b"\0" in line:
            raise _Odd("holds a NUL character")
        if len(taken) > 1 and (len(taken) > LONGEST_RECORD or sum(map(len, taken)) > LONGEST_LINE):
            raise _Odd(UNCLOSED)
        return line.decode("utf-8")

    def keep_first(self) -> None:
        """Gives back all lines but the record's first, to be read again."""
        self._returned.extend(reversed(self.taken[1:]))
        del self.taken[1:]


class _Records:
    """The records of the lines, one after another."""

    def __init__(
        self, lines: Iterator[bytes], separator: str, columns: list[str], start: Position
    ) -> None:
        self._feed, self._separator, self._names = _Feed(lines), separator, columns
        self._offset, self._place = start.offset, start.place
        self._told = f"the header has {len(columns)} ({listed(columns)})"

    def __iter__(self) -> Iterator[_Record]:
        feed, wanted = self._feed, len(self._names)
        reader = csv.reader(feed, delimiter=self._separator, strict=True)
        while True:
            feed.taken.clear()
            fields: list[str] = []
            try:
                fields = next(reader)
                reason = "" if len(fields) == wanted else self._misfit(len(fields))
            except StopIteration:
                return
            except (csv.Error, UnicodeDecodeError, _Odd) as error:
                reason = self._explained(error)
            if not fields and not reason:
                self._passed()  # a blank line
                continue
            if reason:
                feed.keep_first()
                reader = csv.reader(feed, delimiter=self._separator, strict=True)
                if not feed.taken[0].rstrip(b"\r\n"):
                    self._passed()
                    continue
            raw = feed.taken[0] if len(feed.taken) == 1 else b"".join(feed.taken)
            place = self._place + 1
            size = self._passed()
            yield _Record(place, raw, fields, reason, size, Position(self._offset, self._place))

    def _passed(self) -> int:
        taken = self._feed.taken
        size = size_of(taken[0]) if len(taken) == 1 else sum(map(len, taken))
        self._offset += size
        self._place += len(taken)
        return size

    def _misfit(self, found: int) -> str:
        if len(self._feed.taken) > 1:
            return UNCLOSED
        if not found:
            return ""
        return f"{found} fields where {self._told}"

    def _explained(self, error: Exception) -> str:
        taken = self._feed.taken
        if len(taken) > 1:
            return UNCLOSED
        if isinstance(error, UnicodeDecodeError):
            return f"not UTF-8: byte {taken[0][error.start]:#04x} at {error.start + 1}"
        if isinstance(error, csv.Error):
            # Without a quote there is one thing that csv can object to.
            return (
                UNCLOSED
                if b'"' in taken[0]
                else "a carriage return stands in the middle of the line"
            )
        return str(error)
