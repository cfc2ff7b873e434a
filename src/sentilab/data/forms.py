"""The forms that a user's file may have -> records, each with its place in the file.

CSV and TSV are read line by line, so that a stray quote or an undecodable byte costs its own line
and no other.
"""

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentilab.errors import DataError
from sentilab.readable import listed, printable
from sentilab.tables import read_table

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
# A quoted text may span lines; what spans more is a quote that was never closed.
LONGEST_RECORD = 500


@dataclass(frozen=True)
class Row:
    """A record by column, where it begins (line, or row of a Parquet table), and what it was."""

    line: int
    fields: dict[str, object]
    raw: str


@dataclass(frozen=True)
class BadRow:
    """A record set aside."""

    line: int
    reason: str
    raw: str


Records = Iterator[Row | BadRow]
Repeated = set[tuple[str, object]]


def open_records(path: Path, separator: str | None) -> tuple[list[str], Records, str]:
    """(columns, records, what a record's number counts) of the file at ``path``, by its ending.

    Raises DataError if its form is not known, or its columns cannot be read.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        return *_parquet(path), "row"
    if ending in JSON_LINES:
        return *_json_lines(path), "line"
    if ending in SEPARATORS or separator:
        separator = separator or SEPARATORS[ending]
        separator = "\t" if separator in ("\\t", "tab") else separator
        if len(separator) != 1 or separator in '"\r\n':
            raise DataError(f'The separator must be one character, not "{separator}".')
        return *_separated(path, separator), "line"
    raise DataError(
        f'{path}: files ending in "{ending}" are not known. Known are .csv, .tsv, .jsonl and .parquet; '
        "for other texts with columns name the --separator."
    )


def _separated(path: Path, separator: str) -> tuple[list[str], Records]:
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path}: encoded as UTF-16; save it as UTF-8.")
    # Old spreadsheets end lines with a carriage return alone.
    lines = content.split(b"\n" if b"\n" in content else b"\r")
    if lines[-1] == b"":
        lines.pop()
    if not lines:
        raise DataError(f"{path}: the file is empty; its first line must name the columns.")
    try:
        header = _parsed(lines[0].decode("utf-8").rstrip("\r"), separator)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}, line 1: the names of the columns cannot be read ({printable(str(error))})."
        ) from error
    columns = [name.strip() for name in header]
    _distinct(path, columns)
    return columns, _separated_records(lines, columns, separator)


def _separated_records(lines: list[bytes], columns: list[str], separator: str) -> Records:
    records = list(_records_as_they_stand(lines, columns, separator, None))
    if any(isinstance(one, BadRow) for one in records):
        records = list(_records_as_they_stand(lines, columns, separator, _repeated_values(records)))
    return iter(records)


def _records_as_they_stand(
    lines: list[bytes], columns: list[str], separator: str, repeated: Repeated | None
) -> Records:
    told, at = f"the header has {len(columns)} ({listed(columns)})", 1
    while at < len(lines):
        record, used = _record_at(lines, at, columns, told, separator)
        if repeated and isinstance(record, Row) and used > 2:
            inside = lines[at + 1 : at + used - 1]
            if any(_is_record_of_its_own(line, columns, separator, repeated) for line in inside):
                record, used = _unclosed(at + 1, lines[at]), 1
        if record is not None:
            yield record
        at += used


def _repeated_values(records: list[Row | BadRow]) -> Repeated:
    """(column, value) wherever at least two records of one line share it, as they do a label."""
    counts = Counter(
        item
        for record in records
        if isinstance(record, Row) and "\n" not in record.raw
        for item in record.fields.items()
    )
    return {item for item, count in counts.items() if count > 1 and item[1]}


def _is_record_of_its_own(
    line: bytes, columns: list[str], separator: str, repeated: Repeated
) -> bool:
    """Whether a line that stands inside quotes is more likely one that a stray quote swallowed.

    Asked only in a file that has faults: one without is read as CSV has it, whatever it holds.
    """
    try:
        fields = _parsed(line.decode("utf-8").rstrip("\r"), separator)
    except (UnicodeDecodeError, csv.Error):
        return False
    return len(fields) == len(columns) and not repeated.isdisjoint(
        zip(columns, fields, strict=True)
    )


def _unclosed(number: int, line: bytes) -> BadRow:
    reason = "a quote is opened and not closed, or closed before the field ends"
    return BadRow(number, reason, _shown(line))


def _shown(line: bytes) -> str:
    """The line as text, with each byte that is not UTF-8 spelt out in hexadecimal."""
    return line.decode("utf-8", "backslashreplace").rstrip("\r\n")


def _record_at(
    lines: list[bytes], at: int, columns: list[str], told: str, separator: str
) -> tuple[Row | BadRow | None, int]:
    """The record that begins in line ``at`` (from 0) and how many lines it took.

    ``told`` is what an error says of the header.
    """
    number = at + 1
    raw = _shown(lines[at])
    if not raw:
        return None, 1
    gathered = ""
    is_open = False
    for used, line in enumerate(lines[at : at + LONGEST_RECORD], start=1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            if used == 1:
                byte = line[error.start]
                return BadRow(number, f"not UTF-8: byte {byte:#04x} at {error.start + 1}", raw), 1
            break
        if "\0" in text:
            if used == 1:
                return BadRow(number, "holds a NUL character", raw), 1
            break
        is_open = _leaves_quote_open(text.rstrip("\r"), separator, is_open)
        if is_open:
            gathered += text + "\n"
            continue
        gathered += text.rstrip("\r")
        try:
            fields = _parsed(gathered, separator)
        except csv.Error as error:
            if used == 1 and '"' not in raw:
                return BadRow(number, str(error), raw), 1
            break
        if len(fields) == len(columns):
            return Row(number, dict(zip(columns, fields, strict=True)), gathered), used
        if used == 1:
            reason = f"{len(fields)} fields where {told}"
            return BadRow(number, reason, raw), 1
        break
    # What was gathered makes no record: the quote is a stray one, and only its own line is lost.
    return _unclosed(number, lines[at]), 1


def _leaves_quote_open(line: str, separator: str, is_open: bool) -> bool:
    """Whether a quoted field is open at the line's end. A quote opens only where a field begins."""
    if '"' not in line:
        return is_open
    at, begins = 0, not is_open
    while at < len(line):
        character = line[at]
        if is_open:
            if character == '"':
                if line[at + 1 : at + 2] == '"':
                    at += 1
                else:
                    is_open = False
        elif character == separator:
            begins = True
            at += 1
            continue
        elif character == '"' and begins:
            is_open = True
        begins = False
        at += 1
    return is_open


def _parsed(record: str, separator: str) -> list[str]:
    csv.field_size_limit(2**31 - 1)
    rows = list(csv.reader(io.StringIO(record, newline=""), delimiter=separator, strict=True))
    if len(rows) > 1:
        raise csv.Error("a carriage return stands in the middle of the line")
    return rows[0] if rows else []


def _json_lines(path: Path) -> tuple[list[str], Records]:
    def records() -> Records:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                raw = _shown(line)
                try:
                    content = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except UnicodeDecodeError as error:
                    yield BadRow(number, f"not UTF-8 at byte {error.start + 1}", raw)
                except (ValueError, RecursionError) as error:
                    yield BadRow(number, f"not JSON: {printable(str(error))}", raw)
                else:
                    if isinstance(content, dict):
                        yield Row(number, content, raw)
                    else:
                        yield BadRow(number, "not a JSON object, as in {...}", raw)

    columns: dict[str, None] = {}
    for record in records():
        if isinstance(record, Row):
            columns.update(dict.fromkeys(record.fields))
    if not columns:
        raise DataError(f"{path}: no line of it holds a JSON object.")
    return list(columns), records()


def _parquet(path: Path) -> tuple[list[str], Records]:
    try:
        table = read_table(path)
    except ValueError as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}).") from error
    _distinct(path, table.column_names)

    def records() -> Records:
        number = 0
        for batch in table.to_batches(max_chunksize=4096):
            try:
                rows = batch.to_pylist()
            # Times that Python has no words for, and the like.
            except (ValueError, OverflowError, LookupError) as error:
                raise DataError(
                    f"{path}, rows from {number + 1}: a value cannot be read "
                    f"({printable(str(error))}); leave out its column."
                ) from error
            for fields in rows:
                number += 1
                yield Row(number, fields, json.dumps(fields, default=str, ensure_ascii=False))

    return list(table.column_names), records()


def _distinct(path: Path, columns: Sequence[str]) -> None:
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        raise DataError(
            f'{path}: two columns are named "{printable(repeated[0])}"; rename one of them.'
        )
