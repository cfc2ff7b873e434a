"""Traces of a wrong decoding, of markup and of broken characters."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sentilab.checkup.excerpts import CONTROL, UNSEEN, around
from sentilab.checkup.finding import Finding, Severity, Table
from sentilab.checkup.material import UNLABELLED, Material
from sentilab.checkup.wording import count

SHOWN = 3
MANY = 0.05

# The bytes 0x80 to 0xbf, which go on with a character in UTF-8, as Windows-1252 shows them; where
# it has no character (0x81, 0x8d, 0x8f, 0x90, 0x9d), and in Latin-1, they stay control characters.
_GO_ON = "".join(
    sorted({bytes([n]).decode("cp1252", "ignore") for n in range(0x80, 0xC0)} - {""})
) + "".join(map(chr, range(0x80, 0xA0)))
_MORE = f"[{re.escape(_GO_ON)}]"
MOJIBAKE = re.compile(f"[Â-ß]{_MORE}|[à-ï]{_MORE}{{2}}|[ð-ô]{_MORE}{{3}}")
# What people write: accented letters, Greek and Cyrillic ones, typographic marks, currency and trade
# signs, arrows and symbols, Chinese, Japanese and Korean, emoji. Anything else is more likely two
# characters that were meant so.
PLAUSIBLE = re.compile(
    "[\xa0-\u017f\u0391-\u03c9\u0400-\u045f\u02c6\u02dc\u2010-\u205e\u20ac\u2122\u2190-\u27bf"
    "\u3001-\u9fff\uac00-\ud7a3\ufb01\ufb02\ufeff\U0001f300-\U0001faff]"
)
REPLACED = re.compile("�+")
TAGS = "a|abbr|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|li|meta|ol|p|pre|script|small|span|strong|style|sub|sup|table|tbody|td|th|tr|u|ul"
MARKUP = re.compile(
    rf"</?(?:{TAGS})(?:\s[^<>]*)?/?>|&(?:amp|lt|gt|quot|apos|nbsp|hellip|[lr]squo|[lr]dquo|[mn]dash|#\d{{1,6}}|#x[0-9a-f]{{1,6}});",
    re.IGNORECASE,
)


def repaired(garbled: str) -> str | None:
    """What ``garbled`` was before UTF-8 was read as Windows-1252 or Latin-1; None if it was not."""
    content = bytearray()
    for character in garbled:
        try:
            content += character.encode("cp1252")
        except UnicodeEncodeError:
            if ord(character) > 0xFF:
                return None
            content.append(ord(character))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if PLAUSIBLE.fullmatch(text) else None


@dataclass(frozen=True)
class Kind:
    """One kind of damage: where it is in a text, and what to say of it."""

    name: str
    what: str
    advice: str
    places: Callable[[str], list[tuple[int, int]]]
    gravest: Severity = "problem"
    may_be_ascii: bool = False


def _spans(pattern: re.Pattern[str]) -> Callable[[str], list[tuple[int, int]]]:
    return lambda text: [found.span() for found in pattern.finditer(text)]


def _garbled(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in MOJIBAKE.finditer(text) if repaired(found[0]) is not None]


KINDS = (
    Kind(
        "mojibake",
        "UTF-8 read in another encoding (such as “Ã©” for “é”)",
        "Decode the file again, as UTF-8; or mend the texts with the library ftfy.",
        _garbled,
    ),
    Kind(
        "replacement characters",
        "the sign for a character that was lost (“�”)",
        "What stood there is gone from this file: go back to its source and read it with its own "
        "encoding.",
        _spans(REPLACED),
    ),
    Kind(
        "control characters",
        "control characters",
        "Those from \\x80 to \\x9f are mostly quotes and dashes of Windows-1252 read as Latin-1: "
        "decode the file as cp1252. Remove the others.",
        _spans(CONTROL),
        may_be_ascii=True,
    ),
    Kind(
        "unseen characters",
        "characters that no screen shows (zero-width, soft hyphens, byte order marks)",
        "They split words or make two of one; remove them.",
        _spans(UNSEEN),
        gravest="worth knowing",
    ),
    Kind(
        "markup",
        "HTML (such as “<br />” or “&amp;”)",
        "Its pieces count as words (“br” is one of IMDB's most frequent). Harmless where it is in all "
        "texts alike; to remove it, unescape and strip the tags before you load the file.",
        _spans(MARKUP),
        gravest="worth knowing",
        may_be_ascii=True,
    ),
)


def damage(material: Material) -> Iterator[Finding]:
    """One finding for each kind of damage."""
    hit: dict[str, dict[int, tuple[int, int, int]]] = {kind.name: {} for kind in KINDS}
    for row, text in enumerate(material.texts):
        is_ascii = text.isascii()
        for kind in KINDS:
            if is_ascii and not kind.may_be_ascii:
                continue
            places = kind.places(text)
            if places:
                hit[kind.name][row] = (len(places), *places[0])
    for kind in KINDS:
        yield _finding(material, kind, hit[kind.name])


def _finding(material: Material, kind: Kind, hit: dict[int, tuple[int, int, int]]) -> Finding:
    rows = np.asarray(sorted(hit), np.int64)
    if not len(rows):
        return Finding(kind.name, "fine", f"No text holds {kind.what}.")
    parts: list[tuple[str | float, ...]] = []
    most = 0.0
    for part in material.part_names:
        size = int((material.parts == part).sum())
        here = rows[material.parts[rows] == part]
        places = sum(hit[int(row)][0] for row in here)
        parts.append((part, len(here), places, len(here) / size))
        if part != UNLABELLED:
            most = max(most, len(here) / size)
    examples = []
    for row in material.by_id(rows)[:SHOWN]:
        _, start, end = hit[row]
        examples.append((material.passage(row, around(material.texts[row], start, end)),))
    verb = "holds" if len(rows) == 1 else "hold"
    return Finding(
        name=kind.name,
        severity=kind.gravest if most >= MANY else "worth knowing",
        sentence=f"{count(len(rows), 'text')} {verb} {kind.what}.",
        advice=kind.advice,
        table=Table(("split", "texts", "places", "share of texts"), tuple(parts)),
        examples=tuple(examples),
    )
