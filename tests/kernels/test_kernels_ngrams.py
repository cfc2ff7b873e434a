"""The kernel's counts against NumPy's, which must be the same to the last bit."""

import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from sentilab import kernels
from sentilab.kernels import ngrams
from sentilab.text import ngrams as plain

needs_kernel = pytest.mark.skipif(bool(kernels.missing()), reason=kernels.missing() or "built")


def same(one: plain.NgramCounts, other: plain.NgramCounts) -> None:
    for mine, its in zip(astuple(one), astuple(other), strict=True):
        assert mine.dtype == its.dtype
        np.testing.assert_array_equal(mine, its)


@needs_kernel
@given(
    arrays(np.int32, st.tuples(st.integers(0, 6), st.integers(0, 8)), elements=st.integers(0, 6)),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 40),
)
def test_small_texts_are_counted_as_by_numpy(
    x: NDArray[np.int32], orders: int, least: int, features: int
) -> None:
    # Zeros between words too: whatever may come.
    same(
        ngrams.count(x, orders, least=least, features=features),
        plain.count(x, orders, least=least, features=features),
    )


@needs_kernel
@pytest.mark.parametrize("features", [2**31 - 1, 1_000])
def test_many_texts_are_counted_as_by_numpy(features: int) -> None:
    random = np.random.default_rng(0)
    x = random.zipf(1.3, (700, 90)).clip(0, 5_000).astype(np.int32)
    for row, padding in enumerate(random.integers(0, 90, 700)):
        x[row, :padding] = 0
    same(ngrams.count(x, 3, features=features), plain.count(x, 3, features=features))


@needs_kernel
def test_the_number_of_threads_changes_nothing() -> None:
    x = np.random.default_rng(0).integers(1, 60, (300, 40)).astype(np.int32)
    before = kernels.threads()
    try:
        kernels.set_threads(1)
        one = ngrams.count(x, 3)
        kernels.set_threads(4)
        same(ngrams.count(x, 3), one)
    finally:
        kernels.set_threads(before)


@needs_kernel
def test_any_layout_of_the_array_is_read() -> None:
    x = np.random.default_rng(0).integers(1, 9, (20, 30)).astype(np.int32)
    same(ngrams.count(x[:, ::2], 2), plain.count(x[:, ::2].copy(), 2))


def test_without_the_kernel_numpy_counts_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.asarray([[0, 3, 4, 3], [1, 3, 4, 5]], np.int32)
    wanted = ngrams.count(x, 2)
    monkeypatch.setattr(ngrams, "opened", lambda: None)
    monkeypatch.setattr(ngrams, "missing", lambda: "no C++ compiler was found")
    same(ngrams.count(x, 2), wanted)
    assert ngrams.path() == "NumPy: no C++ compiler was found"


@needs_kernel
def test_that_the_kernel_counts_is_said() -> None:
    assert ngrams.path().startswith("the kernel, ")


def test_what_cannot_be_counted_is_refused() -> None:
    x = np.zeros((2, 3), np.int32)
    with pytest.raises(ValueError, match="int64 and shape"):
        ngrams.count(x.astype(np.int64), 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape"):
        ngrams.count(x[0], 1)
    for wrong in ({"orders": 0}, {"orders": 1, "least": 0}, {"orders": 1, "features": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            ngrams.count(x, **wrong)


def test_jax_is_not_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from sentilab.kernels.ngrams import count\n"
        "count(np.ones((2, 3), np.int32), 2)\n"
        "print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
