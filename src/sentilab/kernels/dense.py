"""The product of a dense layer as a JAX function with a faster gradient."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

Array = Any


def product(x: Array, kernel: Array) -> Array:
    """``x @ kernel`` for float32 arrays of shapes (batch, inputs) and (inputs, units).

    The kernel's gradient is computed by rows of the result; XLA would transpose x for it.
    """
    return _product(x, kernel)


@partial(jax.custom_vjp)
def _product(x: Array, kernel: Array) -> Array:
    return x @ kernel


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ kernel, (x, kernel)


def _backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    result = jax.ShapeDtypeStruct(kernel.shape, jnp.float32)
    call = jax.ffi.ffi_call("SentilabOuter", result, vmap_method="sequential")
    return gradient @ kernel.T, call(x, gradient)


_product.defvjp(_forward, _backward)
