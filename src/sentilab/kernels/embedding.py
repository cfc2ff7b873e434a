"""Reading rows of a table and its gradient, by the kernel, as a JAX function."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sentilab.kernels.native import matrix_from

Array = Any


@partial(jax.custom_vjp)
def look_up(table: Array, ids: Array) -> Array:
    """``jnp.take(table, ids, axis=0)`` for a float32 table (rows, width) and int32 ids of any shape.

    Both ways work on all threads; XLA's gather and scatter use one.
    """
    found = matrix_from(
        "SentilabEmbedding", (ids.size, table.shape[1]), table, _counted(ids, table)
    )
    return found.reshape(*ids.shape, table.shape[1])


def _forward(table: Array, ids: Array) -> tuple[Array, tuple[Array, Array]]:
    return look_up(table, ids), (table, ids)


def _backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Any]:
    table, ids = residuals
    rows = gradient.reshape(-1, table.shape[1])
    by_table = matrix_from("SentilabEmbeddingGradient", table.shape, _counted(ids, table), rows)
    return by_table, np.zeros(ids.shape, jax.dtypes.float0)  # integers have no gradient


look_up.defvjp(_forward, _backward)


def _counted(ids: Array, table: Array) -> Array:
    """As jnp.take counts: negative ids from the end."""
    return jnp.where(ids < 0, ids + table.shape[0], ids).reshape(-1)
