"""Logistic regression over the characters of words: what is spelt alike weighs alike.

A text is the set of its distinct words, and each word brings the n-grams of its characters, a space
before and after it included. How much a text has of an n-gram is how many of its distinct words hold it.
So what a word adds to the score is a sum over its own n-grams, which the graph holds ready for each word
of the vocabulary. A word out of the vocabulary adds nothing: the graph is given numbers, not letters.
"""

# ruff: noqa: ARG001  A model's function declares the settings that only its solver reads.

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SettingsError
from sentilab.models import linear
from sentilab.models.logistic import inverse_frequency
from sentilab.models.registry import Task, register
from sentilab.models.space import Range

if TYPE_CHECKING:
    from keras import Model


def _solve(
    task: Task,
    x: NDArray[np.int32],
    labels: NDArray[np.int64],
    seed: int,
    *,
    vocabulary: Sequence[str],
    shortest: int,
    longest: int,
    least: int,
    features: int,
    strength: float,
) -> "Model":
    from sentilab.text import Encoding, ngrams

    _require(shortest, longest)
    if not vocabulary:
        raise SettingsError("characters needs the vocabulary, to know how its words are spelt.")
    first = Encoding.OFFSET + 1
    ids = np.arange(first, first + len(vocabulary), dtype=np.int32)
    hashes = ngrams.hashes(ids[:, None], 1).ravel()
    has = _words_of_texts(x, hashes)
    spelt = _spelling(vocabulary, shortest, longest)
    counts = has @ spelt
    frequencies = np.bincount(counts.indices, minlength=spelt.shape[1]).astype(np.int32)
    kept = np.flatnonzero(frequencies >= least)
    kept = np.sort(kept[np.argsort(-frequencies[kept], kind="stable")[:features]])
    if not len(kept):
        raise SettingsError(
            f"characters: no n-gram stands in {least} of the {len(x):,} training texts; "
            "a smaller least keeps more of them."
        )
    values = inverse_frequency(frequencies[kept], len(x))
    spelt, counts = spelt[:, kept], counts[:, kept]
    for each in (spelt, counts):
        each.data *= values[each.indices]
    # A row's length is that which it had if no two words shared an n-gram: so it is a sum over words.
    squares = np.asarray(spelt.multiply(spelt).sum(axis=1)).ravel()
    lengths = np.sqrt(has @ squares)
    counts.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(counts.indptr))
    regression = linear.logistic_regression(strength, seed)
    fitted = [linear.fitted_by(regression, counts, labels == aim) for aim in linear.aims(task)]
    columns = np.stack([*(spelt @ weights for weights, _ in fitted), squares], axis=1)
    bias = np.asarray([one for _, one in fitted])
    return linear.assembled(task, "characters", 1, hashes, columns, 1, bias)


def _words_of_texts(x: NDArray[np.int32], hashes: NDArray[np.uint32]) -> Any:
    """Which text has which word of the vocabulary, whose numbers ``hashes`` are: (texts, words), sparse."""
    from scipy.sparse import csr_array

    from sentilab.kernels.ngrams import count

    known = count(x, 1, least=1)
    order = np.argsort(hashes)
    at = np.searchsorted(hashes[order], known.hashes).clip(max=len(hashes) - 1)
    word = order[at]
    # Those of no word, such as the start token, get a column that is cut off.
    word = np.where(hashes[word] == known.hashes, word, len(hashes)).astype(np.int32)
    matrix = known.matrix()
    shape = (len(x), len(hashes) + 1)
    return csr_array((matrix.data, word[matrix.indices], matrix.indptr), shape)[:, :-1]


def _spelling(vocabulary: Sequence[str], shortest: int, longest: int) -> Any:
    """Which word has which n-gram of characters: (words, n-grams), sparse, of 0 and 1."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(
        analyzer="char_wb", ngram_range=(shortest, longest), lowercase=False, binary=True,
        dtype=np.float32,
    )  # fmt: skip
    matrix = counter.fit_transform(vocabulary)
    # Scikit-learn counts in 64 bits, and its solvers take nothing but 32.
    matrix.indices, matrix.indptr = (
        one.astype(np.int32) for one in (matrix.indices, matrix.indptr)
    )
    return matrix


@register(
    "characters",
    summary="logistic regression over the n-grams of the words' characters",
    solver=_solve,
    defaults=linear.DEFAULTS,
    space={
        "shortest": Range(1, 3),
        "longest": Range(3, 6),
        "least": Range(1, 5),
        "strength": Range(0.1, 200.0, log=True),
    },
)
def characters(
    task: Task,
    *,
    shortest: int = 2,
    longest: int = 5,
    least: int = 2,
    features: int = 500_000,
    strength: float = 3.0,
) -> "Model":
    """N-grams of ``shortest`` to ``longest`` characters within words, weighed by how few texts have them."""
    _require(shortest, longest)
    return linear.empty(task, "characters", orders=1, features=task.words, norms=1)


def _require(shortest: int, longest: int) -> None:
    if shortest > longest:
        raise SettingsError(
            f"The setting shortest is {shortest} and longest is {longest}; it must not be below shortest."
        )
