"""What every check looks at: the texts of all splits in one table, their words, their repeats."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sentilab.checkup.excerpts import Excerpt
from sentilab.checkup.finding import Passage
from sentilab.data import Dataset
from sentilab.data.splits import repeat_groups
from sentilab.text import Tokens, tokenize

Rows = NDArray[np.int64]

TRAIN, TEST, UNLABELLED, WHOLE = "train", "test", "unlabelled", "all"
NO_LABEL = -1


@dataclass(frozen=True)
class Unlabelled:
    """Texts without labels that belong to a data set."""

    ids: Sequence[str]
    texts: Sequence[str]


@dataclass(frozen=True, eq=False)
class Material:
    """Row i is (ids[i], texts[i], labels[i], parts[i]), the labelled rows first, in their order.

    ``parts`` names each row's split: "train" and "test", or "all" where the data have none, and
    "unlabelled". ``labels`` is NO_LABEL for the latter. ``groups`` holds for each row the number of
    the first row with the same text, after folding white space and case. All have shape (texts,).
    """

    dataset: Dataset
    ids: Sequence[str]
    texts: Sequence[str]
    labels: NDArray[np.int64]
    parts: NDArray[np.str_]
    groups: Rows

    @classmethod
    def of(cls, dataset: Dataset, unlabelled: Unlabelled | None) -> "Material":
        more = unlabelled or Unlabelled((), ())
        ids, texts = [*dataset.ids, *more.ids], [*dataset.texts, *more.texts]
        without = np.full(len(more.ids), NO_LABEL)
        labels = np.concatenate([dataset.labels, without]).astype(np.int64)
        official = np.full(len(dataset), WHOLE) if dataset.splits is None else dataset.splits
        parts = np.concatenate([official, np.full(len(more.ids), UNLABELLED)])
        together = replace(dataset, ids=ids, texts=texts, labels=labels, splits=None)
        groups = repeat_groups(together)
        return cls(dataset, ids, texts, labels, parts, groups)

    @cached_property
    def tokens(self) -> Tokens:
        """The words of all texts."""
        return tokenize(self.texts)

    @cached_property
    def part_names(self) -> list[str]:
        """The splits that there are, in the order in which they are spoken of."""
        present = set(self.parts.tolist())
        return [name for name in (TRAIN, TEST, WHOLE, UNLABELLED) if name in present]

    @cached_property
    def labelled(self) -> Rows:
        return np.flatnonzero(self.labels != NO_LABEL)

    @cached_property
    def distinct(self) -> Rows:
        """One row of each distinct text."""
        return np.unique(self.groups)

    @cached_property
    def examples(self) -> Rows:
        """Labelled rows less those whose text stands in an earlier one with the same label."""
        rows = self.labelled
        keys = self.groups[rows] * self.dataset.classes + self.labels[rows]
        _, first = np.unique(keys, return_index=True)
        return np.asarray(rows[np.sort(first)])

    @cached_property
    def members(self) -> dict[int, Rows]:
        """The rows of each text that stands in more than one, by its group's number."""
        order = np.argsort(self.groups, kind="stable")
        numbers, starts, counts = np.unique(
            self.groups[order], return_index=True, return_counts=True
        )
        return {
            int(numbers[at]): order[starts[at] : starts[at] + counts[at]]
            for at in np.flatnonzero(counts > 1)
        }

    def rows_of(self, group: int) -> Rows:
        """The rows that hold the text of this group."""
        return self.members.get(group, np.asarray([group]))

    def label(self, row: int) -> str | None:
        number = int(self.labels[row])
        return None if number == NO_LABEL else self.dataset.label_names[number]

    def by_id(self, rows: Rows) -> list[int]:
        """The rows in the order of their ids: the same however a table is shuffled."""
        return sorted((int(row) for row in rows), key=lambda row: str(self.ids[row]))

    def passage(self, row: int, excerpt: Excerpt, also: Sequence[int] = ()) -> Passage:
        text, marks = excerpt
        return Passage(
            id=str(self.ids[row]),
            part=str(self.parts[row]),
            label=self.label(row),
            text=text,
            marks=marks,
            also=tuple(str(self.ids[one]) for one in also),
        )
