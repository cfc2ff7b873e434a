"""Texts that nobody has labelled: IMDB's own, or those of a user's file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sentilab.data.dataset import ArrowTexts, Rejected, fingerprint_of
from sentilab.data.files import TEXT_NAMES, Reading, checked_text, guessed, set_aside
from sentilab.data.forms import BadRow, Records, Row, open_records
from sentilab.data.imdb import read_review, require_texts
from sentilab.data.sources import places
from sentilab.errors import DataError, DataNotFound
from sentilab.readable import listed, printable
from sentilab.tables import read_table

PARQUET = "imdb-unlabelled.parquet"
FOLDER = Path("train", "unsup")

NONE_REJECTED = Rejected(0, 0, None)


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Texts without labels.

    ``name`` is "imdb" or the file's, without its ending. ``fingerprint`` (hex SHA-256) is equal for
    equal texts in the same order. Texts that repeat one of a labelled data set's are among them: who
    trains on them leaves those out.
    """

    name: str
    origin: str
    fingerprint: str
    texts: Sequence[str]
    rejected: Rejected = NONE_REJECTED
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)


def unlabelled(
    name_or_path: str | Path = "imdb",
    *,
    data: Path | str | None = None,
    text_column: str | None = None,
    separator: str | None = None,
    max_rejected: float = 0.05,
    rejected_folder: Path | None = None,
) -> Unlabelled:
    """Loads "imdb", the unlabelled IMDB reviews, or a file of the user's own.

    The reviews are looked for where the labelled ones are (``data`` names one place alone), as
    imdb-unlabelled.parquet or as the folder train/unsup of aclImdb. A file is read as a labelled one
    is (CSV, TSV, JSON Lines, Parquet), with ``text_column`` guessed by its name, or, if its name ends
    in .txt, as one text a line. The other arguments are as for ``load``.

    Raises DataNotFound, naming every place looked at, or DataError if the texts cannot be used.
    """
    if name_or_path == "imdb":
        return _imdb(Path(data) if data else None)
    reading = Reading(text_column, None, separator, max_rejected, rejected_folder)
    return _file(Path(name_or_path), reading)


def _imdb(data: Path | None) -> Unlabelled:
    looked_at = []
    for what, place in places(data):
        # The place may be the labelled reviews' own file.
        inside = place.parent if place.is_file() else place
        parquet = inside / PARQUET
        if parquet.is_file():
            return _made("imdb", parquet.name, _texts_of_parquet(parquet))
        for folder in (inside / FOLDER, inside / "aclImdb" / FOLDER):
            if folder.is_dir():
                return _made("imdb", str(FOLDER), _texts_of_folder(folder))
        looked_at.append(f"  {what}: {inside.absolute()}")
    raise DataNotFound(
        f"The unlabelled IMDB reviews were not found: neither {PARQUET} nor {FOLDER}.\n"
        "Looked at, in order:\n"
        + "\n".join(looked_at)
        + "\nThe released archive aclImdb_v1.tar.gz holds them: unpack it in one of these places, or "
        "name the place:\nSENTILAB_DATA=PATH in the environment."
    )


def _texts_of_parquet(path: Path) -> ArrowTexts:
    import pyarrow as pa

    try:
        table = read_table(path, ["id", "text"]).sort_by("id")
        require_texts(table)
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"{path}: not the unlabelled reviews ({printable(str(error))}); fetch it again."
        ) from error
    if table["text"].null_count:
        raise DataError(f"{path}: a text is missing; fetch it again.")
    return ArrowTexts(table["text"])


def _texts_of_folder(folder: Path) -> list[str]:
    files = [one for one in folder.glob("*_0.txt") if one.stem[:-2].isdecimal()]
    try:
        return [read_review(one) for one in sorted(files, key=lambda one: int(one.stem[:-2]))]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}).") from error


def _file(path: Path, reading: Reading) -> Unlabelled:
    if not path.exists():
        raise DataNotFound(f'{path}: there is no such file, and no unlabelled texts but "imdb".')
    if path.is_dir():
        raise DataError(f"{path}: a folder; name one file in it.")
    plain = path.suffix.lower() == ".txt"
    columns, records, place = _lines(path) if plain else open_records(path, reading.separator)
    column, notices = _text_column(path, columns, reading)
    texts: list[str] = []
    bad: list[BadRow] = []
    for record in records:
        text = checked_text(record, column) if isinstance(record, Row) else record
        if isinstance(text, BadRow):
            bad.append(text)
        else:
            texts.append(text)
    rejected = set_aside(path, bad, len(texts) + len(bad), reading, place)
    made = _made(path.stem, path.name, texts)
    return replace(made, rejected=rejected, notices=notices)


def _made(name: str, origin: str, texts: Sequence[str]) -> Unlabelled:
    if not len(texts):
        raise DataError(f"{origin}: there are no texts in it.")
    return Unlabelled(name, origin, fingerprint_of(texts, np.zeros(0, np.int64), (), None), texts)


def _lines(path: Path) -> tuple[list[str], Records, str]:
    def records() -> Records:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    shown = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
                    yield BadRow(number, f"not UTF-8 at byte {error.start + 1}", shown)
                else:
                    yield Row(number, {"text": text}, text)

    return ["text"], records(), "line"


def _text_column(path: Path, columns: list[str], reading: Reading) -> tuple[str, tuple[str, ...]]:
    """(the column of texts, what was guessed)."""
    wanted = reading.text_column
    there = listed(columns)
    if wanted is not None:
        if wanted not in columns:
            raise DataError(f'{path}: there is no column "{wanted}"; there are {there}.')
        return wanted, ()
    if len(columns) == 1:
        return columns[0], ()
    column = guessed(columns, TEXT_NAMES)
    if column is None:
        raise DataError(
            f"{path}: cannot tell which column holds the texts; there are {there}.\n  Call it text."
        )
    return column, (f'Unlabelled texts are taken from the column "{printable(column)}" (guessed).',)
