"""Pieces of texts for people to look at: short, on one line, with what matters marked."""

import difflib
import re

from sentilab.checkup.finding import Marks

Excerpt = tuple[str, Marks]

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
UNSEEN = re.compile("[\xad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]")
HIDDEN = re.compile(f"{CONTROL.pattern}|{UNSEEN.pattern}")
SPACE = re.compile(r"\s+")
WORD = re.compile(r"\w+(?:'\w+)*")
PIECE = re.compile(r"\w+(?:'\w+)*|[^\w\s]")
CUT = "…"


def visible(text: str) -> str:
    r"""White space as single spaces; characters that no screen shows, spelt out as in \x96."""
    # Spelt out first: \x85 and \x1c count as white space.
    return SPACE.sub(" ", HIDDEN.sub(lambda found: _spelt(found[0]), text))


def _spelt(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def start_of(text: str, characters: int = 110) -> Excerpt:
    """How a text begins."""
    shown = visible(text[: 2 * characters]).strip()
    if len(shown) <= characters and len(text) <= 2 * characters:
        return shown, ()
    return f"{shown[:characters].rstrip()} {CUT}", ()


def around(text: str, start: int, end: int, characters: int = 50) -> Excerpt:
    """``text[start:end]``, marked, with up to so many characters on either side."""
    before, after = visible(text[max(0, start - characters) : start]), visible(text[end:])
    hit = visible(text[start:end])
    before = before.lstrip() if start <= characters else f"{CUT}{before}"
    after = after.rstrip() if len(after) <= characters else f"{after[:characters]}{CUT}"
    return before + hit + after, ((len(before), len(before) + len(hit)),)


def side_by_side(first: str, second: str, words: int = 26) -> tuple[Excerpt, Excerpt]:
    """Both texts from shortly before the first word in which they differ; such words are marked.

    Where all words are equal, upper and lower case and what stands between the words are compared.
    """
    for pieces, folded in ((WORD, True), (PIECE, False)):
        left, right = list(pieces.finditer(first)), list(pieces.finditer(second))
        steps = difflib.SequenceMatcher(
            None, _spelt_out(left, folded), _spelt_out(right, folded), autojunk=False
        ).get_opcodes()
        differing = [step for step in steps if step[0] != "equal"]
        if differing:
            _, at_left, _, at_right, _ = differing[0]
            lead = min(at_left, at_right, 6)
            return (
                _window(first, left, at_left - lead, words, [step[1:3] for step in differing]),
                _window(second, right, at_right - lead, words, [step[3:5] for step in differing]),
            )
    return start_of(first), start_of(second)


def _spelt_out(pieces: list[re.Match[str]], folded: bool) -> list[str]:
    return [piece[0].casefold() if folded else piece[0] for piece in pieces]


def _window(
    text: str,
    pieces: list[re.Match[str]],
    start: int,
    many: int,
    differing: list[tuple[int, int]],
) -> Excerpt:
    """``many`` pieces from number ``start`` on, with what stands between them."""
    chosen = pieces[start : start + many]
    if not chosen:
        return start_of(text)
    shown, marks = (f"{CUT} " if start else ""), []
    at = chosen[0].start() if start else 0
    for number, piece in enumerate(chosen, start):
        shown += visible(text[at : piece.start()])
        begin = len(shown)
        shown += visible(piece[0])
        at = piece.end()
        if any(low <= number < high for low, high in differing):
            marks.append((begin, len(shown)))
    rest = text[at:] if start + many >= len(pieces) else f" {CUT}"
    return shown + visible(rest).rstrip(), _joined(marks)


def _joined(marks: list[tuple[int, int]]) -> Marks:
    """Marks of neighbouring words as one."""
    joined: list[tuple[int, int]] = []
    for start, end in marks:
        if joined and joined[-1][1] + 1 >= start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)
