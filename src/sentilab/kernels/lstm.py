"""The fused LSTM as a JAX function with a gradient."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sentilab.kernels.native import has_bf16, missing, opened, title, xla_call

Array = Any

# The bits of the calls' attribute `options`; xla.cc has the same.
BIDIRECTIONAL, REVERSE, TOKENS, MASK, ZERO_MASKED = 1, 2, 4, 8, 16
BIAS, STATE, SEQUENCES, RESIDUALS, BF16 = 32, 64, 128, 256, 512
RECURRENT_DROPOUT = 1024


class Direction(NamedTuple):
    """One direction's weights, in Keras's layout: gates i, f, c, o side by side.

    Shapes: kernel (inputs, 4 units), recurrent_kernel (units, 4 units), bias (4 units,) or None,
    h0 and c0 (batch, units) or both None, for zeros. recurrent_dropout (4, batch, units) or None:
    by gate, the factors of h before its product with recurrent_kernel, the same at all steps; no
    gradient is computed for them.
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None
    h0: Array | None = None
    c0: Array | None = None
    recurrent_dropout: Array | None = None


class Tokens(NamedTuple):
    """Inputs given as rows of a table: ids (batch, steps) of integers, table (words, inputs)."""

    ids: Array
    table: Array


@dataclass(frozen=True)
class States:
    """What the LSTM gives: y (batch, steps, D units) or None, h and c (batch, D units)."""

    y: Array | None
    h: Array
    c: Array


def lstm(
    inputs: Array | Tokens,
    directions: tuple[Direction, ...],
    *,
    mask: Array | None = None,
    zero_masked: bool = False,
    reverse: bool = False,
    sequences: bool = True,
    bf16: bool = False,
) -> States:
    """One LSTM, or two over the same inputs in opposite directions, side by side in the results.

    ``inputs``: (batch, steps, inputs), or tokens. ``mask`` (batch, steps): where it is false, h and
    c stay, and y is the h before (zero with ``zero_masked``). ``reverse``: the first direction reads
    from the last step to the first; y is in the inputs' order all the same. ``sequences``: whether y
    is wanted. ``bf16``: products of bfloat16 factors, summed in float32. Everything else is float32.

    Raises ValueError for ``bf16`` where ``has_bf16()`` is false.
    Source: Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000).
    """
    if opened() is None:
        raise RuntimeError(f"There is no compiled LSTM here: {missing()}.")
    if bf16 and not has_bf16():
        raise ValueError(f"{title()} has no products of bfloat16 numbers.")
    options = BIDIRECTIONAL * (len(directions) == 2) | REVERSE * reverse | SEQUENCES * sequences
    options |= ZERO_MASKED * zero_masked | BF16 * bf16
    if isinstance(inputs, Tokens):
        options |= TOKENS
        operands = [inputs.table.astype(jnp.float32), inputs.ids.astype(jnp.int32)]
    else:
        operands = [inputs.astype(jnp.float32)]
    if mask is not None:
        options |= MASK
        operands.append(mask.astype(jnp.uint8))
    for one in directions:
        options |= BIAS * (one.bias is not None) | STATE * (one.h0 is not None)
        options |= RECURRENT_DROPOUT * (one.recurrent_dropout is not None)
        operands += [array.astype(jnp.float32) for array in one if array is not None]
    results = list(_lstm(options, tuple(operands)))
    return States(results.pop(0) if sequences else None, *results)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _lstm(options: int, operands: tuple[Array, ...]) -> tuple[Array, ...]:
    return _forward(options, operands)


def _forward(options: int, operands: tuple[Array, ...]) -> tuple[Array, ...]:
    tokens = bool(options & TOKENS)
    batch, steps = operands[tokens].shape[:2]
    recurrent_kernel = operands[1 + tokens + bool(options & MASK) + 1]
    width = recurrent_kernel.shape[0] * (2 if options & BIDIRECTIONAL else 1)
    shapes = [(batch, steps, width)] * bool(options & SEQUENCES) + [(batch, width)] * 2
    results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    if options & RESIDUALS:
        results.append(jax.ShapeDtypeStruct((2,), jnp.uint32))
    call = xla_call("SentilabLstmForward", results)
    return tuple(call(*operands, options=np.int64(options)))


def _forward_for_gradient(
    options: int, operands: tuple[Array, ...]
) -> tuple[tuple[Array, ...], tuple[tuple[Array, ...], Array]]:
    *results, ticket = _forward(options | RESIDUALS, operands)
    return tuple(results), (operands, ticket)


def _backward(
    options: int, residuals: tuple[tuple[Array, ...], Array], gradients: tuple[Array, ...]
) -> tuple[tuple[Array | None, ...]]:
    operands, ticket = residuals
    constants = {1} if options & TOKENS else set()
    if options & MASK:
        constants.add(1 + bool(options & TOKENS))
    if options & RECURRENT_DROPOUT:  # the last of each direction's arrays
        constants.add(len(operands) - 1)
        if options & BIDIRECTIONAL:
            first = 1 + bool(options & TOKENS) + bool(options & MASK)
            constants.add((first + len(operands)) // 2 - 1)
    results = [
        jax.ShapeDtypeStruct(one.shape, jnp.float32)
        for number, one in enumerate(operands)
        if number not in constants
    ]
    call = xla_call("SentilabLstmBackward", results)
    computed = iter(call(*operands, *gradients, ticket, options=np.int64(options)))
    return (
        tuple(None if number in constants else next(computed) for number in range(len(operands))),
    )


_lstm.defvjp(_forward_for_gradient, _backward)
