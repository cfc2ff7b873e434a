"""What a checkup says: findings, each with its severity, figures, examples and advice."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["problem", "worth knowing", "fine"]
SEVERITIES: tuple[Severity, ...] = ("problem", "worth knowing", "fine")

Marks = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Passage:
    """A piece of one text, which stands in the split ``part`` under ``id``.

    ``marks`` are the (start, end) of what to look at in ``text``; ``label`` is None where the text
    has none; ``also`` holds the ids of other rows with the same text.
    """

    id: str
    part: str
    label: str | None
    text: str
    marks: Marks = ()
    also: tuple[str, ...] = ()


Example = tuple[Passage, ...]
"""One passage, or two to be read side by side."""


@dataclass(frozen=True)
class Table:
    """Figures by row; a row's first cell says what it is about."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what was seen.

    Figures, in ``numbers`` or in a column of ``table``, whose name begins with "share" lie between
    0 and 1; whole numbers are counts. ``advice`` says what to do, and is empty where there is
    nothing to do.
    """

    name: str
    severity: Severity
    sentence: str
    advice: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    table: Table | None = None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Checkup:
    """What was found in one data set, most severe first. ``texts`` counts texts by split."""

    name: str
    origin: str
    texts: Mapping[str, int]
    findings: tuple[Finding, ...]

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of this severity."""
        return [one for one in self.findings if one.severity == severity]

    def __getitem__(self, name: str) -> Finding:
        """The finding of this name; raises KeyError if there is none."""
        for one in self.findings:
            if one.name == name:
                return one
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(one.name == name for one in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)
