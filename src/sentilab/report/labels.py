"""Where names go beside the points of a plot, so that none covers another or a point."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

# The least that a plot's area may measure on a telephone, and what letters of 11 pixels take.
WIDTH, HEIGHT = 235.0, 190.0
LETTER, LINE, DOT = 6.3, 13.0, 6.0


@dataclass(frozen=True)
class Placed:
    """``text`` is set ``dx``, ``dy`` pixels from its point, aligned as ``align`` says."""

    text: str
    dx: float
    dy: float
    align: str


Box = tuple[float, float, float, float]


def place(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    numbers: Sequence[str],
    order: Sequence[int],
    line: Sequence[int] = (),
) -> list[Placed]:
    """A label for each of ``points``, shares of the width (from the left) and height (from below).

    ``order`` says whose label is placed first. A name that finds no room gives way to its point's
    number, and a number that finds none is left out: the table beside the plot has it. On a plot that
    is wider than the narrowest the points stand farther apart and the labels do not grow. ``line``
    are the points that a line of steps joins, from left to right; labels keep off it.
    """
    centres = [(WIDTH * x, HEIGHT * (1 - y)) for x, y in points]
    taken = [(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in centres]
    steps = list(_steps([centres[number] for number in line]))
    found: dict[int, Placed] = {}
    for number in order:
        around = taken[:number] + taken[number + 1 :] + steps
        choices = [
            (label, box)
            for text in dict.fromkeys((names[number], numbers[number]))
            for label, box in _sides(text, *centres[number])
        ]
        found[number] = Placed("", 0, 0, "left")
        for label, box in choices:
            if _fits(box, around):
                found[number] = label
                taken.append(box)
                break
    return [found[number] for number in range(len(points))]


def _steps(corners: Sequence[tuple[float, float]]) -> Iterator[Box]:
    """To the right from each point as far as the next, then up to it."""
    for (x, y), (next_x, next_y) in pairwise(corners):
        yield x, y - 1, next_x, y + 1
        yield next_x - 1, min(y, next_y), next_x + 1, max(y, next_y)


def _sides(text: str, x: float, y: float) -> Iterator[tuple[Placed, Box]]:
    """Right, left, then above and below to either side, of which the first is preferred."""
    width = LETTER * len(text)
    for align, dx, dy in (
        ("left", 9, 0),
        ("right", -9, 0),
        ("left", 5, -12),
        ("right", -5, -12),
        ("left", 5, 12),
        ("right", -5, 12),
    ):
        left = x + dx - (width if align == "right" else 0)
        yield (
            Placed(text, dx, dy, align),
            (left, y + dy - LINE / 2, left + width, y + dy + LINE / 2),
        )


def _fits(box: Box, taken: Sequence[Box]) -> bool:
    inside = box[0] >= 0 and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT
    return inside and not any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in taken
    )
