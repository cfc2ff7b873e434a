"""What every source yields: labelled texts in one flat table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rejected:
    """Rows set aside while reading: how many of how many, and the file that lists each one."""

    count: int
    total: int
    path: Path | None


@dataclass(frozen=True)
class Dataset:
    """Labelled texts as one table; row i is (ids[i], texts[i], labels[i], splits[i]).

    ``labels`` has shape (texts,) and indexes ``label_names``. ``splits`` has shape (texts,) and holds
    "train" or "test" where the source has official splits, and is None where it has none.
    ``fingerprint`` identifies the content (hex SHA-256): equal fingerprints mean equal tables.
    ``notices`` are sentences for the user: what was guessed, what was found odd.
    """

    name: str
    origin: str
    fingerprint: str
    ids: Sequence[str]
    texts: Sequence[str]
    labels: NDArray[np.int64]
    label_names: tuple[str, ...]
    splits: NDArray[np.str_] | None = None
    rejected: Rejected = Rejected(0, 0, None)
    notices: tuple[str, ...] = ()
    is_generated: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        return len(self.label_names)
