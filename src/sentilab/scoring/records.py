"""What flows through a scoring job: rows in chunks, each with its place in the file."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sentilab.errors import DataError, SettingsError
from sentilab.readable import listed, printable

# A chunk is what is computed, written and committed at once. Where it ends hangs on the file alone
# and not on where a job was interrupted: the bits of a probability may differ with the rows that
# are computed beside it.
CHUNK_ROWS = 2048
CHUNK_BYTES = 16 << 20

# What a list of rejected rows shows of each.
SHOWN_OF_RAW = 500

TEXT_NAMES = (
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
)


@dataclass(frozen=True)
class Position:
    """Where to go on reading: bytes of the unpacked file and lines before it (rows of a table)."""

    offset: int
    place: int


@dataclass(frozen=True)
class BadRow:
    """A row set aside: its line (or row), why, and how it begins."""

    place: int
    reason: str
    raw: str


@dataclass
class Chunk:
    """Some rows that follow one another, and where the next chunk begins.

    ``texts`` has one text a row, in the file's order; ``raws`` the rows as they stand in a file of
    lines; ``fields`` what was read from them, in the source's own form; ``batches`` a table's rows.
    ``done`` is how far the file itself has been read, in the unit of ``Source.size``.
    """

    after: Position
    texts: list[str] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    fields: list[Any] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    batches: list[Any] = field(default_factory=list)
    done: int = 0
    size: int = 0

    def is_full(self, rows: int) -> bool:
        return len(self.texts) + len(self.bad) >= rows or self.size >= CHUNK_BYTES


class Source(Protocol):
    """A file of texts. ``unit`` says what a row's place counts ("line", "row"); ``size`` is what
    ``Chunk.done`` goes up to, or 0 where that is not known.
    """

    path: Path
    unit: str
    columns: list[str]
    text_column: str
    start: Position
    size: int

    def chunks(self, start: Position, rows: int) -> Iterator[Chunk]:
        """The chunks from ``start`` on, of ``rows`` rows each; raises DataError if it is damaged."""

    def rows(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        """The chunk's good rows by column."""

    def kinds(self) -> dict[str, str]:
        """What each column holds: "text", "integer", "number", "truth" or "mixed"."""


def fault_of(text: object, column: str) -> str:
    """Why ``text`` cannot be scored, or nothing."""
    if text is None:
        return f'no text: "{column}" is missing'
    if not isinstance(text, str):
        return f'"{column}" is {type(text).__name__}, not text'
    if not text or text.isspace():
        return "empty text"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # JSON can escape half of a pair
            return "the text holds half a character (a lone surrogate)"
    return ""


def text_column(where: str, columns: list[str], wanted: str | None) -> str:
    """The column that holds the texts: the one asked for, or the likeliest by its name.

    Raises SettingsError if there is none such, or it cannot be told.
    """
    there = listed(columns)
    if wanted is not None:
        if wanted not in columns:
            raise SettingsError(
                f'{where}: there is no column "{wanted}" (--text-column); there are {there}.'
            )
        return wanted
    if len(columns) == 1:
        return columns[0]
    by_name = {name.strip().lower(): name for name in reversed(columns)}
    for name in TEXT_NAMES:
        if name in by_name:
            return by_name[name]
    raise SettingsError(
        f"{where}: cannot tell which column holds the texts; there are {there}.\n"
        "  Name it: --text-column NAME."
    )


def require_distinct(where: str, columns: list[str]) -> None:
    """Raises DataError if two columns have one name."""
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        raise DataError(
            f'{where}: two columns are named "{printable(repeated[0])}"; rename one of them.'
        )


def shown(raw: bytes) -> str:
    """How a row begins, each byte that is not UTF-8 spelt out in hexadecimal."""
    # Four bytes a character at most, so that what is cut off is beyond what is shown.
    start = raw[: 4 * SHOWN_OF_RAW].decode("utf-8", "backslashreplace").rstrip("\r\n")
    return start[:SHOWN_OF_RAW]
