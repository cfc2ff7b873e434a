"""The embedding's outputs and gradient against Keras's own."""

from typing import Any, cast

import jax
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentilab import layers
from sentilab.kernels.embedding import look_up

pytestmark = pytest.mark.skipif(bool(layers.here()), reason=f"no kernel: {layers.here()}")


@settings(max_examples=20)  # each compiles its own shapes
@given(
    rows=st.integers(1, 40),
    width=st.integers(1, 70),
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_output_and_gradient_are_those_of_take(
    rows: int, width: int, shape: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((rows, width)).astype(np.float32)
    # Negative ids count from the end; what is beyond either end reads NaN and has no gradient.
    ids = rng.integers(-rows - 2, rows + 2, shape).astype(np.int32)
    weighting = rng.standard_normal((*shape, width)).astype(np.float32)

    def answers(read: Any) -> tuple[Any, Any]:
        @jax.jit
        def both(table: Any) -> tuple[Any, Any]:
            output, pull = jax.vjp(lambda table: read(table, ids), table)
            return output, pull(weighting)[0]

        return cast("tuple[Any, Any]", both(table))

    found = answers(look_up)
    wanted = answers(lambda table, ids: jax.numpy.take(table, ids, axis=0))
    np.testing.assert_array_equal(found[0], wanted[0])
    # Sums of at most 729 numbers near 1, in another order perhaps.
    np.testing.assert_allclose(found[1], wanted[1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "uint8"])
def test_ids_of_any_type_are_read_as_keras_reads_them(dtype: str) -> None:
    ids = np.array([[3, 1, 3], [0, 2, 2]], dtype)
    answers = []
    for home in (layers, keras.layers):
        keras.utils.set_random_seed(1)
        answers.append(np.asarray(home.Embedding(4, 5)(ids)))
    np.testing.assert_array_equal(*answers)


def test_a_masked_embedding_still_says_which_tokens_are_padding() -> None:
    embedding = layers.Embedding(4, 5, mask_zero=True)
    ids = np.array([[3, 0], [1, 2]])
    np.testing.assert_array_equal(embedding.compute_mask(ids), [[True, False], [True, True]])
