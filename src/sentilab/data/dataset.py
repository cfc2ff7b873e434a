"""What every source yields: labelled texts in one flat table."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rejected:
    """Rows set aside while reading: how many of how many, and the file that lists each one."""

    count: int
    total: int
    path: Path | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled texts as one table; row i is (ids[i], texts[i], labels[i], splits[i]).

    ``labels`` has shape (texts,) and indexes ``label_names``. ``splits`` has shape (texts,) and
    holds "train" or "test" where the source has official splits, and is None where it has none.
    ``fingerprint`` identifies the content (hex SHA-256): equal fingerprints mean equal tables.
    ``notices`` are sentences for the user: what was guessed, what was found odd. ``without`` names
    what was left out on demand, and ``home`` is the folder in which the data were found. ``groups`` is
    what ``repeat_groups`` gives, where that has been worked out before.
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
    without: str = ""
    home: Path | None = None
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        return len(self.label_names)

    def told(self) -> dict[str, Any]:
        """What is written of the data beside results, as JSON has it."""
        return {
            "name": self.name,
            "origin": self.origin,
            "fingerprint": self.fingerprint,
            "label_names": list(self.label_names),
            "is_generated": self.is_generated,
            "notices": list(self.notices),
        }


class ArrowTexts(Sequence[str]):
    """Texts in an Arrow array, made into Python strings only where they are read."""

    def __init__(self, array: Any) -> None:
        import pyarrow as pa

        joined = pa.chunked_array(array) if isinstance(array, list) else array
        if isinstance(joined, pa.ChunkedArray):
            joined = joined.cast(pa.large_string()).combine_chunks()
        self._array = joined.cast(pa.large_string())

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "ArrowTexts": ...
    def __getitem__(self, index: int | slice) -> "str | ArrowTexts":
        if isinstance(index, slice):
            return ArrowTexts(self._array[index])
        return str(self._array[int(index)].as_py())

    def __iter__(self) -> Iterator[str]:
        block = 4096
        for start in range(0, len(self), block):
            yield from self._array.slice(start, block).to_pylist()

    def take(self, rows: NDArray[np.int64]) -> "ArrowTexts":
        return ArrowTexts(self._array.take(rows))


def subset(dataset: Dataset, rows: NDArray[np.int64]) -> Dataset:
    """The table of these rows alone, in their order, with a fingerprint of its own."""
    texts = dataset.texts
    kept = texts.take(rows) if isinstance(texts, ArrowTexts) else [texts[row] for row in rows]
    labels = dataset.labels[rows]
    splits = None if dataset.splits is None else dataset.splits[rows]
    return replace(
        dataset,
        fingerprint=fingerprint_of(kept, labels, dataset.label_names, splits),
        ids=[dataset.ids[row] for row in rows],
        texts=kept,
        labels=labels,
        splits=splits,
        groups=None,
    )


def fingerprint_of(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    splits: NDArray[np.str_] | None,
) -> str:
    """Hex SHA-256 of a table's content, whatever file it came from."""
    import pyarrow as pa

    array = (texts if isinstance(texts, ArrowTexts) else ArrowTexts(pa.array(texts)))._array
    digest = hashlib.sha256(repr(tuple(label_names)).encode())
    _, ends_buffer, values = array.buffers()
    if len(array):
        # A slice shares its buffers with the whole: only what is its own may count.
        ends = np.frombuffer(ends_buffer, np.int64, len(array) + 1, 8 * array.offset)
        digest.update((ends - ends[0]).data)
        digest.update(memoryview(values)[ends[0] : ends[-1]] if values is not None else b"")
    digest.update(np.ascontiguousarray(labels, np.int64).data)
    if splits is not None:
        digest.update(np.asarray(splits == "train", np.uint8).data)
    return digest.hexdigest()
