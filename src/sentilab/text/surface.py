"""Where a text's words stand in it, so that readers see their own writing and not the encoding's."""

from collections.abc import Sequence
from typing import TypeVar

from sentilab.text.words import FILTERS

_BETWEEN = frozenset(FILTERS) | {" "}

Span = tuple[int, int]


def spans_of(text: str) -> list[Span]:
    """(start, end) in ``text`` of each of ``sentilab.text.words.words_of(text)``, in their order."""
    lowered = text.lower()
    # A letter may become several when it is lowered ("İ" becomes "i" and a dot above it).
    lengths = [len(letter.lower()) for letter in text] if len(lowered) != len(text) else None
    letters = range(len(text) + 1) if lengths is None else _origins(lengths)
    spans: list[Span] = []
    start = None
    for at, letter in enumerate(lowered + " "):
        if letter in _BETWEEN:
            if start is not None:
                spans.append((letters[start], letters[at]))
            start = None
        elif start is None:
            start = at
    return spans


Value = TypeVar("Value")


def pieces_of(
    text: str, spans: Sequence[Span], values: Sequence[Value]
) -> list[tuple[str, Value | None]]:
    """``text`` in order as words with their values and, with None, what is around them."""
    found: list[tuple[str, Value | None]] = []
    at = 0
    for (start, end), value in zip(spans, values, strict=True):
        if start > at:
            found.append((text[at:start], None))
        found.append((text[start:end], value))
        at = end
    if at < len(text):
        found.append((text[at:], None))
    return found


def _origins(lengths: list[int]) -> list[int]:
    """For each letter of the lowered text, and for its end, the letter of the text it came from."""
    came_from = [at for at, length in enumerate(lengths) for _ in range(length)]
    return [*came_from, len(lengths)]
