"""Counting n-grams by the kernel, which takes seconds where NumPy takes many."""

import ctypes

import numpy as np
from numpy.typing import NDArray

from sentilab.kernels.native import missing, opened, threads
from sentilab.text import ngrams
from sentilab.text.ngrams import NgramCounts

_LARGEST = 2**31 - 1


class _Call(ctypes.Structure):
    """SentilabNgrams in ngrams.cc."""

    _fields_ = (
        ("ids", ctypes.c_void_p),
        ("texts", ctypes.c_int64),
        ("length", ctypes.c_int64),
        ("orders", ctypes.c_int64),
        ("least", ctypes.c_int64),
        ("features", ctypes.c_int64),
    )


class _Counts(ctypes.Structure):
    """SentilabNgramCounts in ngrams.cc."""

    _fields_ = (
        ("features", ctypes.c_int64),
        ("entries", ctypes.c_int64),
        ("hashes", ctypes.POINTER(ctypes.c_uint32)),
        ("frequencies", ctypes.POINTER(ctypes.c_int32)),
        ("starts", ctypes.POINTER(ctypes.c_int64)),
        ("indices", ctypes.POINTER(ctypes.c_int32)),
        ("owner", ctypes.c_void_p),
    )


def path() -> str:
    """What counts n-grams here: "the kernel, 2 threads", or "NumPy: ..." with the reason."""
    if missing():
        return f"NumPy: {missing()}"
    return f"the kernel, {threads()} thread{'s' * (threads() != 1)}"


def count(
    ids: NDArray[np.int32], orders: int, *, least: int = 2, features: int = _LARGEST
) -> NgramCounts:
    """As sentilab.text.ngrams.count, whose answers these are to the last bit, whatever ``path`` says.

    Raises ValueError for ids that are not (texts, length) of int32 or numbers below 1, MemoryError.
    """
    if ids.ndim != 2 or ids.dtype != np.int32:
        raise ValueError(
            f"ids of {ids.dtype} and shape {ids.shape} are not (texts, length) of int32."
        )
    if min(orders, least, features) < 1:
        raise ValueError("orders, least and features must be at least 1.")
    library = opened()
    if library is None:
        return ngrams.count(ids, orders, least=least, features=features)
    ids = np.ascontiguousarray(ids)
    call = _Call(ids.ctypes.data, *ids.shape, orders, least, min(features, _LARGEST))
    counts = _Counts()
    if library.sentilab_ngrams_count(ctypes.byref(call), ctypes.byref(counts), threads()):
        raise MemoryError("There is not enough memory to count these n-grams.")
    try:
        return NgramCounts(
            hashes=_copied(counts.hashes, counts.features, np.uint32),
            frequencies=_copied(counts.frequencies, counts.features, np.int32),
            starts=_copied(counts.starts, len(ids) + 1, np.int64),
            indices=_copied(counts.indices, counts.entries, np.int32),
        )
    finally:
        library.sentilab_ngrams_free(ctypes.byref(counts))


def _copied(address: "ctypes._Pointer[ctypes._SimpleCData[int]]", size: int, kind: type) -> NDArray:  # type: ignore[type-arg]
    if not size:
        return np.zeros(0, kind)  # an empty vector has no address
    return np.ctypeslib.as_array(address, (size,)).copy()
