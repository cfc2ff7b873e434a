"""The product of a dense layer and its gradients, by the kernel, as a JAX function."""

from functools import partial
from typing import Any

import jax

from sentilab.kernels.native import matrix_from

Array = Any


@partial(jax.custom_vjp)
def product(x: Array, kernel: Array) -> Array:
    """``x @ kernel`` for float32 arrays of shapes (batch, inputs) and (inputs, units).

    Made for many inputs and few units, where XLA's own products read more than they multiply.
    """
    return matrix_from("SentilabDense", (x.shape[0], kernel.shape[1]), x, kernel)


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return product(x, kernel), (x, kernel)


def _backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    by_input = matrix_from("SentilabDenseByInput", x.shape, gradient, kernel)
    return by_input, matrix_from("SentilabDenseByWeights", kernel.shape, x, gradient)


product.defvjp(_forward, _backward)
