"""Prepared data as files that many processes map into their memory: one copy for all of them.

A folder holds labels, splits and tokenised texts, and the encoded texts of every vocabulary that was asked
for, each as plain ``.npy`` with its checksum beside it. What is damaged is refused, or made anew.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from sentilab import atomic, data
from sentilab.text import Tokens, Vocabulary

_log = logging.getLogger(__name__)

FACTS = "facts.json"
CHECKED = ".sha256"


class DamagedShare(OSError):
    """A file of shared data is not what was written: the machine's fault, and mended by writing anew."""


class _Untold(Sequence[str]):
    """The texts themselves, which no training asks for: it reads tokens."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __len__(self) -> int:
        return self._number

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        raise RuntimeError("Shared data hold tokens, and not the texts.")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("Shared data hold tokens, and not the texts.")


def write(
    folder: Path,
    dataset: data.Dataset,
    tokens: Tokens,
    unlabelled: data.Unlabelled | None = None,
    unlabelled_tokens: Tokens | None = None,
) -> None:
    """Writes all that training needs of these data; what stands there already is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / "labels.npy", dataset.labels)
    _save(folder / "groups.npy", data.repeat_groups(dataset))
    if dataset.splits is not None:
        _save(folder / "splits.npy", dataset.splits)
    _save_tokens(folder, "tokens", tokens)
    facts: dict[str, Any] = {"dataset": {**dataset.told(), "without": dataset.without}}
    if unlabelled is not None and unlabelled_tokens is not None:
        _save_tokens(folder, "unlabelled", unlabelled_tokens)
        facts["unlabelled"] = {
            "name": unlabelled.name,
            "origin": unlabelled.origin,
            "fingerprint": unlabelled.fingerprint,
            "texts": len(unlabelled),
        }
    facts["ids"] = list(dataset.ids)
    # Last: where it is, all is.
    atomic.write_text(folder / FACTS, json.dumps(facts))


def read(
    folder: Path,
) -> tuple[data.Dataset, Tokens, data.Unlabelled | None, Tokens | None]:
    """What ``write`` wrote, mapped into memory; the texts themselves are not there.

    Raises DamagedShare for a file that is missing or not what was written.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        told = facts["dataset"]
        splits = load(folder / "splits.npy") if (folder / "splits.npy").exists() else None
        dataset = data.Dataset(
            name=told["name"],
            origin=told["origin"],
            fingerprint=told["fingerprint"],
            ids=facts["ids"],
            texts=_Untold(len(facts["ids"])),
            labels=load(folder / "labels.npy"),
            label_names=tuple(told["label_names"]),
            splits=splits,
            notices=tuple(told["notices"]),
            is_generated=told["is_generated"],
            without=told["without"],
            groups=load(folder / "groups.npy"),
        )
        tokens = _load_tokens(folder, "tokens")
        if "unlabelled" not in facts:
            return dataset, tokens, None, None
        more = facts["unlabelled"]
        texts = _Untold(more.pop("texts"))
        return (
            dataset,
            tokens,
            data.Unlabelled(**more, texts=texts),
            _load_tokens(folder, "unlabelled"),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedShare(f"{folder}: the shared data are damaged ({error})") from error


def encoded(
    folder: Path, vocabulary: Vocabulary, tokens: Tokens, rows: NDArray[np.int64]
) -> NDArray[np.int32]:
    """``vocabulary.encode_tokens(tokens, rows)``, from ``folder`` if any process has made it before."""
    digest = hashlib.sha256(vocabulary.to_json().encode())
    digest.update(f"{len(tokens.ids)} {len(tokens.offsets)}".encode())
    digest.update(np.ascontiguousarray(rows).data)
    path = folder / f"encoded-{digest.hexdigest()[:32]}.npy"
    return _kept(path, lambda: vocabulary.encode_tokens(tokens, rows))


def _kept(path: Path, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    if path.exists():
        try:
            return load(path)
        except DamagedShare as error:
            _log.warning("%s; it is made anew.", error)
    _save(path, make())
    return load(path)


def _save_tokens(folder: Path, name: str, tokens: Tokens) -> None:
    _save(folder / f"{name}-ids.npy", tokens.ids)
    _save(folder / f"{name}-offsets.npy", tokens.offsets)
    _save(folder / f"{name}-words.npy", np.frombuffer(tokens.encoded_words, np.uint8))


def _load_tokens(folder: Path, name: str) -> Tokens:
    return Tokens(
        load(folder / f"{name}-ids.npy"),
        load(folder / f"{name}-offsets.npy"),
        load(folder / f"{name}-words.npy").tobytes(),
    )


def _save(path: Path, array: NDArray[Any]) -> None:
    with atomic.replacing(path) as temporary:
        with temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        digest = _digest(temporary)
        atomic.write_text(path.with_suffix(CHECKED), digest)


def load(path: Path) -> NDArray[Any]:
    """An array, mapped; raises DamagedShare if it is not what was written."""
    try:
        written = path.with_suffix(CHECKED).read_text()
        if _digest(path) != written:
            raise DamagedShare(f"{path}: its bytes are not those that were written")
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        if isinstance(error, DamagedShare):
            raise
        raise DamagedShare(f"{path}: it cannot be read ({error})") from error
    return array


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
