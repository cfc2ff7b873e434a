"""Learning n-gram vectors from texts without labels, by the kernel."""

import ctypes
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SettingsError
from sentilab.kernels.native import missing, opened, threads
from sentilab.text.ngrams import NgramCounts

Floats = NDArray[np.float32]

# A vector's numbers are a multiple of this: sums run side by side in so many lanes.
LANES = 16

# The rate of the last text, as a share of the first one's.
_LAST_RATE = 0.05

# What random numbers are drawn for, beside the seed.
_START, _ORDER, _NEGATIVES = 1, 2, 3


class _Call(ctypes.Structure):
    """SentilabDocuments in documents.cc."""

    _fields_ = (
        ("starts", ctypes.c_void_p),
        ("indices", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("texts", ctypes.c_int64),
        ("features", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("text_vectors", ctypes.c_void_p),
        ("feature_vectors", ctypes.c_void_p),
        ("sharpness", ctypes.c_float),
        ("negatives", ctypes.c_int64),
        ("first_rate", ctypes.c_float),
        ("last_rate", ctypes.c_float),
        ("seed", ctypes.c_uint64),
    )


def learn(
    known: NgramCounts,
    *,
    size: int,
    passes: int,
    negatives: int = 2,
    sharpness: float = 6.0,
    rate: float = 0.002,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """Vectors of the n-grams ``known``, of length 1: shape (features, ``size``).

    Each text has a vector too, and it and those of its n-grams come to point one way: the probability
    that a text and an n-gram belong together is the logistic function of ``sharpness`` times their
    cosine, and ``negatives`` n-grams drawn at random, as often as they occur, are told from each of the
    text's own. ``rate`` falls in a straight line over all ``passes``. Labels play no part. The same
    seed gives the same bits on any number of threads.

    ``progress`` is told how many passes are done, of how many.

    Raises SettingsError where there is no compiled kernel, for a size that is no multiple of ``LANES``
    and for numbers below 1; MemoryError.
    """
    library = opened()
    if library is None:
        raise SettingsError(
            f"Document vectors are learned by the compiled kernel alone, and {missing()}."
        )
    if size < 1 or size % LANES:
        raise SettingsError(f"size is {size}; it must be a multiple of {LANES}.")
    if min(passes, negatives) < 1 or sharpness <= 0 or rate <= 0:
        raise SettingsError(
            "passes and negatives must be at least 1, sharpness and rate above 0; they are "
            f"{passes}, {negatives}, {sharpness} and {rate}."
        )
    texts, features = len(known.starts) - 1, len(known.hashes)
    starts = np.ascontiguousarray(known.starts, np.int64)
    indices = np.ascontiguousarray(known.indices, np.int32)
    random = np.random.default_rng((seed, _START))
    of_texts, of_features = (
        ((random.random((count, size), np.float32) - 0.5) / size) for count in (texts, features)
    )
    seeds = np.random.default_rng((seed, _NEGATIVES)).integers(2**63, size=passes)
    for done in range(passes if len(indices) else 0):
        order = np.random.default_rng((seed, _ORDER, done)).permutation(texts).astype(np.int32)
        first, last = (rate * (1 - (1 - _LAST_RATE) * at / passes) for at in (done, done + 1))
        call = _Call(
            starts.ctypes.data, indices.ctypes.data, order.ctypes.data, texts, features, size,
            of_texts.ctypes.data, of_features.ctypes.data, sharpness, negatives, first, last,
            int(seeds[done]),
        )  # fmt: skip
        if library.sentilab_learn_documents(ctypes.byref(call), threads()):
            raise MemoryError("There is not enough memory to learn these document vectors.")
        if progress is not None:
            progress(done + 1, passes)
    lengths = np.sqrt(np.square(of_features).sum(axis=1, keepdims=True))
    found: Floats = of_features / np.maximum(lengths, np.float32(1e-12))
    return found
