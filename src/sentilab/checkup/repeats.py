"""Texts that stand in the data more than once, within and across splits."""

from collections.abc import Iterator

import numpy as np

from sentilab.checkup.excerpts import start_of
from sentilab.checkup.finding import Example, Finding, Severity, Table
from sentilab.checkup.material import NO_LABEL, TEST, TRAIN, UNLABELLED, Material, Rows
from sentilab.checkup.wording import count

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
    between = list(splits_in_pairs(material.part_names))
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
        severity=leak(share) if len(leaked) else "worth knowing" if others else "fine",
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
        table=pair_table(
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


def splits_in_pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    """Each two splits, train and test first."""
    for at, first in enumerate(parts):
        for second in parts[at + 1 :]:
            yield first, second


def leak(share: float) -> Severity:
    return "problem" if share >= LEAKED else "worth knowing"


def pair_table(columns: tuple[str, ...], rows: list[tuple[str, str, *tuple[int, ...]]]) -> Table:
    return Table(columns, tuple((f"{row[0]} and {row[1]}", *row[2:]) for row in rows))
