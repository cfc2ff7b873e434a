"""What Python's ``str.lower`` does with every character, as a table for the page's tokeniser.

A browser has a Unicode version of its own, and its ``toLowerCase`` would make other words of some
texts. The table is asked of ``str.lower`` itself, so that no copy of Unicode's files is needed.

``python -m sentilab.bundle.web_tables`` writes the page's table anew.
"""

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from sentilab import atomic

CAPITAL_SIGMA, SMALL_SIGMA, FINAL_SIGMA = "Σ", "σ", "ς"

_MODULE = """\
// What Python's str.lower does with Unicode {unicode}. Written by `python -m {name}`.

export const UNICODE = "{unicode}";

// [first, last, step, distance]: every step-th code point from first to last moves by distance.
export const MOVED = [
{moved}
];

// [code point, what it becomes], where that is more than one.
export const GROWN = [{grown}];

// [first, last] of the code points that a capital sigma looks past for a letter beside it ...
export const LOOKED_PAST = [
{looked_past}
];

// ... and of those that are such a letter.
export const LETTERS = [
{letters}
];
"""


@cache
def lower_module() -> str:
    """The text of ``lower.js`` for this Python."""
    moved: list[tuple[int, int]] = []
    grown: list[tuple[int, str]] = []
    looked_past: list[int] = []
    letters: list[int] = []
    for number in range(sys.maxunicode + 1):
        letter = chr(number)
        lowered = letter.lower()
        if lowered != letter and letter != CAPITAL_SIGMA:
            if len(lowered) == 1:
                moved.append((number, ord(lowered) - number))
            else:
                grown.append((number, lowered))
        # A sigma is final after a letter, and what is looked past hides no letter before it.
        if (letter + CAPITAL_SIGMA).lower()[-1] == FINAL_SIGMA:
            letters.append(number)
        elif ("a" + letter + CAPITAL_SIGMA).lower()[-1] == FINAL_SIGMA:
            looked_past.append(number)
    return _MODULE.format(
        unicode=unicodedata.unidata_version,
        name="sentilab.bundle.web_tables",
        moved=_lines(_series(moved)),
        grown=", ".join(f'[{number}, "{_escaped(text)}"]' for number, text in grown),
        looked_past=_lines(_ranges(looked_past)),
        letters=_lines(_ranges(letters)),
    )


def page_folder() -> Path:
    """Where the page's sources lie."""
    return Path(__file__).parents[1] / "serve" / "web"


def _series(moved: list[tuple[int, int]]) -> Iterator[tuple[int, int, int, int]]:
    """(first, last, step, distance): capitals stand one after another, or every second one."""
    first, distance = moved[0]
    last, step = first, 0
    for number, by in moved[1:]:
        gap = number - last
        if by == distance and gap <= 2 and step in (0, gap):
            last, step = number, gap
            continue
        yield first, last, step or 1, distance
        first, last, step, distance = number, number, 0, by
    yield first, last, step or 1, distance


def _ranges(numbers: list[int]) -> Iterator[tuple[int, int]]:
    breaks = [at for at, (one, other) in enumerate(pairwise(numbers), 1) if other > one + 1]
    for start, end in pairwise([0, *breaks, len(numbers)]):
        yield numbers[start], numbers[end - 1]


def _lines(rows: Iterable[tuple[int, ...]]) -> str:
    """JavaScript arrays, some on each line."""
    lines, line = [], ""
    for row in rows:
        shown = f"[{','.join(map(str, row))}],"
        if len(line) + len(shown) > 96:
            lines.append(line)
            line = ""
        line += (" " if line else "  ") + shown
    return "\n".join([*lines, line])


def _escaped(text: str) -> str:
    return "".join(f"\\u{{{ord(letter):x}}}" for letter in text)


if __name__ == "__main__":
    table = page_folder() / "lower.js"
    atomic.write_text(table, lower_module())
    print(f"{table}: Unicode {unicodedata.unidata_version}")
