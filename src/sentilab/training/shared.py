"""Prepared data as files that many processes map into their memory: one copy for all of them.

A folder holds labels, splits and tokenised texts, and the encoded texts of every vocabulary that was asked
for, each as plain ``.npy`` with its checksum beside it. What is damaged is refused, or made anew. A mapping
shows whatever becomes of its file, at any time: who has computed with one asks again whether it is whole,
before anything is kept that came of it.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from sentilab import atomic, data
from sentilab.text import Tokens, Vocabulary

_log = logging.getLogger(__name__)

FACTS = "facts.json"
FORMAT = 2
CHECKED = ".sha256"


class DamagedShare(OSError):
    """A file of shared data is not what was written: the machine's fault, and mended by writing anew."""


@dataclass(frozen=True, eq=False)
class Mapped:
    """An ``array`` as it lies in the file ``path``, and its ``total`` as it was written."""

    path: Path
    array: NDArray[Any]
    total: int

    def require_whole(self) -> None:
        """Raises DamagedShare if a byte is no longer what was written."""
        if _total(self.array) != self.total:
            raise DamagedShare(f"{self.path}: its bytes have changed since they were written")


def require_whole(mapped: Iterable[Mapped]) -> None:
    """Raises DamagedShare if any of these is no longer what was written."""
    for one in mapped:
        one.require_whole()


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
    facts: dict[str, Any] = {
        "format": FORMAT,
        "dataset": {**dataset.told(), "without": dataset.without},
    }
    if unlabelled is not None and unlabelled_tokens is not None:
        _save_tokens(folder, "unlabelled", unlabelled_tokens)
        facts["unlabelled"] = {
            "name": unlabelled.name,
            "origin": unlabelled.origin,
            "fingerprint": unlabelled.fingerprint,
            "texts": len(unlabelled),
        }
    facts["ids"] = list(dataset.ids)
    content = json.dumps(facts).encode()
    atomic.write_text((folder / FACTS).with_suffix(CHECKED), hashlib.sha256(content).hexdigest())
    # Last: where it is, all is.
    atomic.write_bytes(folder / FACTS, content)


@dataclass(frozen=True)
class Shared:
    """What ``write`` wrote; ``mapped`` are the arrays that all of it lies in."""

    dataset: data.Dataset
    tokens: Tokens
    unlabelled: data.Unlabelled | None
    unlabelled_tokens: Tokens | None
    mapped: tuple[Mapped, ...]


def read(folder: Path) -> Shared:
    """What ``write`` wrote, mapped into memory; the texts themselves are not there.

    Raises DamagedShare for a file that is missing or not what was written.
    """
    mapped: list[Mapped] = []

    def array(name: str) -> NDArray[Any]:
        mapped.append(load(folder / f"{name}.npy"))
        return mapped[-1].array

    def tokens_of(name: str) -> Tokens:
        words = array(f"{name}-words").tobytes()
        return Tokens(array(f"{name}-ids"), array(f"{name}-offsets"), words)

    try:
        content = (folder / FACTS).read_bytes()
        written = (folder / FACTS).with_suffix(CHECKED).read_text()
        if hashlib.sha256(content).hexdigest() != written:
            raise ValueError(f"{FACTS} is not what was written")
        facts = json.loads(content)
        if facts["format"] != FORMAT:
            raise ValueError("another version of Sentilab wrote them")
        told = facts["dataset"]
        dataset = data.Dataset(
            name=told["name"],
            origin=told["origin"],
            fingerprint=told["fingerprint"],
            ids=facts["ids"],
            texts=_Untold(len(facts["ids"])),
            labels=array("labels"),
            label_names=tuple(told["label_names"]),
            splits=array("splits") if (folder / "splits.npy").exists() else None,
            notices=tuple(told["notices"]),
            is_generated=told["is_generated"],
            without=told["without"],
            groups=array("groups"),
        )
        tokens = tokens_of("tokens")
        unlabelled = more = None
        if "unlabelled" in facts:
            texts = _Untold(facts["unlabelled"].pop("texts"))
            unlabelled = data.Unlabelled(**facts["unlabelled"], texts=texts)
            more = tokens_of("unlabelled")
        return Shared(dataset, tokens, unlabelled, more, tuple(mapped))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedShare(f"{folder}: the shared data are damaged ({error})") from error


def encoded(
    folder: Path,
    vocabulary: Vocabulary,
    tokens: Tokens,
    rows: NDArray[np.int64],
    source: Iterable[Mapped] = (),
) -> Mapped:
    """``vocabulary.encode_tokens(tokens, rows)``, from ``folder`` if any process has made it before.

    Raises DamagedShare if the ``source`` of the vocabulary, the tokens and the rows is no longer whole.
    """
    digest = hashlib.sha256(vocabulary.to_json().encode())
    digest.update(f"{len(tokens.ids)} {len(tokens.offsets)}".encode())
    digest.update(np.ascontiguousarray(rows).data)
    path = folder / f"encoded-{digest.hexdigest()[:32]}.npy"
    if path.exists():
        try:
            return load(path)
        except DamagedShare as error:
            _log.warning("%s; it is made anew.", error)
    made = vocabulary.encode_tokens(tokens, rows)
    require_whole(source)  # else others would take what came of damage for what is right
    _save(path, made)
    return load(path)


def _save_tokens(folder: Path, name: str, tokens: Tokens) -> None:
    _save(folder / f"{name}-ids.npy", tokens.ids)
    _save(folder / f"{name}-offsets.npy", tokens.offsets)
    _save(folder / f"{name}-words.npy", np.frombuffer(tokens.encoded_words, np.uint8))


def _save(path: Path, array: NDArray[Any]) -> None:
    with atomic.replacing(path) as temporary:
        with temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        checked = f"{_digest(temporary)} {_total(array)}"
        atomic.write_text(path.with_suffix(CHECKED), checked)


def load(path: Path) -> Mapped:
    """An array, mapped; raises DamagedShare if it is not what was written."""
    try:
        digest, total = path.with_suffix(CHECKED).read_text().split()
        if _digest(path) != digest:
            raise DamagedShare(f"{path}: its bytes are not those that were written")
        mapped = Mapped(path, np.load(path, mmap_mode="r", allow_pickle=False), int(total))
    except (OSError, ValueError) as error:
        if isinstance(error, DamagedShare):
            raise
        raise DamagedShare(f"{path}: it cannot be read ({error})") from error
    mapped.require_whole()
    return mapped


def _total(array: NDArray[Any]) -> int:
    """The sum of its bytes, eight by eight: read as fast as memory gives them, and no one byte can change
    without it. What has to withstand more is the digest.
    """
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    eights = len(content) // 8 * 8
    first = content[:eights].view(np.uint64).sum(dtype=np.uint64)
    return int(first) + int(content[eights:].sum(dtype=np.uint64))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
