"""A user's own file -> labelled texts. Bad rows are set aside with their reason, never lost."""

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sentilab import atomic
from sentilab.data.dataset import Dataset, Rejected, fingerprint_of
from sentilab.data.forms import BadRow, Row, open_records
from sentilab.errors import DataError, DataNotFound
from sentilab.readable import listed, printable

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


def read_file(path: Path, reading: Reading | None = None) -> Dataset:
    """Reads CSV, TSV, JSON Lines or Parquet, by the file's ending.

    Raises DataNotFound if there is no such file; DataError, naming it and what to do, for a form or
    columns that are not known, for fewer than two labels, and for a share of bad rows above
    ``reading.max_rejected``.
    """
    reading = reading or Reading()
    if not path.exists():
        raise DataNotFound(
            f'{path}: there is no such file, and no data called so but "imdb" and "generated".'
        )
    if path.is_dir():
        raise DataError(f"{path}: a folder; name one file in it.")
    columns, records, place = open_records(path, reading.separator)
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
    rejected = set_aside(path, bad, len(good) + len(bad), reading, place)
    if not good:
        raise DataError(f"{path}: no usable rows were found.")

    names = _label_names(path, label, [row[1] for row in good])
    number_of = {name: number for number, name in enumerate(names)}
    texts = [row[0] for row in good]
    labels = np.asarray([number_of[row[1]] for row in good], np.int64)
    splits = np.asarray([row[2] for row in good]) if split else None
    if splits is not None and set(splits) != {"train", "test"}:
        found = ", ".join(sorted({f'"{printable(one)}"' for one in splits})[:SHOWN])
        notices.append(
            f'The column "{printable(str(split))}" is ignored: it must hold "train" and "test", here it holds {found}.'
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


def _columns(path: Path, columns: list[str], reading: Reading) -> tuple[str, str, list[str]]:
    """(text column, label column, what was guessed)."""
    for option, wanted in (
        ("--text-column", reading.text_column),
        ("--label-column", reading.label_column),
    ):
        if wanted is not None and wanted not in columns:
            raise DataError(
                f'{path}: there is no column "{wanted}" ({option}); there are '
                + listed(columns)
                + "."
            )
    text = reading.text_column or guessed(columns, TEXT_NAMES, reading.label_column)
    label = reading.label_column or guessed(columns, LABEL_NAMES, text)
    if len(columns) == 2 and (text is None) != (label is None):
        other = next(name for name in columns if name != (text or label))
        text, label = text or other, label or other
    if text is None or label is None or text == label:
        raise DataError(
            f"{path}: cannot tell which columns hold texts and labels; there are "
            + listed(columns)
            + ".\n  Name them: --text-column NAME --label-column NAME."
        )
    notices = []
    if reading.text_column is None or reading.label_column is None:
        notices.append(
            f'Texts are taken from the column "{printable(text)}", labels from "{printable(label)}" '
            "(guessed)."
        )
    return text, label, notices


def guessed(columns: list[str], names: list[str], taken: str | None = None) -> str | None:
    """The column that is called as the first of ``names`` that any is called; None if none is."""
    by_name = {name.strip().lower(): name for name in reversed(columns) if name != taken}
    return next((by_name[name] for name in names if name in by_name), None)


def _check(row: Row, text: str, label: str) -> tuple[str, str] | BadRow:
    """(text, label), or what is wrong with the row."""
    content = checked_text(row, text)
    if isinstance(content, BadRow):
        return content
    name = _label(row.fields.get(label))
    if name is None:
        return BadRow(row.line, f'no label: "{label}" is missing or empty', row.raw)
    if not _is_unicode(name):
        return BadRow(row.line, "the label holds half a character (a lone surrogate)", row.raw)
    return content, name


def checked_text(row: Row, column: str) -> str | BadRow:
    """The text in ``column``, or what is wrong with it."""
    content = row.fields.get(column)
    if content is None:
        return BadRow(row.line, f'no text: "{column}" is missing', row.raw)
    if not isinstance(content, str):
        return BadRow(row.line, f'"{column}" is {type(content).__name__}, not text', row.raw)
    if not content.strip():
        return BadRow(row.line, "empty text", row.raw)
    if not _is_unicode(content):
        return BadRow(row.line, "the text holds half a character (a lone surrogate)", row.raw)
    return content


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
    shown = ", ".join(f'"{printable(name)}"' for name in sorted(distinct)[:SHOWN])
    if len(distinct) < 2:
        raise DataError(
            f'{path}: the column "{printable(column)}" holds one label only ({shown}); two are needed.'
        )
    if len(distinct) > MOST_LABELS:
        raise DataError(
            f'{path}: the column "{printable(column)}" holds {len(distinct):,} different values ({shown}, ...), '
            "which are no labels. Name another: --label-column NAME."
        )
    by_name = sorted(distinct)
    try:
        numbers = [float(name) for name in by_name]
    except ValueError:
        return tuple(by_name)
    # NaN has no place in an order.
    return tuple(by_name if any(map(math.isnan, numbers)) else sorted(by_name, key=float))


def set_aside(path: Path, bad: list[BadRow], total: int, reading: Reading, place: str) -> Rejected:
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
