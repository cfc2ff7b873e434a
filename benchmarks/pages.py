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


def _split(text: str, name: str) -> tuple[str, str, str]:
    pattern = rf"(.*<!-- {name}: start -->\n)(.*?)(<!-- {name}: end -->.*)"
    found = re.fullmatch(pattern, text, flags=re.DOTALL)
    if not found or text.count(f"<!-- {name}: ") != 2:
        raise SystemExit(f"The page must have one <!-- {name}: start --> and one end after it.")
    return found[1], found[2], found[3]
