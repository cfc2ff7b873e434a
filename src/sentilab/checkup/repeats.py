"""Texts that stand in the data more than once, word for word or nearly."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sentilab.checkup.excerpts import side_by_side, start_of
from sentilab.checkup.finding import Example, Finding, Severity, Table
from sentilab.checkup.material import NO_LABEL, TEST, TRAIN, UNLABELLED, WHOLE, Material, Rows
from sentilab.checkup.similar import near_duplicates, shingle_words
from sentilab.checkup.wording import count, sentence_case

SHOWN = 3
# From this share of the test part on, what the model has seen before distorts its accuracy.
LEAKED = 0.001
# From this share of a part on, repeats are no accident.
MANY = 0.05


def repeats(material: Material) -> Iterator[Finding]:
    """Exact repeats, and repeats after folding white space and case, within and across splits."""
    if {TRAIN, TEST} <= set(material.part_names):
        yield _across(material)
    yield _within(material)
    yield _conflicts(material)


def _across(material: Material) -> Finding:
    between = list(_between(material.part_names))
    shared = {
        (first, second): np.intersect1d(
            material.groups[material.parts == first], material.groups[material.parts == second]
        )
        for first, second in between
    }
    leaked = shared[TRAIN, TEST]
    others = sum(map(len, shared.values())) - len(leaked)
    share = float(np.isin(material.groups[material.parts == TEST], leaked).mean())
    verb = "stands" if len(leaked) == 1 else "stand"
    return Finding(
        name="repeats across splits",
        severity=_leak(share) if len(leaked) else "worth knowing" if others else "fine",
        sentence=f"{count(len(leaked), 'text')} {verb} in both train and test."
        if len(leaked)
        else "No text stands in both train and test.",
        advice="A model is tested here on what it was trained on. The holdout protocol (--protocol "
        "holdout) leaves such texts out of training; the notebook protocol keeps them."
        if len(leaked)
        else "Harmless unless you train on the unlabelled texts: then leave these out."
        if others
        else "",
        numbers={"share of test rows": share},
        table=_pair_table(
            ("between", "texts"), [(*pair, len(texts)) for pair, texts in shared.items()]
        ),
        examples=_repeated(material, leaked, (TRAIN, TEST)),
    )


def _within(material: Material) -> Finding:
    rows = []
    most, total = 0.0, 0
    for part in material.part_names:
        here = np.flatnonzero(material.parts == part)
        repeated = len(here) - len(np.unique(material.groups[here]))
        exact = sum(
            len(among) - len({material.texts[row] for row in among})
            for among in _repeated_among(material, part)
        )
        rows.append((part, len(here), repeated, exact, repeated / len(here)))
        total += repeated
        if part != UNLABELLED:
            most = max(most, repeated / len(here))
    everywhere = len(material.groups) - len(material.distinct)
    verb = "repeats" if total == 1 else "repeat"
    crowded = [
        group
        for group, members in material.members.items()
        if len(members) > len(np.unique(material.parts[members]))
    ]
    return Finding(
        name="repeats",
        severity="problem" if most >= MANY else "worth knowing" if total else "fine",
        sentence=f"{count(total, 'row')} {verb} the text of another row of the same split."
        if total
        else "No text stands twice in one split.",
        advice="Repeats count twice in training and in the accuracy. Keep one row of each, unless "
        "people really said the same thing; Sentilab never puts repeats on two sides of a split it "
        "makes."
        if total
        else "",
        numbers={"rows that repeat another, all splits together": everywhere},
        table=Table(("split", "rows", "repeats", "of them exact", "share"), tuple(rows)),
        examples=_repeated(material, np.asarray(crowded, np.int64), None),
    )


def _repeated_among(material: Material, part: str) -> Iterator[Rows]:
    """For each text that stands in several rows of ``part``: those rows."""
    for members in material.members.values():
        here = members[material.parts[members] == part]
        if len(here) > 1:
            yield here


def _conflicts(material: Material) -> Finding:
    conflicting = [
        group
        for group, members in material.members.items()
        if len(set(material.labels[members].tolist()) - {NO_LABEL}) > 1
    ]
    number = len(conflicting)
    examples = []
    for group in material.by_id(np.asarray(conflicting, np.int64)):
        members = material.by_id(material.rows_of(group))
        members = [row for row in members if material.label(row) is not None]
        other = next(row for row in members if material.label(row) != material.label(members[0]))
        starts = [start_of(material.texts[row], 70) for row in (members[0], other)]
        examples.append(
            (material.passage(members[0], starts[0]), material.passage(other, starts[1]))
        )
    examples.sort(key=lambda pair: pair[0].id)
    return Finding(
        name="label conflicts",
        severity="problem" if number else "fine",
        sentence=f"{count(number, 'text')} {'has' if number == 1 else 'have'} different labels in "
        "different rows."
        if number
        else "No text has two different labels.",
        advice="No model can be right on both. Decide on one label, or remove the rows."
        if number
        else "",
        numbers={"texts with different labels": number},
        examples=tuple(examples[:SHOWN]),
    )


def _repeated(
    material: Material, groups: Rows, across: tuple[str, str] | None
) -> tuple[Example, ...]:
    """Repeated texts, the one with the lowest id first, each with its other rows."""
    examples: list[Example] = []
    for group in groups.tolist():
        members = material.by_id(material.rows_of(group))
        if across:
            members = [
                next(row for row in members if material.parts[row] == part) for part in across
            ]
        passage = material.passage(
            members[0], start_of(material.texts[members[0]]), also=members[1:4]
        )
        examples.append((passage,))
    return tuple(sorted(examples, key=lambda example: example[0].id)[:SHOWN])


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
    between = list(_between(material.part_names))
    leaked = near.texts(TEST, beside=TRAIN)
    distinct = len(np.unique(material.groups[material.parts == TEST]))
    share = len(leaked) / max(distinct, 1)
    verb = "is a near-duplicate" if len(leaked) == 1 else "are near-duplicates"
    return Finding(
        name="near-duplicates across splits",
        severity=_leak(share) if len(leaked) else "fine",
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
        table=_pair_table(
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


def _between(parts: list[str]) -> Iterator[tuple[str, str]]:
    """Each two splits, train and test first."""
    for at, first in enumerate(parts):
        for second in parts[at + 1 :]:
            yield first, second


def _leak(share: float) -> Severity:
    return "problem" if share >= LEAKED else "worth knowing"


def _pair_table(columns: tuple[str, ...], rows: list[tuple[str, str, *tuple[int, ...]]]) -> Table:
    return Table(columns, tuple((f"{row[0]} and {row[1]}", *row[2:]) for row in rows))
