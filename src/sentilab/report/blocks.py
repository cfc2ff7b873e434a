"""What a report is made of. The page and the Markdown file are two renderings of the same blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Paragraph:
    """Plain text; ``kind`` is "text", "answer" (the measured one), "asked", "notebook" or "warning"."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """Rows of cells; ``numeric`` names the columns that are set flush right."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[str] = frozenset()

    def without_empty_columns(self) -> "Table":
        """The same less the columns in which no row says anything."""
        kept = [at for at in range(len(self.columns)) if any(row[at] for row in self.rows)]
        rows = [tuple(row[at] for at in kept) for row in self.rows]
        return replace(self, columns=tuple(self.columns[at] for at in kept), rows=rows)


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite specification; ``description`` says in words what it shows."""

    spec: dict[str, Any]
    description: str
    title: str = ""


@dataclass(frozen=True)
class Charts:
    """Charts side by side, as many as there is room for."""

    charts: Sequence[Chart]


@dataclass(frozen=True)
class Verbatim:
    """Text whose lines and spaces matter."""

    text: str


@dataclass(frozen=True)
class Highlighted:
    """A text whose words are coloured by what they do: ``words`` are its pieces in order.

    A piece's value is None where nothing was asked about it; values below and above zero speak for
    the first and the second of ``sides``.
    """

    words: Sequence[tuple[str, float | None]]
    title: str
    sides: tuple[str, str]

    @property
    def largest(self) -> float:
        """The largest value by size; 1 where there is none."""
        return max((abs(value) for _, value in self.words if value), default=1.0)

    def said(self, value: float) -> str:
        """A value in words, such as "0.43 towards positive"."""
        return f"{abs(value):.2f} towards {self.sides[value > 0]}"


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown when asked for."""

    title: str
    blocks: "Sequence[Block]"


Block = Paragraph | Table | Chart | Charts | Verbatim | Highlighted | Folded


@dataclass(frozen=True)
class Section:
    """A titled part; ``anchor`` is its id in the page; ``badge`` a short mark beside the title."""

    title: str
    anchor: str
    blocks: Sequence[Block]
    badge: str = ""
    level: int = 2


@dataclass(frozen=True)
class Document:
    """A whole report. ``banner`` is set in large letters above everything, where there is one.

    ``highlights`` say what was learned, and ``plot`` shows it, before any section.
    """

    title: str
    subtitle: str
    status: str
    banner: str
    highlights: Sequence[str]
    sections: Sequence[Section] = field(default_factory=tuple)
    plot: Chart | None = None
