"""Texts as one stream of integers, cut in rows: no padding, so that no position is wasted."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SettingsError
from sentilab.text import Encoding, Tokens, Vocabulary

Ids = NDArray[np.int32]

# What is held out: one text in a hundred, and no more than tell the perplexity well.
HELD_OUT_SHARE = 100
MOST_HELD_OUT = 200


@dataclass(frozen=True, eq=False)
class Corpus:
    """Encoded texts, each with the start token in front, end to end.

    Text i is ``ids[offsets[i] : offsets[i + 1]]``; ``ids`` has shape (tokens,), ``offsets``
    (texts + 1,). ``held_out`` (tokens,) are other texts, on which the perplexity is measured. All
    integers are below ``words``, and those of words below ``known``.
    """

    ids: Ids
    offsets: NDArray[np.int64]
    held_out: Ids
    words: int
    known: int

    @cached_property
    def fingerprint(self) -> str:
        """Equal for equal corpora only (hex SHA-256)."""
        digest = hashlib.sha256(f"{self.words} {self.known}".encode())
        for array in (self.ids, self.offsets, self.held_out):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each integer occurs in ``ids``, plus 1 for those that can occur: (words,)."""
        counts = np.bincount(self.ids, minlength=self.words)
        counts[Encoding.START : self.known] += 1
        return counts

    def rows(self, length: int, order_seed: tuple[int, ...]) -> Ids:
        """The texts in the order that the seed gives, cut in rows: shape (rows, length).

        What does not fill a row at the end is left out.
        """
        order = np.random.default_rng(order_seed).permutation(len(self.offsets) - 1)
        stream = _gathered(self.ids, self.offsets, order)
        return _cut(stream, length)

    def held_out_rows(self, length: int) -> Ids:
        """``held_out`` cut in rows: shape (rows, length)."""
        return _cut(self.held_out, length)


def corpus_of(
    tokens: Tokens, rows: NDArray[np.int64], pool: NDArray[np.int64], vocabulary: Vocabulary
) -> Corpus:
    """The corpus of the texts ``rows``; of those that are in ``pool`` too some are held out.

    Raises SettingsError if there are too few texts to hold any out.
    """
    if len(rows) < 2 or not len(pool):
        raise SettingsError(
            "There is no text to pretrain on beside the one held out; name more unlabelled texts."
        )
    count = min(MOST_HELD_OUT, max(1, len(pool) // HELD_OUT_SHARE))
    # Spread evenly: the texts of a file often come in some order.
    held = pool[np.arange(count) * len(pool) // count]
    ids, offsets = _encoded(tokens, rows[~np.isin(rows, held)], vocabulary)
    return Corpus(
        ids=ids,
        offsets=offsets,
        held_out=_encoded(tokens, held, vocabulary)[0],
        words=vocabulary.encoding.words,
        known=Encoding.OFFSET + 1 + len(vocabulary.words),
    )


def _encoded(
    tokens: Tokens, rows: NDArray[np.int64], vocabulary: Vocabulary
) -> tuple[Ids, NDArray[np.int64]]:
    """These texts' integers end to end, each after a start token, and where each begins."""
    words, lengths = tokens.of(rows)
    begins = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.insert(vocabulary.numbers(tokens)[words], begins[:-1], Encoding.START)
    return ids.astype(np.int32), begins + np.arange(len(begins))


def _gathered(ids: Ids, offsets: NDArray[np.int64], texts: NDArray[np.int64]) -> Ids:
    """These texts' integers end to end, in this order."""
    lengths = np.diff(offsets)[texts]
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    found: Ids = ids[np.repeat(offsets[texts], lengths) + within]
    return found


def _cut(stream: Ids, length: int) -> Ids:
    rows = len(stream) // length
    return stream[: rows * length].reshape(rows, length)
