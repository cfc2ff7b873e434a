"""Cases made from templates: what a text says, and what a reader would make of it."""

import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sentilab.probe.behaviour.lexicon import BAD, GOOD, WORDS

Kind = Literal["MFT", "INV", "DIR"]
"""Minimum functionality (the right label), invariance (the same), directional (p moves no wrong way)."""

Wanted = Literal["positive", "negative", "the same label", "p no lower", "p no higher"]

SEED = 297
CASES = 120
"""About as many a check; each template gives the same number."""

SLOT = re.compile(r"\{(([a-z]+)\d*)\}")
ARTICLE = re.compile(r"\b([Aa]) (?=\"?[aeiouAEIOU])")


@dataclass(frozen=True)
class Case:
    """One text with the label it should get, or a text and its changed form.

    ``template`` names what the case was made from, ``group`` a part of the check that is counted by
    itself ("" for none).
    """

    texts: tuple[str, ...]
    wanted: Wanted
    template: str
    group: str = ""


@dataclass(frozen=True)
class Check:
    """Cases that ask for one thing, in one way."""

    capability: str
    name: str
    kind: Kind
    description: str
    cases: tuple[Case, ...]


Chosen = dict[str, str]
Change = Callable[[str, np.random.Generator], str]


def choose(
    template: str, random: np.random.Generator, words: Mapping[str, Sequence[str]]
) -> Chosen:
    """A word for each slot: {film} from the list "film"; {film} and {film2} get different ones."""
    chosen: Chosen = {}
    for slot, name in SLOT.findall(template):
        if slot in chosen or name not in words:
            continue
        taken = [
            chosen[one] for one, kind in SLOT.findall(template) if kind == name and one in chosen
        ]
        left = [one for one in words[name] if one not in taken]
        chosen[slot] = left[random.integers(len(left))]
    return chosen


def filled(template: str, chosen: Mapping[str, str]) -> str:
    """The template with its words put in, "a" made "an" where it must be."""
    return ARTICLE.sub(r"\1n ", SLOT.sub(lambda slot: chosen[slot[1]], template))


def words_for(positive: bool) -> dict[str, Sequence[str]]:
    """The words of a text with this label: {adj} says so, and {con} says the contrary."""
    own, contrary = (GOOD, BAD) if positive else (BAD, GOOD)
    return {**WORDS, **own, "con": contrary["adj"]}


def generator(capability: str, name: str) -> np.random.Generator:
    """One for each check, so that none changes with another."""
    return np.random.default_rng([SEED, zlib.crc32(f"{capability}/{name}".encode())])


def labelled(positive: Sequence[str], negative: Sequence[str]) -> list[tuple[str, bool]]:
    """(template, whether its texts are positive)."""
    return [*((one, True) for one in positive), *((one, False) for one in negative)]


def minimum(
    capability: str,
    name: str,
    description: str,
    positive: Sequence[str],
    negative: Sequence[str],
) -> Check:
    """A check of the label; the two lists are the same where only {adj} and {con} turn it."""
    random = generator(capability, name)
    templates = labelled(positive, negative)
    cases = []
    for template, is_positive in templates:
        wanted: Wanted = "positive" if is_positive else "negative"
        words = words_for(is_positive)
        texts = (filled(template, choose(template, random, words)) for _ in _attempts(templates))
        cases += [
            Case((text,), wanted, f"{wanted}: {template}", wanted)
            for text in _distinct(texts, templates)
        ]
    return Check(capability, name, "MFT", description, tuple(cases))


def invariant(
    capability: str,
    name: str,
    description: str,
    templates: Sequence[tuple[str, bool]],
    change: Change,
) -> Check:
    """A check that ``change`` leaves the label as it is; texts that it does not change are no case."""
    random = generator(capability, name)
    cases = []
    for template, is_positive in templates:
        words = words_for(is_positive)
        texts = (filled(template, choose(template, random, words)) for _ in _attempts(templates))
        for text in _distinct(texts, templates):
            changed = change(text, random)
            if changed != text:
                cases.append(Case((text, changed), "the same label", template))
    return Check(capability, name, "INV", description, tuple(cases))


def exchanged(
    capability: str,
    name: str,
    description: str,
    templates: Sequence[tuple[str, bool]],
    kinds: Sequence[str],
) -> Check:
    """A check that other words of these ``kinds``, in the same slots, leave the label as it is."""
    random = generator(capability, name)
    cases: dict[tuple[str, ...], Case] = {}
    for template, is_positive in templates:
        for _ in range(_each(templates)):
            chosen = choose(template, random, words_for(is_positive))
            others = {
                slot: [w for w in WORDS[kind] if w != chosen[slot]]
                for slot, kind in SLOT.findall(template)
                if kind in kinds
            }
            fresh = {slot: left[random.integers(len(left))] for slot, left in others.items()}
            texts = (filled(template, chosen), filled(template, chosen | fresh))
            if texts[0] != texts[1]:
                cases[texts] = Case(texts, "the same label", template)
    return Check(capability, name, "INV", description, tuple(cases.values()))


def directional(
    capability: str,
    name: str,
    description: str,
    templates: Sequence[tuple[str, bool]],
    *,
    degrees: tuple[Sequence[str], Sequence[str]],
    stronger: bool,
) -> Check:
    """A check that words in {degree}, which is empty before, make a verdict no weaker, or no stronger.

    ``degrees`` are the words for praise and those for blame.
    """
    random = generator(capability, name)
    cases: dict[tuple[str, ...], Case] = {}
    for template, is_positive in templates:
        wanted: Wanted = "p no lower" if is_positive == stronger else "p no higher"
        group = "praise" if is_positive else "blame"
        words = {**words_for(is_positive), "degree": degrees[0 if is_positive else 1]}
        for _ in range(_each(templates)):
            chosen = choose(template, random, words)
            texts = (filled(template, chosen | {"degree": ""}), filled(template, chosen))
            cases[texts] = Case(texts, wanted, f"{group}: {template}", group)
    return Check(capability, name, "DIR", description, tuple(cases.values()))


def _each(templates: Sequence[object]) -> int:
    return -(-CASES // len(templates))


def _attempts(templates: Sequence[object]) -> range:
    """More draws than texts are wanted, since some come twice."""
    return range(10 * _each(templates))


def _distinct(texts: Iterable[str], templates: Sequence[object]) -> list[str]:
    found: dict[str, None] = {}
    for text in texts:
        found[text] = None
        if len(found) == _each(templates):
            break
    return list(found)
