"""Tables in the documentation that a script makes: they stand between two comments of a page."""

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.driver import ROOT


def page(name: str) -> Path:
    """The documentation's page of this name."""
    return ROOT / "docs" / name


def between(text: str, name: str) -> str:
    """What stands between the comments ``name: start`` and ``name: end``.

    Raises SystemExit if there is not one of each.
    """
    return _split(text, name)[1].strip("\n")


def replaced(text: str, name: str, new: str) -> str:
    """``text`` with ``new`` in that place; raises as ``between`` does."""
    before, _, after = _split(text, name)
    return f"{before}\n{new}\n\n{after}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; figures to the right of the first column."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def merged(old: str, new: str) -> str:
    """The table ``old`` with the cells of ``new``: what is not measured again stays as it stands."""
    columns, rows = _cells(old)
    more, again = _cells(new)
    columns += [one for one in more if one not in columns]
    for name, cells in again.items():
        rows[name] = rows.get(name, {}) | cells
    return table(
        columns,
        [[name, *(cells.get(one, "") for one in columns[1:])] for name, cells in rows.items()],
    )


def _cells(text: str) -> tuple[list[str], dict[str, dict[str, str]]]:
    """A table's columns, and its rows by their first cell, each by the names of the others."""
    lines = [line.strip("|").split("|") for line in text.strip().splitlines()]
    first, _, *rest = [[cell.strip() for cell in line] for line in lines]
    return first, {name: dict(zip(first[1:], row, strict=True)) for name, *row in rest}


def _split(text: str, name: str) -> tuple[str, str, str]:
    pattern = rf"(.*<!-- {name}: start -->\n)(.*?)(<!-- {name}: end -->.*)"
    found = re.fullmatch(pattern, text, flags=re.DOTALL)
    if not found or text.count(f"<!-- {name}: ") != 2:
        raise SystemExit(f"The page must have one <!-- {name}: start --> and one end after it.")
    return found[1], found[2], found[3]
