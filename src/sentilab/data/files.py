"""A user's own file -> labelled texts. Bad rows are set aside with their reason, never lost.

CSV and TSV are read line by line, so that a stray quote or an undecodable byte costs its own line
and no other.
"""

import codecs
import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sentilab import atomic
from sentilab.data.dataset import Dataset, Rejected, fingerprint_of
from sentilab.errors import DataError

TEXT_NAMES = [
    "text",
    "texts",
    "review",
    "reviews",
    "sentence",
    "content",
    "body",
    "comment",
    "message",
    "document",
    "tweet",
    "phrase",
]
LABEL_NAMES = [
    "label",
    "labels",
    "sentiment",
    "class",
    "category",
    "target",
    "polarity",
    "rating",
    "stars",
    "y",
]
SPLIT_NAMES = ("split",)
SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
# A quoted text may span lines; what spans more is a quote that was never closed.
LONGEST_RECORD = 500
MOST_LABELS = 200
SHOWN = 5


@dataclass(frozen=True)
class Reading:
    """How to read a file; None means: guess, and say so."""

    text_column: str | None = None
    label_column: str | None = None
    separator: str | None = None
    max_rejected: float = 0.05
    rejected_folder: Path | None = None


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


def read_file(path: Path, reading: Reading | None = None) -> Dataset:
    """Reads CSV, TSV, JSON Lines or Parquet, by the file's ending.

    Raises DataError naming the file and what to do: for a form or columns that are not known, for
    fewer than two labels, and for a share of bad rows above ``reading.max_rejected``.
    """
    reading = reading or Reading()
    if not path.exists():
        raise DataError(
            f'{path}: there is no such file, and no data called so but "imdb" and "generated".'
        )
    if path.is_dir():
        raise DataError(f"{path}: a folder; name one file in it.")
    columns, records, place = _open(path, reading)
    text, label, notices = _columns(path, columns, reading)
    split = next((one for one in columns if one.lower() in SPLIT_NAMES), None)

    good: list[tuple[str, str, str]] = []
    lines: list[int] = []
    bad: list[BadRow] = []
    for record in records:
        checked = _check(record, text, label) if isinstance(record, Row) else record
        if isinstance(checked, BadRow):
            bad.append(checked)
            continue
        assert isinstance(record, Row)
        official = str(record.fields.get(split, "")).strip().lower() if split else ""
        good.append((checked[0], checked[1], official))
        lines.append(record.line)
    rejected = _set_aside(path, bad, len(good) + len(bad), reading, place)
    if not good:
        raise DataError(f"{path}: no usable rows were found.")

    names = _label_names(path, label, [row[1] for row in good])
    number_of = {name: number for number, name in enumerate(names)}
    texts = [row[0] for row in good]
    labels = np.asarray([number_of[row[1]] for row in good], np.int64)
    splits = np.asarray([row[2] for row in good]) if split else None
    if splits is not None and set(splits) != {"train", "test"}:
        found = ", ".join(sorted({f'"{one}"' for one in splits})[:SHOWN])
        notices.append(
            f'The column "{split}" is ignored: it must hold "train" and "test", here it holds {found}.'
        )
        splits = None
    return Dataset(
        name=path.stem,
        origin=path.name,
        fingerprint=fingerprint_of(texts, labels, names, splits),
        ids=[f"{place}/{line}" for line in lines],
        texts=texts,
        labels=labels,
        label_names=names,
        splits=splits,
        rejected=rejected,
        notices=tuple(notices),
    )


def _open(path: Path, reading: Reading) -> tuple[list[str], Records, str]:
    """(columns, records, what a record's number counts)."""
    ending = path.suffix.lower()
    if ending == ".parquet":
        return *_parquet(path), "row"
    if ending in JSON_LINES:
        return *_json_lines(path), "line"
    if ending in SEPARATORS or reading.separator:
        separator = reading.separator or SEPARATORS[ending]
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
            f"{path}, line 1: the names of the columns cannot be read ({error})."
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
    at = 1
    while at < len(lines):
        record, used = _record_at(lines, at, columns, separator)
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
    lines: list[bytes], at: int, columns: list[str], separator: str
) -> tuple[Row | BadRow | None, int]:
    """The record that begins in line ``at`` (from 0) and how many lines it took."""
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
            names = ", ".join(f'"{name}"' for name in columns)
            reason = f"{len(fields)} fields where the header has {len(columns)} ({names})"
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
                    yield BadRow(number, f"not JSON: {error}", raw)
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
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}).") from error
    _distinct(path, table.column_names)

    def records() -> Records:
        number = 0
        for batch in table.to_batches(max_chunksize=4096):
            for fields in batch.to_pylist():
                number += 1
                yield Row(number, fields, json.dumps(fields, default=str, ensure_ascii=False))

    return list(table.column_names), records()


def _distinct(path: Path, columns: Sequence[str]) -> None:
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        raise DataError(f'{path}: two columns are named "{repeated[0]}"; rename one of them.')


def _columns(path: Path, columns: list[str], reading: Reading) -> tuple[str, str, list[str]]:
    """(text column, label column, what was guessed)."""
    for option, wanted in (
        ("--text-column", reading.text_column),
        ("--label-column", reading.label_column),
    ):
        if wanted is not None and wanted not in columns:
            raise DataError(
                f'{path}: there is no column "{wanted}" ({option}); there are '
                + ", ".join(f'"{name}"' for name in columns)
                + "."
            )
    text = reading.text_column or _guess(columns, TEXT_NAMES, reading.label_column)
    label = reading.label_column or _guess(columns, LABEL_NAMES, text)
    if len(columns) == 2 and (text is None) != (label is None):
        other = next(name for name in columns if name != (text or label))
        text, label = text or other, label or other
    if text is None or label is None or text == label:
        raise DataError(
            f"{path}: cannot tell which columns hold texts and labels; there are "
            + ", ".join(f'"{name}"' for name in columns)
            + ".\n  Name them: --text-column NAME --label-column NAME."
        )
    notices = []
    if reading.text_column is None or reading.label_column is None:
        notices.append(
            f'Texts are taken from the column "{text}", labels from "{label}" (guessed).'
        )
    return text, label, notices


def _guess(columns: list[str], names: list[str], taken: str | None) -> str | None:
    by_name = {name.strip().lower(): name for name in reversed(columns) if name != taken}
    return next((by_name[name] for name in names if name in by_name), None)


def _check(row: Row, text: str, label: str) -> tuple[str, str] | BadRow:
    """(text, label), or what is wrong with the row."""
    content, answer = row.fields.get(text), row.fields.get(label)
    if content is None:
        return BadRow(row.line, f'no text: "{text}" is missing', row.raw)
    if not isinstance(content, str):
        return BadRow(row.line, f'"{text}" is {type(content).__name__}, not text', row.raw)
    if not content.strip():
        return BadRow(row.line, "empty text", row.raw)
    if not _is_unicode(content):
        return BadRow(row.line, "the text holds half a character (a lone surrogate)", row.raw)
    name = _label(answer)
    if name is None:
        return BadRow(row.line, f'no label: "{label}" is missing or empty', row.raw)
    if not _is_unicode(name):
        return BadRow(row.line, "the label holds half a character (a lone surrogate)", row.raw)
    return content, name


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold it; JSON can escape half of a pair of surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _label(answer: object) -> str | None:
    """A label as a word: 1, 1.0 and "1" are one label."""
    if isinstance(answer, float):
        if not math.isfinite(answer):
            return None
        answer = int(answer) if answer.is_integer() else answer
    if answer is None or isinstance(answer, dict | list):
        return None
    return str(answer).strip() or None


def _label_names(path: Path, column: str, labels: list[str]) -> tuple[str, ...]:
    distinct = set(labels)
    shown = ", ".join(f'"{name}"' for name in sorted(distinct)[:SHOWN])
    if len(distinct) < 2:
        raise DataError(
            f'{path}: the column "{column}" holds one label only ({shown}); two are needed.'
        )
    if len(distinct) > MOST_LABELS:
        raise DataError(
            f'{path}: the column "{column}" holds {len(distinct):,} different values ({shown}, ...), '
            "which are no labels. Name another: --label-column NAME."
        )
    by_name = sorted(distinct)
    try:
        numbers = [float(name) for name in by_name]
    except ValueError:
        return tuple(by_name)
    # NaN has no place in an order.
    return tuple(by_name if any(map(math.isnan, numbers)) else sorted(by_name, key=float))


def _set_aside(path: Path, bad: list[BadRow], total: int, reading: Reading, place: str) -> Rejected:
    """Lists the bad rows in <stem>.rejected.csv; raises DataError if they are too many."""
    if not bad:
        return Rejected(0, total, None)
    listed = (reading.rejected_folder or path.parent) / f"{path.stem}.rejected.csv"
    content = io.StringIO(newline="")
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow((place, "reason", "content"))
    writer.writerows((one.line, one.reason, one.raw) for one in bad)
    try:
        atomic.write_bytes(listed, content.getvalue().encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise DataError(
            f"{path}: {len(bad):,} rows cannot be used, and the list of them cannot be written to "
            f"{listed} ({error.strerror}).\n  Have it written elsewhere: --rejected-folder FOLDER."
        ) from error
    if len(bad) > reading.max_rejected * total:
        first = "\n".join(f"    {place} {one.line}: {one.reason}" for one in bad[:SHOWN])
        raise DataError(
            f"{path}: {len(bad):,} of {total:,} rows cannot be used ({len(bad) / total:.1%}; "
            f"{reading.max_rejected:.0%} are allowed).\n{first}\n"
            f"  All are listed in {listed}. Mend them, or allow more by --max-rejected."
        )
    return Rejected(len(bad), total, listed)
