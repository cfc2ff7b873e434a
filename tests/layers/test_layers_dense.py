"""The dense layer's output and gradients against float64."""

from typing import Any

import jax
import keras
import numpy as np
import pytest

from sentilab import kernels, layers
from sentilab.kernels.dense import product

pytestmark = pytest.mark.skipif(bool(layers.here()), reason=f"no kernel: {layers.here()}")


@pytest.mark.parametrize(
    ("batch", "inputs", "units"),
    [(32, 25_600, 64), (1, 1, 1), (5, 301, 83), (64, 64, 16), (65, 63, 17), (200, 130, 70)],
)
def test_output_and_gradients_are_those_of_the_product(batch: int, inputs: int, units: int) -> None:
    rng = np.random.default_rng(0)
    x, kernel, weighting = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((batch, inputs), (inputs, units), (batch, units))
    )

    def weighted(x: Any, kernel: Any) -> Any:
        return (product(x, kernel) * weighting).sum()

    of_x, of_kernel = jax.grad(weighted, argnums=(0, 1))(x, kernel)
    exact_y = x.astype(np.float64) @ kernel.astype(np.float64)
    exact_x = weighting.astype(np.float64) @ kernel.T.astype(np.float64)
    exact_kernel = x.T.astype(np.float64) @ weighting.astype(np.float64)
    # Sums of `terms` products of numbers near 1: each of float32's roundings is 6e-8 of a partial
    # sum, which seldom exceeds 4 sqrt(terms); their errors add as a random walk does, whose length is
    # sqrt(terms) and, at the worst of 800,000 results, twice that.
    for found, exact, terms in (
        (product(x, kernel), exact_y, inputs),
        (of_x, exact_x, units),
        (of_kernel, exact_kernel, batch),
    ):
        np.testing.assert_allclose(found, exact, rtol=0, atol=6e-8 * 8 * terms + 1e-6)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((70, 3000)).astype(np.float32)
    kernel = rng.standard_normal((3000, 64)).astype(np.float32)
    answers = []
    for threads in (1, 0):
        kernels.set_threads(threads)
        of_both = jax.value_and_grad(lambda x, k: (product(x, k) ** 2).sum(), argnums=(0, 1))
        answers.append(jax.tree.leaves(of_both(x, kernel)))
    for alone, together in zip(*answers, strict=True):
        np.testing.assert_array_equal(alone, together)


def test_outputs_are_those_of_keras() -> None:
    x = np.random.default_rng(0).standard_normal((9, 1100)).astype(np.float32)
    answers = []
    for home in (layers, keras.layers):
        keras.utils.set_random_seed(1)
        answers.append(np.asarray(home.Dense(64, activation="relu")(x)))
    # The same sums, of size 1, of 1,100 products in another order: sqrt(1100) roundings of 6e-8 each.
    np.testing.assert_allclose(*answers, rtol=0, atol=4e-6)
