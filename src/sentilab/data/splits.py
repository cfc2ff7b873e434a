"""Which rows train, validate and test; texts that repeat never stand on two sides.

Two texts are repeats of each other if they are equal after folding white space and case.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sentilab.data.dataset import Dataset
from sentilab.errors import DataError

Rows = NDArray[np.int64]

PROTOCOLS = ("notebook", "holdout", "validation")


@dataclass(frozen=True, eq=False)
class Partition:
    """Row numbers of ``dataset``, each part in ascending order."""

    train: Rows
    validation: Rows
    test: Rows
    protocol: str
    dataset: Dataset = field(repr=False)

    @property
    def learning(self) -> Rows:
        """The rows that train or validate, in ascending order, without those that are tested."""
        if self.validation is self.test:
            return self.train
        return np.sort(np.concatenate([self.train, self.validation]))

    @cached_property
    def duplicates(self) -> dict[str, int]:
        """How texts repeat, counted when first asked for (reading every text takes a second).

        ``repeated_texts``: rows whose text stands in an earlier row;
        ``straddling_official_splits``: distinct texts in both official splits;
        ``removed_from_training``: training rows left out because their text is in the test part;
        ``grouped_in_holdout``: rows that carving kept together with a repeat.
        """
        groups = repeat_groups(self.dataset)
        parts = np.concatenate([self.train, self.validation])
        holdout = self.protocol == "holdout"
        _, counts = np.unique(groups[parts], return_counts=True)
        splits = self.dataset.splits
        return {
            "repeated_texts": len(groups) - len(np.unique(groups)),
            "straddling_official_splits": 0
            if splits is None
            else len(np.intersect1d(groups[splits == "train"], groups[splits == "test"])),
            "removed_from_training": len(groups) - len(parts) - len(self.test) if holdout else 0,
            "grouped_in_holdout": int(counts[counts > 1].sum()) if holdout else 0,
        }


def partition(
    dataset: Dataset,
    protocol: str,
    *,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 297,
    fold: tuple[int, int] | None = None,
    inner_fold: tuple[int, int] | None = None,
) -> Partition:
    """Splits ``dataset`` as ``protocol`` says.

    "notebook": the official splits as they are, repeats and all, and validation is the test part.
    "holdout": test as given; training rows that repeat a test text are left out; validation is
    ``validation_fraction`` of the rest, stratified by label. Without official splits a test part of
    ``test_fraction`` is carved first, in the same way, under either protocol.
    "validation": as "holdout", but the test part stays unread, and the validation part is judged.

    ``fold`` (number, of how many): the test part is that fold of the training rows, where there are
    official splits, whose test rows are then in no part; else of all rows.

    ``inner_fold`` (number, of how many): the test part is that fold of the rows that would otherwise
    train or, under "holdout", validate; of the rest a validation part is carved under any protocol. The
    rows that would otherwise be tested are in no part.

    Raises DataError if a label has too few rows to stand on every side, ValueError for another
    protocol.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f'protocol "{protocol}": it must be one of {", ".join(PROTOCOLS)}')
    if inner_fold is not None:
        outer = partition(
            dataset,
            protocol,
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
            seed=seed,
            fold=fold,
        )
        groups = repeat_groups(dataset)
        rest, test = _fold(outer.learning, groups, dataset, *inner_fold, seed)
        train, validation = _carve(rest, groups, dataset, validation_fraction, seed)
        return Partition(train, validation, test, protocol, dataset)
    rows = np.arange(len(dataset))
    official = dataset.splits is not None
    if official and protocol == "notebook" and fold is None:
        train, test = rows[dataset.splits == "train"], rows[dataset.splits == "test"]
        return Partition(train, test, test, protocol, dataset)
    groups = repeat_groups(dataset)
    if official:
        train, test = rows[dataset.splits == "train"], rows[dataset.splits == "test"]
    if fold is not None:
        pool = train[~np.isin(groups[train], groups[test])] if official else rows
        train, test = _fold(pool, groups, dataset, *fold, seed)
    elif not official:
        train, test = _carve(rows, groups, dataset, test_fraction, seed)
    if protocol == "notebook":
        return Partition(train, test, test, protocol, dataset)
    clean = train[~np.isin(groups[train], groups[test])]
    train, validation = _carve(clean, groups, dataset, validation_fraction, seed)
    if protocol == "validation":
        test = validation
    return Partition(train, validation, test, protocol, dataset)


def repeat_groups(dataset: Dataset) -> Rows:
    """For each row the number of the first row with the same text: shape (texts,)."""
    if dataset.groups is not None:
        return dataset.groups
    first_with: dict[str, int] = {}
    folded = (" ".join(text.split()).casefold() for text in dataset.texts)
    return np.fromiter(
        (first_with.setdefault(text, row) for row, text in enumerate(folded)),
        np.int64,
        len(dataset),
    )


def _fold(
    rows: Rows, groups: Rows, dataset: Dataset, number: int, folds: int, seed: int
) -> tuple[Rows, Rows]:
    """(the rest, fold ``number`` from 1): whole groups, each label in like shares in every fold."""
    random = np.random.default_rng(seed)
    labels = dataset.labels[rows]
    _, first, group_of, sizes = np.unique(
        groups[rows], return_index=True, return_inverse=True, return_counts=True
    )
    fold_of = np.zeros(len(sizes), np.int64)
    for label, name in enumerate(dataset.label_names):
        mine = random.permutation(np.flatnonzero(labels[first] == label))
        if 0 < len(mine) < folds:
            raise DataError(
                f'{dataset.name}: the label "{name}" has {len(mine)} different texts, too few for '
                f"{folds} folds. Ask for fewer folds, or leave the label out."
            )
        before = np.cumsum(sizes[mine]) - sizes[mine]
        fold_of[mine] = before * folds // max(1, sizes[mine].sum())
    chosen = (fold_of == number - 1)[group_of]
    return rows[~chosen], rows[chosen]


def _carve(
    rows: Rows, groups: Rows, dataset: Dataset, fraction: float, seed: int
) -> tuple[Rows, Rows]:
    """(kept, carved): whole groups in a seeded order, until each label's share is reached."""
    random = np.random.default_rng(seed)
    labels = dataset.labels[rows]
    wanted = np.round(np.bincount(labels, minlength=dataset.classes) * fraction).astype(int)
    for number, name in enumerate(dataset.label_names):
        have = int((labels == number).sum())
        if have and not 0 < wanted[number] < have:
            raise DataError(
                f'{dataset.name}: the label "{name}" has {have} texts, too few to split off '
                f"{fraction:.0%} of them. Add texts of this label, or leave it out."
            )
    # A group is judged by the label of its first row; members of another label are rare enough
    # (contradictory repeats) to leave the shares within a few rows of what was asked.
    _, group_of, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
    first = np.full(len(sizes), len(rows))
    np.minimum.at(first, group_of, np.arange(len(rows)))
    carved = np.zeros(len(sizes), bool)
    taken = np.zeros(dataset.classes, int)
    for group in random.permutation(len(sizes)):
        label = labels[first[group]]
        if taken[label] + sizes[group] <= wanted[label]:
            carved[group] = True
            taken[label] += sizes[group]
    chosen = carved[group_of]
    missing = [
        name
        for number, name in enumerate(dataset.label_names)
        if (labels == number).any() and not (labels[chosen] == number).any()
    ]
    if missing or chosen.all():
        raise DataError(
            f"{dataset.name}: too many repeats to split off {fraction:.0%} without having the same "
            f"text on both sides (labels left empty: {', '.join(missing) or 'all'})."
        )
    return rows[~chosen], rows[chosen]
