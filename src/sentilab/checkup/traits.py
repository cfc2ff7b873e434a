"""What gives the label away beside the words: a text's length, the file's order, other columns."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sentilab.checkup.finding import Finding, Severity, Table
from sentilab.checkup.giveaways import ERROR_LEFT, SIGNIFICANT
from sentilab.checkup.material import NO_LABEL, Material, Rows
from sentilab.checkup.wording import joined

# Chances that a text of one label is longer than one of another: 0.5 says nothing.
TELLING, DECIDING = 0.6, 0.75
# Values of a numeric column are told apart by so many steps of its quantiles.
STEPS = 20
FEWEST_ROWS = 20

Columns = Mapping[str, Sequence[object]]


def length(material: Material) -> Iterator[Finding]:
    """Whether a text's number of words tells its label.

    For each label: the chance that a random text of it is longer than a random one of the others,
    ties counting half. Source: Mann and Whitney (1947); p by the normal approximation.
    """
    from scipy.stats import mannwhitneyu

    rows = material.examples
    lengths, labels = material.tokens.lengths[rows], material.labels[rows]
    table: list[tuple[str | float, ...]] = []
    most, telling = 0.5, ""
    for number, name in enumerate(material.dataset.label_names):
        of_it = labels == number
        if not of_it.any() or of_it.all():
            continue
        test = mannwhitneyu(lengths[of_it], lengths[~of_it], method="asymptotic")
        longer = float(test.statistic) / (int(of_it.sum()) * int((~of_it).sum()))
        table.append((name, float(np.median(lengths[of_it])), longer))
        p = 1.0 if np.isnan(test.pvalue) else float(test.pvalue) * material.dataset.classes
        if p < SIGNIFICANT and max(longer, 1 - longer) > most:
            most, telling = max(longer, 1 - longer), name
            direction = "longer" if longer > 0.5 else "shorter"
    if not table:
        return
    severity: Severity = (
        "problem" if most >= DECIDING else "worth knowing" if most >= TELLING else "fine"
    )
    yield Finding(
        name="length and label",
        severity=severity,
        sentence="The length of a text says little about its label."
        if severity == "fine"
        else f"Length tells the label: a text of “{telling}” is {direction} than another with a "
        f"chance of {most:.0%}.",
        advice=""
        if severity == "fine"
        else "A model sees padding and can learn length in place of language. Find out why the "
        "lengths differ; compare with a model that knows the length alone.",
        table=Table(("label", "median words", "chance to be longer"), tuple(table)),
    )


def order(material: Material) -> Iterator[Finding]:
    """Whether rows of one label stand together in the file.

    The number of runs of equal labels against the number expected of a random order. Source: Wald
    and Wolfowitz (1940), for any number of labels 1 + n - sum(n_i^2) / n runs are expected.
    """
    runs = 0
    expected = 0.0
    grouped = []
    for part in material.part_names:
        labels = material.labels[(material.parts == part) & (material.labels != NO_LABEL)]
        counts = np.bincount(labels, minlength=material.dataset.classes)
        if len(labels) < FEWEST_ROWS or (counts > 0).sum() < 2:
            continue
        seen = 1 + int((labels[1:] != labels[:-1]).sum())
        by_chance = 1 + len(labels) - float((counts**2).sum()) / len(labels)
        runs, expected = runs + seen, expected + by_chance
        if seen == (counts > 0).sum():
            grouped.append(part)
    if not expected:
        return
    together = runs < expected / 2
    by_label = "Rows are sorted by label" + (
        "" if len(material.part_names) == 1 else f" in {joined(grouped)}" if grouped else ""
    )
    yield Finding(
        name="order of rows",
        severity="worth knowing" if together else "fine",
        sentence="The rows' order says nothing about their labels."
        if not together
        else f"{by_label}."
        if grouped
        else "Rows of one label stand together.",
        advice="Sentilab shuffles before it trains and draws its splits at random; another program "
        "that takes the first rows, or does not shuffle, would see one label only."
        if together
        else "",
        numbers={"runs of one label": runs, "expected of a random order": round(expected)},
    )


def columns(material: Material, others: Columns) -> Iterator[Finding]:
    """Whether another column of the file gives the label away.

    ``others`` holds a value for each labelled row. Judged by the share of rows whose label is the
    most frequent one among the other rows with the same value (numbers of more than STEPS values:
    with the same step of STEPS quantiles).
    """
    from scipy.stats import binom

    labels = material.labels[material.labelled]
    counts = np.bincount(labels, minlength=material.dataset.classes)
    chance = float(counts.max()) / max(len(labels), 1)
    if not others or len(labels) < FEWEST_ROWS or (counts > 0).sum() < 2:
        return
    rows: list[tuple[str | float, ...]] = []
    telling = []
    for name, values in others.items():
        # Who always names the most frequent label needs no column.
        right = max(_right(_values(values), labels, material.dataset.classes), int(counts.max()))
        p = len(others) * float(binom.sf(right - 1, len(labels), chance))
        share = right / len(labels)
        rows.append((name, share, chance))
        if 1 - share <= ERROR_LEFT * (1 - chance) and p < SIGNIFICANT:
            telling.append(f"“{name}”")
    rows.sort(key=lambda row: (-float(row[1]), str(row[0])))
    many = len(telling) > 1
    yield Finding(
        name="columns that give the label away",
        severity="worth knowing" if telling else "fine",
        sentence=f"The column{'s' * many} {joined(sorted(telling))} all but "
        f"{'decide' if many else 'decides'} the label."
        if telling
        else "No other column of the file gives the label away.",
        advice="Sentilab reads the texts alone, so this leaks nothing by itself. Keep the column out "
        "of the texts, and ask whether it says where the label comes from (a rating) or how the rows "
        "were gathered (a number, a date, a source)."
        if telling
        else "",
        table=Table(("column", "share it gets right", "share by chance"), tuple(rows[:10])),
    )


def _values(values: Sequence[object]) -> Rows:
    """Each row's value as a number from 0; numbers of many values as steps of their quantiles."""
    try:
        numbers = np.asarray([float(str(value)) for value in values])
    except ValueError:
        numbers = np.full(len(values), np.nan)
    if np.isfinite(numbers).all() and len(np.unique(numbers)) > STEPS:
        edges = np.quantile(numbers, np.arange(1, STEPS) / STEPS)
        return np.searchsorted(edges, numbers, side="right").astype(np.int64)
    _, codes = np.unique([str(value) for value in values], return_inverse=True)
    return codes.astype(np.int64)


def _right(codes: Rows, labels: NDArray[np.int64], classes: int) -> int:
    """How many rows have the label that is most frequent among the others with their value.

    A row whose value no other has is given the most frequent label of all.
    """
    cells = np.zeros((int(codes.max()) + 1, classes), np.int64)
    np.add.at(cells, (codes, labels), 1)
    everywhere = np.bincount(labels, minlength=classes)
    right = 0
    for label in range(classes):
        others = cells.copy()
        others[:, label] -= 1
        all_others = everywhere.copy()
        all_others[label] -= 1
        answer = np.where(others.any(axis=1), others.argmax(axis=1), all_others.argmax())
        right += int(cells[answer == label, label].sum())
    return right
