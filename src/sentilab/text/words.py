"""Words, vocabulary and encoding, as in keras.datasets.imdb and keras.utils.pad_sequences.

A text is lowered, Keras's filter characters become spaces, and it is split on spaces. Words are
ranked by how often they occur in the training texts (ties: whichever came first), and a text
becomes: start token 1, then rank + 3 for each word, or 2 where that is not below the vocabulary's
size; of these the last ``length`` are kept, with zeros in front.
"""

import hashlib
import json
import logging
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from sentilab import atomic
from sentilab.errors import DataError
from sentilab.readable import json_of, printable

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
# What is lower case depends on Python's Unicode tables, and so do the words.
TOKENISER_VERSION = f"1-unicode-{unicodedata.unidata_version}"

_log = logging.getLogger(__name__)

# UTF-8 bytes: bytes.translate takes a table of all 256 values and is several times as fast as
# str.translate. Filters are ASCII, so no byte of a longer character is touched.
_BYTES_TO_SPACES = bytes(ord(" ") if chr(n) in FILTERS else n for n in range(256))


@dataclass(frozen=True)
class Encoding:
    """``words`` counts all integers in use, the three special ones and 0 included."""

    words: int = 20_000
    length: int = 200

    PAD: ClassVar[int] = 0
    START: ClassVar[int] = 1
    OUT_OF_VOCABULARY: ClassVar[int] = 2
    OFFSET: ClassVar[int] = 3

    @property
    def ranks(self) -> int:
        """How many of the most frequent words have an integer of their own."""
        return max(0, self.words - 1 - self.OFFSET)


@dataclass(frozen=True)
class Tokens:
    """The words of many texts.

    Text i is ``ids[offsets[i] : offsets[i + 1]]``, numbers into ``words``, which lists the
    distinct words in order of first appearance. ``ids`` is int32 of shape (tokens,), ``offsets``
    int64 of shape (texts + 1,).
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    encoded_words: bytes

    @cached_property
    def words(self) -> list[str]:
        """The distinct words. No word holds a newline: it is a filter character."""
        return _decoded(self.encoded_words).split("\n") if self.encoded_words else []

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Words in each text: shape (texts,)."""
        return np.diff(self.offsets)

    def of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The chosen texts' ids end to end, shape (tokens of rows,), and their lengths (rows,)."""
        lengths = self.lengths[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.ids[np.repeat(self.offsets[rows], lengths) + within], lengths


class Fingerprinted(Protocol):
    """Texts and what identifies them, such as a Dataset."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def texts(self) -> Iterable[str]: ...


def words_of(text: str) -> list[str]:
    """A text's words. Source: keras.preprocessing.text.text_to_word_sequence."""
    spaced = _decoded(_encoded(text.lower()).translate(_BYTES_TO_SPACES))
    return list(filter(None, spaced.split(" ")))


def tokenize(texts: Iterable[str]) -> Tokens:
    """The words of all texts, numbered in order of first appearance."""
    number_of: defaultdict[str, int] = defaultdict()
    number_of.default_factory = number_of.__len__
    parts: list[NDArray[np.int32]] = []
    lengths = [0]
    for text in texts:
        words = words_of(text)
        numbers = map(number_of.__getitem__, words)
        parts.append(np.fromiter(numbers, np.int32, len(words)))
        lengths.append(len(words))
    return Tokens(
        ids=np.concatenate(parts) if parts else np.zeros(0, np.int32),
        offsets=np.cumsum(lengths),
        encoded_words=_encoded("\n".join(number_of)),
    )


def cache_folder() -> Path:
    """Where tokenised texts are kept between commands."""
    from platformdirs import user_cache_path

    return user_cache_path("sentilab") / "tokens"


def joined(first: Tokens, second: Tokens) -> Tokens:
    """The texts of both, one after the other, over one list of words."""
    number_of = {word: number for number, word in enumerate(first.words)}
    renumbered = np.fromiter(
        (number_of.setdefault(word, len(number_of)) for word in second.words),
        np.int32,
        len(second.words),
    )
    return Tokens(
        ids=np.concatenate([first.ids, renumbered[second.ids]]),
        offsets=np.concatenate([first.offsets, first.offsets[-1] + second.offsets[1:]]),
        encoded_words=_encoded("\n".join(number_of)),
    )


def cached_tokens(dataset: Fingerprinted, folder: Path | None) -> Tokens:
    """The dataset's tokens, from ``folder`` if they were computed before; None: no cache.

    The file is keyed by the data's fingerprint and the tokeniser's version, and holds a checksum:
    a damaged file is computed anew, and a folder that cannot be written to is done without; both
    are logged as warnings.
    """
    if folder is None:
        return tokenize(dataset.texts)
    path = folder / f"{dataset.fingerprint[:32]}-v{TOKENISER_VERSION}.safetensors"
    if path.exists():
        tokens = _read_cache(path)
        if tokens is not None:
            return tokens
        _log.warning("%s: the tokenised texts kept here are damaged; tokenising anew.", path)
    tokens = tokenize(dataset.texts)
    try:
        _write_cache(tokens, path)
    except OSError as error:
        _log.warning("%s: the tokenised texts cannot be kept here (%s).", folder, error)
    return tokens


@dataclass(frozen=True)
class Vocabulary:
    """The most frequent words, rank 1 first, and how to encode with them."""

    words: tuple[str, ...]
    encoding: Encoding

    @classmethod
    def learn(cls, tokens: Tokens, rows: NDArray[np.int64], encoding: Encoding) -> "Vocabulary":
        """Ranks the words of the texts ``rows``; ties go to the word that appears first there."""
        ids, _ = tokens.of(rows)
        counts = np.bincount(ids, minlength=len(tokens.words))
        first = np.full(len(counts), len(ids))
        # Assigned from the end, so that the first appearance is what stays.
        first[ids[::-1]] = np.arange(len(ids))[::-1]
        ranked = np.lexsort((first, -counts))[: min(encoding.ranks, int((counts > 0).sum()))]
        return cls(tuple(tokens.words[number] for number in ranked), encoding)

    @cached_property
    def index(self) -> dict[str, int]:
        """The integer of each word."""
        return {word: n for n, word in enumerate(self.words, start=Encoding.OFFSET + 1)}

    @cached_property
    def _numbers(self) -> "_Numbers":
        return _Numbers(self.index)

    def encode(self, texts: Iterable[str]) -> NDArray[np.int32]:
        """Integers of shape (texts, length)."""
        return self.encode_counting(texts)[0]

    def encode_counting(self, texts: Iterable[str]) -> tuple[NDArray[np.int32], list[int]]:
        """The same, and how many words each text has, those that are not kept among them."""
        # Text by text: only the words that are kept are looked up, which is several times as fast
        # as numbering all of them. ``encode_tokens`` is for texts that are encoded again and again.
        length, number_of = self.encoding.length, self._numbers.__getitem__
        rows: list[list[int]] = []
        counts: list[int] = []
        for text in texts:
            words = words_of(text)
            counts.append(len(words))
            row = list(map(number_of, words[-length:]))
            rows.append(row if len(words) >= length else [Encoding.START, *row])
        encoded = np.full((len(rows), length), Encoding.PAD, np.int32)
        for number, row in enumerate(rows):
            encoded[number, length - len(row) :] = row
        return encoded, counts

    def numbers(self, tokens: Tokens) -> NDArray[np.int32]:
        """The integer of each of ``tokens.words``: shape (distinct words,)."""
        unknown = Encoding.OUT_OF_VOCABULARY
        return np.fromiter(
            (self.index.get(word, unknown) for word in tokens.words), np.int32, len(tokens.words)
        )

    def encode_tokens(self, tokens: Tokens, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Integers of shape (rows, length) for the texts ``rows``."""
        table = self.numbers(tokens)
        length = self.encoding.length
        encoded = np.full((len(rows), length), Encoding.PAD, np.int32)
        kept = np.minimum(tokens.lengths[rows], length)
        # Position in the row, counted from its end, of each token that is kept.
        row = np.repeat(np.arange(len(rows)), kept)
        back = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
        back -= np.repeat(kept, kept)
        ends = tokens.offsets[1:][rows]
        encoded[row, length + back] = table[tokens.ids[np.repeat(ends, kept) + back]]
        with_start = np.flatnonzero(kept < length)
        encoded[with_start, length - 1 - kept[with_start]] = Encoding.START
        return encoded

    def decode(self, row: Sequence[int] | NDArray[np.int32]) -> str:
        """The words of one encoded text; padding is left out, unknown words are "<?>"."""
        return " ".join(self._name(int(one)) for one in row if one != Encoding.PAD)

    def _name(self, number: int) -> str:
        if number == Encoding.START:
            return "<start>"
        rank = number - Encoding.OFFSET
        return self.words[rank - 1] if 1 <= rank <= len(self.words) else "<?>"

    def to_json(self) -> str:
        """Words and settings, for ``from_json``."""
        settings = {"words": self.encoding.words, "length": self.encoding.length}
        return json.dumps({"encoding": settings, "words": self.words}) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """Raises DataError, saying what is wrong, if ``text`` is not what ``to_json`` writes."""
        try:
            content = json_of(text)
        except ValueError as error:
            raise DataError(
                f"This is not a vocabulary: not valid JSON ({printable(str(error))})."
            ) from error
        fault = _fault(content)
        if fault:
            raise DataError(f"This is not a vocabulary: {fault}.")
        return cls(tuple(content["words"]), Encoding(**content["encoding"]))


class _Numbers(dict[str, int]):
    """Each word's integer, and for any other word the unknown's: a look-up without Python in it."""

    def __missing__(self, word: str) -> int:
        return Encoding.OUT_OF_VOCABULARY


def _fault(content: Any) -> str:
    """What keeps parsed JSON from being a vocabulary, or nothing."""
    if not isinstance(content, dict) or set(content) != {"encoding", "words"}:
        return 'it must hold "encoding" and "words" and nothing else'
    settings, words = content["encoding"], content["words"]
    if not isinstance(settings, dict) or set(settings) != {"words", "length"}:
        return 'its "encoding" must hold "words" and "length" and nothing else'
    if not all(type(one) is int and one > 0 for one in settings.values()):
        return 'the settings in "encoding" must be whole numbers above 0'
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
        return '"words" must be a list of texts'
    if len(words) > Encoding(**settings).ranks:
        return f"{len(words):,} words are more than the settings have integers for"
    if len(set(words)) < len(words):
        return "a word stands there twice"
    if words_of(" ".join(words)) != words:
        return "some of its words are none that the encoding could meet"
    return ""


def _encoded(text: str) -> bytes:
    # Lone surrogates are legal in a Python string; a JSON file may bring them.
    return text.encode("utf-8", "surrogatepass")


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def _checksum(tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        # Type and shape too: a flipped bit in the file's header changes them and no data.
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def _write_cache(tokens: Tokens, path: Path) -> None:
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {
        "ids": tokens.ids,
        "offsets": tokens.offsets,
        "words": np.frombuffer(tokens.encoded_words, np.uint8),
    }
    atomic.write_bytes(path, save(tensors, metadata={"sha256": _checksum(tensors)}))


def _read_cache(path: Path) -> Tokens | None:
    """The tokens that were written to ``path``, or None if it holds anything else."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in ("ids", "offsets", "words")}
            written = (file.metadata() or {}).get("sha256")
    except (SafetensorError, OSError):
        return None
    if _checksum(tensors) != written:
        return None
    return Tokens(tensors["ids"], tensors["offsets"], tensors["words"].tobytes())
