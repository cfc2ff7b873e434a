"""What must not matter: typing errors, case, punctuation, names, idle sentences, length.

Words are never hidden from a human reader: one who knows the first text answers the second alike.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sentilab.probe.behaviour.cases import (
    Case,
    Change,
    Check,
    Wanted,
    choose,
    exchanged,
    filled,
    generator,
    invariant,
    labelled,
    words_for,
)
from sentilab.probe.behaviour.lexicon import FILLER, WORDS
from sentilab.probe.behaviour.reviews import REVIEWS

WORD = re.compile(r"[A-Za-z]{5,}")


def checks() -> Iterator[Check]:
    """The checks of these capabilities but length, in the order in which they are shown."""
    for capability, name, description, change in CHANGES:
        yield invariant(capability, name, description, REVIEWS, change)
    named = [(text, positive) for text, positive in REVIEWS if "{name}" in text]
    placed = [(text, positive) for text, positive in REVIEWS if "{city}" in text]
    yield exchanged("names and places", "names", "Other actors.", named, ("name",))
    yield exchanged("names and places", "places", "Other cities.", placed, ("city",))


def length_checks(length: int) -> Iterator[Check]:
    """A verdict in a long review, for a model that reads its last ``length`` tokens.

    Around the verdict stands a plot in neutral sentences. A length that has no room for both, below
    some 60 tokens, has no first check.
    """
    room = 3 * length // 4
    if room > 45:
        yield _long("verdict first", "At the start of a review that is read whole.", room, True)
    yield _long(
        "verdict last", "At the end of a review longer than what is read.", 2 * length, False
    )
    yield _long(
        "verdict out of reach",
        f"At the start of a review whose last {length} words, all that is read, are neutral.",
        2 * length,
        True,
    )


def swapped(text: str, random: np.random.Generator, times: int = 1) -> str:
    """Two neighbouring letters exchanged in ``times`` different words of five letters or more.

    The first and the last letter stay, as in most slips of the hand.
    """
    places = [
        (found.start(), at)
        for found in WORD.finditer(text)
        for at in range(found.start() + 1, found.end() - 2)
        if text[at] != text[at + 1]
    ]
    letters = list(text)
    for _ in range(min(times, len({word for word, _ in places}))):
        word, at = places[random.integers(len(places))]
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
        places = [one for one in places if one[0] != word]
    return "".join(letters)


def dropped(text: str, random: np.random.Generator) -> str:
    """One letter left out within one word of five letters or more."""
    words = list(WORD.finditer(text))
    word = words[random.integers(len(words))]
    at = int(random.integers(word.start() + 1, word.end() - 1))
    return text[:at] + text[at + 1 :]


def aside(random: np.random.Generator) -> str:
    """A sentence of no weight."""
    return WORDS["aside"][int(random.integers(len(WORDS["aside"])))]


def _always(change: Callable[[str], str]) -> Change:
    return lambda text, _: change(text)


CHANGES: Sequence[tuple[str, str, str, Change]] = (
    ("typos", "one swap", "Two letters exchanged in one word.", swapped),
    ("typos", "three swaps", "In three words.", lambda text, random: swapped(text, random, 3)),
    ("typos", "a letter missing", "In one word.", dropped),
    ("case", "capitals", "ALL IN CAPITALS.", _always(str.upper)),
    ("case", "small letters", "all in small letters.", _always(str.lower)),
    (
        "case",
        "headline",
        "Every Word Like This.",
        _always(lambda text: re.sub(r"\b(?<!')[a-z]", lambda m: m[0].upper(), text)),
    ),
    (
        "punctuation",
        "none",
        "No full stops, no commas.",
        _always(lambda text: re.sub(r"[.,!?;:]", "", text)),
    ),
    (
        "punctuation",
        "exclamation marks",
        "Every sentence ends in three.",
        _always(lambda text: re.sub(r"[.!?](?=\s|$)", "!!!", text)),
    ),
    (
        "punctuation",
        "line breaks",
        "<br /><br /> between sentences, as in IMDB's reviews.",
        _always(lambda text: re.sub(r"(?<=[.!?])\s+", "<br /><br />", text)),
    ),
    (
        "punctuation",
        "curly apostrophes",
        "It’s and didn’t, as word processors write them.",
        _always(lambda text: text.replace("'", "’")),
    ),
    (
        "irrelevant sentences",
        "before",
        "An idle sentence in front.",
        lambda text, random: f"{aside(random)} {text}",
    ),
    (
        "irrelevant sentences",
        "after",
        "An idle sentence behind.",
        lambda text, random: f"{text} {aside(random)}",
    ),
    (
        "irrelevant sentences",
        "three after",
        "Three idle sentences behind.",
        lambda text, random: " ".join(
            [text, *(WORDS["aside"][at] for at in random.permutation(len(WORDS["aside"]))[:3])]
        ),
    ),
)

POSITIVE_VERDICTS = (
    "This is a {adj} {film}, and I loved every minute of it.",
    "One of the best films I have ever seen, with {adj} {mass}.",
    "I highly recommend this {adj} {film}.",
    "What a {adj} {genre}! I enjoyed it from start to finish.",
    "Go and see this {film}: it is {adj}, and the {part} is {adj2}.",
)
NEGATIVE_VERDICTS = (
    "This is a {adj} {film}, and I hated every minute of it.",
    "One of the worst films I have ever seen, with {adj} {mass}.",
    "I cannot recommend this {adj} {film} to anybody.",
    "What a {adj} {genre}! I was bored from start to finish.",
    "Stay away from this {film}: it is {adj}, and the {part} is {adj2}.",
)


def _long(name: str, description: str, words: int, first: bool) -> Check:
    """Reviews of at most so many ``words``, with the verdict first, or last."""
    random = generator("length", name)
    cases: dict[str, Case] = {}
    for template, is_positive in labelled(POSITIVE_VERDICTS, NEGATIVE_VERDICTS):
        wanted: Wanted = "positive" if is_positive else "negative"
        for _ in range(12):
            verdict = filled(template, choose(template, random, words_for(is_positive)))
            plot = _plot(words - len(verdict.split()), random)
            text = f"{verdict} {plot}" if first else f"{plot} {verdict}"
            cases[text] = Case((text,), wanted, f"{wanted}: {template}", wanted)
    return Check("length", name, "MFT", description, tuple(cases.values()))


def _plot(words: int, random: np.random.Generator) -> str:
    """Neutral sentences of at most so many words, from a random one on, in the plot's order."""
    told: list[str] = []
    at = int(random.integers(len(FILLER)))
    while sum(len(one.split()) for one in told) + len(FILLER[at % len(FILLER)].split()) <= words:
        told.append(FILLER[at % len(FILLER)])
        at += 1
    return " ".join(told)
