"""Which texts a pretraining reads, and the vocabulary that they give."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sentilab.text import Encoding, Tokens, Vocabulary, joined
from sentilab.training.pretraining.corpus import Corpus, corpus_of

Rows = NDArray[np.int64]


def read(
    tokens: Tokens, train: Rows, unlabelled: Tokens | None, encoding: Encoding, *, labelled: bool
) -> tuple[Vocabulary, Corpus]:
    """The vocabulary, and the corpus of the unlabelled texts and, where ``labelled``, the rows ``train``.

    No other row of ``tokens`` is read: an unlabelled text that repeats one of them, word by word, is
    left out.

    Raises SettingsError if there are too few texts.
    """
    count = len(tokens.lengths)
    known = train if labelled else train[:0]
    if unlabelled is None:
        everything, pool = tokens, known
        rows = known
    else:
        everything = joined(tokens, unlabelled)
        unread = set(sequences(everything, np.setdiff1d(np.arange(count), known)))
        more = np.arange(count, len(everything.lengths))
        fresh = [one not in unread for one in sequences(everything, more)]
        pool = more[np.asarray(fresh, bool)]
        rows = np.concatenate([known, pool])
    vocabulary = Vocabulary.learn(everything, rows, encoding)
    return vocabulary, corpus_of(everything, rows, pool, vocabulary)


def sequences(tokens: Tokens, rows: Rows) -> Iterable[bytes]:
    """Each text's words as bytes that are equal for equal words."""
    for row in rows:
        yield tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]].tobytes()
