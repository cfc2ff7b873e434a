"""Texts that are nearly the same as another, within and across splits."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sentilab.checkup.excerpts import side_by_side
from sentilab.checkup.finding import Example, Finding, Table
from sentilab.checkup.material import NO_LABEL, TEST, TRAIN, UNLABELLED, WHOLE, Material, Rows
from sentilab.checkup.repeats import MANY, leak, pair_table, splits_in_pairs
from sentilab.checkup.similar import near_duplicates, shingle_words
from sentilab.checkup.wording import count, sentence_case


def nearly(material: Material, threshold: float) -> Iterator[Finding]:
    """Near-duplicates within and across splits, and those of different labels.

    A text and its exact repeats count once.
    """
    words = shingle_words(material.tokens.lengths[material.distinct])
    near = Near(material, threshold, words)
    explained = f"Jaccard index of runs of {words} words at least {threshold:g}"
    if {TRAIN, TEST} <= set(material.part_names):
        yield _near_across(material, near, explained)
    yield _near_within(material, near, explained)
    yield _near_conflicts(near)


class Near:
    """Pairs of nearly equal texts, and in which splits and with which label each text stands."""

    def __init__(self, material: Material, threshold: float, words: int) -> None:
        self._material = material
        self._in_part = {}
        for part in material.part_names:
            stands = np.zeros(len(material.groups), bool)
            stands[material.groups[material.parts == part]] = True
            self._in_part[part] = stands
        lowest = np.full(len(material.groups), material.dataset.classes)
        rows = material.labelled
        np.minimum.at(lowest, material.groups[rows], material.labels[rows])
        self.label = np.where(lowest == material.dataset.classes, NO_LABEL, lowest)
        kinds = lowest
        for stands in self._in_part.values():
            kinds = 2 * kinds + stands
        distinct = material.distinct
        pairs = near_duplicates(material.tokens, distinct, kinds[distinct], threshold, words)
        self.first, self.second = pairs.rows[:, 0], pairs.rows[:, 1]
        self.similarity = pairs.similarity
        self.at_least = "" if pairs.are_all else "at least "

    def between(self, one: str, other: str) -> NDArray[np.bool_]:
        """Which pairs have a text in the split ``one`` and the other in ``other``."""
        here, there = self._in_part[one], self._in_part[other]
        return np.asarray(
            (here[self.first] & there[self.second]) | (there[self.first] & here[self.second])
        )

    def texts(self, part: str, beside: str) -> Rows:
        """The texts of ``part`` that are near-duplicates of one in ``beside``."""
        here, there = self._in_part[part], self._in_part[beside]
        return np.unique(
            np.concatenate(
                [
                    self.first[here[self.first] & there[self.second]],
                    self.second[here[self.second] & there[self.first]],
                ]
            )
        )

    def contradict(self) -> NDArray[np.bool_]:
        """Which pairs have different labels."""
        first, second = self.label[self.first], self.label[self.second]
        return np.asarray((first != second) & (first != NO_LABEL) & (second != NO_LABEL))

    def examples(
        self, which: NDArray[np.bool_], parts: tuple[str, str] | None = None
    ) -> tuple[Example, ...]:
        """Of the pairs ``which`` the least similar, a middling and the most similar one."""
        pairs = []
        for at in np.flatnonzero(which):
            first, second = self._rows(int(self.first[at]), int(self.second[at]), parts)
            names = str(self._material.ids[first]), str(self._material.ids[second])
            pairs.append((float(self.similarity[at]), names, first, second))
        pairs.sort()
        chosen = sorted({0, (len(pairs) - 1) // 2, len(pairs) - 1}) if pairs else []
        return tuple(self._example(*pairs[at][2:]) for at in chosen)

    def _rows(self, first: int, second: int, parts: tuple[str, str] | None) -> tuple[int, int]:
        """A row of each text: in these splits, if named, else those of the lowest ids."""
        material = self._material
        if parts:
            if not (self._in_part[parts[0]][first] and self._in_part[parts[1]][second]):
                first, second = second, first
            found = [
                next(
                    row
                    for row in material.by_id(material.rows_of(group))
                    if material.parts[row] == part
                )
                for group, part in zip((first, second), parts, strict=True)
            ]
            return found[0], found[1]
        rows = [material.by_id(material.rows_of(group))[0] for group in (first, second)]
        ordered = material.by_id(np.asarray(rows))
        return ordered[0], ordered[1]

    def _example(self, first: int, second: int) -> Example:
        material = self._material
        left, right = side_by_side(material.texts[first], material.texts[second])
        return material.passage(first, left), material.passage(second, right)


def _near_across(material: Material, near: Near, explained: str) -> Finding:
    between = list(splits_in_pairs(material.part_names))
    leaked = near.texts(TEST, beside=TRAIN)
    distinct = len(np.unique(material.groups[material.parts == TEST]))
    share = len(leaked) / max(distinct, 1)
    verb = "is a near-duplicate" if len(leaked) == 1 else "are near-duplicates"
    return Finding(
        name="near-duplicates across splits",
        severity=leak(share) if len(leaked) else "fine",
        sentence=sentence_case(
            f"{near.at_least}{count(len(leaked), 'text')} of test {verb} of a training text "
            f"({explained})."
        )
        if len(leaked)
        else f"No text of test is a near-duplicate of a training text ({explained}).",
        advice="They make the test easier than it looks. Read some; if they are the same text in "
        "other clothes, remove them from train."
        if len(leaked)
        else "",
        numbers={"share of test texts": share},
        table=pair_table(
            ("between", "pairs", "texts of the latter"),
            [
                (*pair, int(near.between(*pair).sum()), len(near.texts(pair[1], beside=pair[0])))
                for pair in between
            ],
        ),
        examples=near.examples(near.between(TRAIN, TEST), (TRAIN, TEST)),
    )


def _near_within(material: Material, near: Near, explained: str) -> Finding:
    rows: list[tuple[str | float, ...]] = []
    inside = np.zeros(len(near.first), bool)
    most, total = 0.0, 0
    for part in material.part_names:
        here = near.between(part, part)
        inside |= here
        involved = len(near.texts(part, beside=part))
        distinct = len(np.unique(material.groups[material.parts == part]))
        rows.append((part, int(here.sum()), involved, involved / distinct))
        total += involved
        if part != UNLABELLED:
            most = max(most, involved / distinct)
    verb = "is a near-duplicate" if total == 1 else "are near-duplicates"
    return Finding(
        name="near-duplicates",
        severity="problem" if most >= MANY else "worth knowing" if total else "fine",
        sentence=sentence_case(
            f"{near.at_least}{count(total, 'text')} {verb} of another in the same split ({explained})."
        )
        if total
        else f"No text is a near-duplicate of another in the same split ({explained}).",
        advice=""
        if not total
        else "Sentilab keeps exact repeats on one side of the splits it makes, not near-duplicates: "
        "remove all but one of each before you train."
        if WHOLE in material.part_names
        else "Keep one of each if they are the same text in other clothes.",
        numbers={"pairs, all splits together": len(near.first)},
        table=Table(("split", "pairs", "texts in them", "share"), tuple(rows)),
        examples=near.examples(inside),
    )


def _near_conflicts(near: Near) -> Finding:
    against = near.contradict()
    number = int(against.sum())
    verb = "has" if number == 1 else "have"
    return Finding(
        name="label conflicts of near-duplicates",
        severity="worth knowing" if number else "fine",
        sentence=sentence_case(
            f"{near.at_least}{count(number, 'pair')} of near-duplicates {verb} different labels."
        )
        if number
        else "No pair of near-duplicates has different labels.",
        advice="One word can turn a verdict, so each may be right; if not, mend the label."
        if number
        else "",
        numbers={"pairs with different labels": number},
        examples=near.examples(against),
    )
