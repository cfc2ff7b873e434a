"""Words and pairs of successive words: in how many texts of each label each stands, and in which."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sentilab.text import Tokens

Rows = NDArray[np.int64]
Term = tuple[int, ...]
"""One word, or two successive ones, as numbers of ``Tokens.words``."""


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms of one length: ``words`` (terms, 1 or 2), ``texts`` (terms, labels) counts texts."""

    words: Rows
    texts: Rows


@dataclass(frozen=True, eq=False)
class Stream:
    """The words of some texts end to end: ``ids`` and ``text``, the text's number, (words,).

    ``labels`` has shape (texts,) and holds numbers below ``classes``; ``vocabulary`` counts the
    different words that ``ids`` may hold.
    """

    ids: Rows
    text: Rows
    labels: Rows
    classes: int
    vocabulary: int

    @classmethod
    def of(cls, tokens: Tokens, rows: Rows, labels: Rows, classes: int) -> "Stream":
        ids, lengths = tokens.of(rows)
        text = np.repeat(np.arange(len(rows)), lengths)
        return cls(ids.astype(np.int64), text, labels[rows], classes, len(tokens.words))

    def frequent(self, least: int) -> tuple[Terms, Terms]:
        """The words, and the pairs of words, that stand in at least ``least`` texts."""
        counts = self._texts_with(self.ids, self.text, self.vocabulary)
        often = counts.sum(axis=1) >= least
        # Only words that are frequent enough can make a pair that is.
        candidate = self._adjacent & often[self.ids[1:]] & often[self.ids[:-1]]
        code = self._pairs[candidate]
        codes, occurrences = _distinct(code)
        codes = codes[occurrences >= least]
        at = np.searchsorted(codes, code)
        known = at < len(codes)
        known[known] = codes[at[known]] == code[known]
        pair_counts = self._texts_with(at[known], self.text[:-1][candidate][known], len(codes))
        enough = pair_counts.sum(axis=1) >= least
        pairs = np.stack(np.divmod(codes[enough], max(self.vocabulary, 1)), axis=1)
        return Terms(np.flatnonzero(often)[:, None], counts[often]), Terms(
            pairs, pair_counts[enough]
        )

    def holding(self, term: Term) -> Rows:
        """The numbers of the texts that hold ``term``, ascending."""
        if len(term) == 1:
            return np.unique(self.text[self.ids == term[0]])
        here = self._adjacent & (self._pairs == term[0] * self.vocabulary + term[1])
        return np.unique(self.text[:-1][here])

    @cached_property
    def _adjacent(self) -> NDArray[np.bool_]:
        """Whether a word and the next stand in the same text: shape (words - 1,)."""
        return np.asarray(self.text[1:] == self.text[:-1])

    @cached_property
    def _pairs(self) -> Rows:
        """A word and the next as one number: shape (words - 1,)."""
        return self.ids[:-1] * self.vocabulary + self.ids[1:]

    def _texts_with(self, term: Rows, text: Rows, terms: int) -> Rows:
        """In how many texts of each label each term stands: shape (terms, labels)."""
        once, _ = _distinct(text * max(terms, 1) + term)
        text, term = np.divmod(once, max(terms, 1))
        cells = term * self.classes + self.labels[text]
        return np.bincount(cells, minlength=terms * self.classes).reshape(terms, self.classes)


def _distinct(values: Rows) -> tuple[Rows, Rows]:
    """(the different values, ascending; how often each occurs).

    By sorting: np.unique's hash table takes ten times as long on millions of large numbers.
    """
    ordered = np.sort(values)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    starts = starts[: len(ordered)]
    return ordered[starts], np.diff(np.append(starts, len(ordered)))
