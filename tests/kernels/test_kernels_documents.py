"""The kernel's vectors against the same steps taken one by one in float64."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import kernels
from sentilab.errors import SettingsError
from sentilab.kernels import documents
from sentilab.text.ngrams import NgramCounts, count

needs_kernel = pytest.mark.skipif(bool(kernels.missing()), reason=kernels.missing() or "built")

BATCH = 64  # kBatch in documents.cc
BITS = 2**64 - 1


def material(texts: int = 150, words: int = 60) -> NgramCounts:
    """Texts of two kinds, each with words of its own and some of both's; more than two batches."""
    random = np.random.default_rng(0)
    x = random.integers(4, words, (texts, 12))
    of_its_kind = random.random(x.shape) < 0.5
    kind = np.arange(texts)[:, None] % 2
    x[of_its_kind] = (words + 10 * kind + random.integers(0, 10, x.shape))[of_its_kind]
    return count(x.astype(np.int32), 1)


def drawn(state: int, below: int) -> tuple[int, int]:
    """SplitMix64: the next state, and a number below ``below``."""
    state = (state + 0x9E3779B97F4A7C15) & BITS
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & BITS
    return state, (z ^ (z >> 31)) % below


def moved(
    a: NDArray[np.float64], b: NDArray[np.float64], together: bool, sharpness: float, rate: float
) -> NDArray[np.float64]:
    """``a`` after one step up the gradient of the log likelihood."""
    of_a, of_b = np.linalg.norm(a), np.linalg.norm(b)
    cosine = a @ b / (of_a * of_b)
    likely = 1 / (1 + np.exp(-sharpness * cosine))
    slope = b / (of_a * of_b) - cosine * a / of_a**2  # of the cosine
    return np.asarray(a + rate * sharpness * (together - likely) * slope)


def reference(
    known: NgramCounts,
    *,
    size: int,
    passes: int,
    negatives: int,
    sharpness: float,
    rate: float,
    seed: int,
) -> NDArray[np.float64]:
    texts, features = len(known.starts) - 1, len(known.hashes)
    random = np.random.default_rng((seed, 1))
    of_texts, of_features = (
        ((random.random((count, size), np.float32) - 0.5) / size).astype(float)
        for count in (texts, features)
    )
    seeds = np.random.default_rng((seed, 3)).integers(2**63, size=passes)
    for done in range(passes):
        order = np.random.default_rng((seed, 2, done)).permutation(texts)
        first, last = (rate * (1 - 0.95 * at / passes) for at in (done, done + 1))
        for begin in range(0, texts, BATCH):
            met = []
            for at in range(begin, min(begin + BATCH, texts)):
                text, now = order[at], first + (last - first) * at / texts
                state = (int(seeds[done]) ^ (int(text) * 0xD1342543DE82EF95)) & BITS
                for feature in known.indices[known.starts[text] : known.starts[text + 1]]:
                    pairs = [(feature, True)]
                    for _ in range(negatives):
                        state, entry = drawn(state, len(known.indices))
                        pairs.append((known.indices[entry], False))
                    for one, together in pairs:
                        of_texts[text] = moved(
                            of_texts[text], of_features[one], together, sharpness, now
                        )
                        met.append((text, one, together, now))
            for text, one, together, now in met:
                of_features[one] = moved(of_features[one], of_texts[text], together, sharpness, now)
    return of_features / np.linalg.norm(of_features, axis=1, keepdims=True)


HOW: dict[str, Any] = {"size": 16, "passes": 3, "negatives": 2, "sharpness": 6.0, "rate": 0.01}


@needs_kernel
def test_the_vectors_are_those_of_single_steps_in_float64() -> None:
    known = material()
    found = documents.learn(known, seed=5, **HOW)
    # Some 600 steps of a vector, each off by a few of float32's 6e-8, that pull towards one place.
    np.testing.assert_allclose(found, reference(known, seed=5, **HOW), atol=2e-4)


@needs_kernel
def test_the_gradient_is_that_of_the_log_likelihood() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 16))

    def likelihood(one: NDArray[np.float64]) -> float:
        cosine = one @ b / np.sqrt((one @ one) * (b @ b))
        return float(-np.log1p(np.exp(-6 * cosine)))

    slopes = [
        (likelihood(a + step) - likelihood(a - step)) / 2e-6 for step in 1e-6 * np.identity(16)
    ]
    # Central differences err by the square of the step, and by 1e-16 over it.
    np.testing.assert_allclose(moved(a, b, True, 6.0, 1.0) - a, slopes, atol=1e-8)


@needs_kernel
def test_words_that_go_together_come_to_point_one_way() -> None:
    known = material()
    vectors = documents.learn(known, **(HOW | {"passes": 20}))
    from sentilab.text.ngrams import hashes

    numbers = hashes(np.arange(60, 80, dtype=np.int32)[:, None], 1).reshape(-1)
    at = np.searchsorted(known.hashes, numbers)
    one, other = vectors[at[:10]], vectors[at[10:]]
    assert (one @ one.T).mean() > 0.5 > 0.0 > (one @ other.T).mean()


@needs_kernel
def test_the_number_of_threads_changes_nothing_and_the_seed_does() -> None:
    known = material()
    before = kernels.threads()
    try:
        kernels.set_threads(1)
        one = documents.learn(known, seed=5, **HOW)
        kernels.set_threads(3)
        np.testing.assert_array_equal(documents.learn(known, seed=5, **HOW), one)
        assert not np.array_equal(documents.learn(known, seed=6, **HOW), one)
    finally:
        kernels.set_threads(before)


@needs_kernel
def test_every_pass_is_told() -> None:
    told: list[tuple[int, int]] = []
    documents.learn(material(), progress=lambda *one: told.append(one), **HOW)
    assert told == [(1, 3), (2, 3), (3, 3)]


@needs_kernel
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"size": 20}, "size is 20; it must be a multiple of 16"),
        ({"passes": 0}, "must be at least 1"),
        ({"negatives": 0}, "must be at least 1"),
        ({"rate": 0.0}, "above 0"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        documents.learn(material(), **(HOW | change))


def test_without_the_kernel_the_reason_is_said() -> None:
    script = (
        "from sentilab.kernels import native, documents\n"
        "from sentilab.errors import SettingsError\n"
        "documents.opened, documents.missing = lambda: None, lambda: 'it was not built'\n"
        "try:\n"
        "    documents.learn(None, size=16, passes=1)\n"
        "except SettingsError as error:\n"
        "    print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert told.strip() == (
        "Document vectors are learned by the compiled kernel alone, and it was not built."
    )
