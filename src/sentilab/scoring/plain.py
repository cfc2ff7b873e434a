"""JSON Lines and plain lines, streamed."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sentilab.errors import DataError, SettingsError
from sentilab.readable import printable
from sentilab.scoring.lines import LONGEST_LINE, File, Overlong, size_of
from sentilab.scoring.records import (
    CHUNK_ROWS,
    BadRow,
    Chunk,
    Position,
    fault_of,
    shown,
    text_column,
)


class _Lines:
    """What both have in common: a line is a row, and a blank one is none."""

    unit = "line"
    start = Position(0, 0)

    def __init__(self, path: Path, packed: bool) -> None:
        self.path = path
        self._file = File(path, packed)
        self.size = path.stat().st_size if path.exists() else 0
        if self._file.head(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise DataError(f"{path}: encoded as UTF-16; save it as UTF-8.")

    def chunks(self, start: Position, rows: int) -> Iterator[Chunk]:
        offset, place = start.offset, start.place
        with self._file.opened(offset) as reading:
            chunk = Chunk(start)
            for line in reading.lines():
                size = size_of(line)
                offset, place = offset + size, place + 1
                if place == 1 and not isinstance(line, Overlong):
                    line = line.removeprefix(codecs.BOM_UTF8)
                if not line.isspace() and line:
                    chunk.size += size
                    reason = self._take(line, place, chunk)
                    if reason:
                        chunk.bad.append(BadRow(place, reason, shown(line)))
                if chunk.is_full(rows):
                    chunk.after, chunk.done = Position(offset, place), reading.raw.tell()
                    yield chunk
                    chunk = Chunk(chunk.after)
            if chunk.size:
                chunk.after, chunk.done = Position(offset, place), self.size
                yield chunk

    def _take(self, line: bytes, place: int, chunk: Chunk) -> str:
        """Adds the row to the chunk, or says why not."""
        if isinstance(line, Overlong):
            return f"longer than {LONGEST_LINE >> 20} MiB"
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            return f"not UTF-8: byte {line[error.start]:#04x} at {error.start + 1}"
        return self._take_text(text, place, line, chunk)

    def _take_text(self, text: str, place: int, line: bytes, chunk: Chunk) -> str:
        raise NotImplementedError


class PlainLines(_Lines):
    """Each line is a text."""

    def __init__(self, path: Path, packed: bool, wanted: str | None) -> None:
        super().__init__(path, packed)
        self.columns = ["text"]
        self.text_column = text_column(str(path), self.columns, wanted)

    def _take_text(self, text: str, place: int, line: bytes, chunk: Chunk) -> str:
        text = text.rstrip("\r\n")
        reason = fault_of(text, "text")
        if not reason:
            chunk.texts.append(text)
            chunk.raws.append(line)
        return reason

    def rows(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        for text in chunk.texts:
            yield {"text": text}

    def kinds(self) -> dict[str, str]:
        return {"text": "text"}


class JsonLines(_Lines):
    """Each line is a JSON object. ``columns`` are the names in the first few thousand."""

    def __init__(
        self, path: Path, packed: bool, wanted: str | None, taken: tuple[str, ...]
    ) -> None:
        """``taken`` are names that no object may have.

        Raises DataError if no line holds an object, SettingsError if no column can be the texts.
        """
        super().__init__(path, packed)
        self._decode = json.JSONDecoder().decode
        self._taken = taken
        self.text_column = ""
        first = next(self.chunks(self.start, CHUNK_ROWS), None)
        self.columns = (
            list(dict.fromkeys(name for one in first.fields for name in one)) if first else []
        )
        if not self.columns:
            raise DataError(f"{path}: no line at its beginning holds a JSON object.")
        self.text_column = text_column(str(path), self.columns, wanted)

    def _take_text(self, text: str, place: int, line: bytes, chunk: Chunk) -> str:
        try:
            content = self._decode(text)
        except (ValueError, RecursionError) as error:
            return f"not JSON: {printable(str(error))}"
        if not isinstance(content, dict):
            return "not a JSON object, as in {...}"
        for name in self._taken:
            if name in content:
                raise SettingsError(
                    f'{self.path}, line {place}: the row has a "{name}" already, which an answer '
                    "would be called.\n  Have the answers' names begin otherwise: --prefix predicted_"
                )
        if self.text_column:  # not while it is being looked for
            found: Any = content.get(self.text_column)
            reason = fault_of(found, self.text_column)
            if reason:
                return reason
            chunk.texts.append(found)
            chunk.raws.append(line)
        chunk.fields.append(content)
        return ""

    def rows(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        yield from chunk.fields

    def kinds(self) -> dict[str, str]:
        """Reads the whole file: what a table needs to know before its first row."""
        kinds: dict[str, str] = {}
        for chunk in self.chunks(self.start, CHUNK_ROWS):
            for row in chunk.fields:
                for name, value in row.items():
                    kinds[name] = _joined(kinds.get(name), value)
        return kinds or dict.fromkeys(self.columns, "text")


def _joined(kind: str | None, value: object) -> str:
    """What a column holds that has held ``kind`` so far."""
    if value is None:
        return kind or "empty"
    if isinstance(value, bool):
        found = "truth"
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        found = "integer"
    elif isinstance(value, float):
        found = "number"
    else:
        found = "text" if isinstance(value, str) else "mixed"
    if kind in (None, "empty", found):
        return found
    return "number" if {kind, found} == {"integer", "number"} else "mixed"
