"""Operators that multiply by weights: products, windows and LSTMs, of floats and of bytes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sentilab.bundle.onnx_shapes import (
    BYTES,
    FLOAT,
    INT32,
    NUMBERS,
    Call,
    Tensor,
    broadcast,
    require,
    require_constant,
)


def _product(call: Call, first: Tensor, second: Tensor) -> tuple[int, ...]:
    a, b = first.shape, second.shape
    require(len(a) >= 2 and len(b) >= 2, "its inputs must have two dimensions at least")
    require(a[-1] == b[-2], f"shapes {a} and {b} do not fit")
    shape = (*broadcast(a[:-2], b[:-2]), a[-2], b[-1])
    call.bill.multiply(math.prod(shape) * a[-1])
    return shape


def matmul(call: Call) -> Sequence[Tensor]:
    return [Tensor(FLOAT, _product(call, call.of_type(0, FLOAT), call.of_type(1, FLOAT)))]


def matmul_integer(call: Call) -> Sequence[Tensor]:
    first, second = call.of_type(0, *BYTES), call.of_type(1, *BYTES)
    shape = _product(call, first, second)
    for number, one in ((2, first), (3, second)):
        zero = call.optional(number)
        if zero is not None:
            require(zero.type == one.type, f"its input {number} is of type {zero.type}")
            columns = number == 3 and len(second.shape) == 2 and zero.shape == (second.shape[1],)
            require(zero.shape in ((), (1,)) or columns, "its zero point does not fit")
    return [Tensor(INT32, shape)]


def lstm(call: Call) -> Sequence[Tensor]:
    sizes = _recurrence(call)
    directions, units, inputs = sizes.directions, sizes.units, sizes.inputs
    require_constant(call, 1, FLOAT, (directions, 4 * units, inputs))
    require_constant(call, 2, FLOAT, (directions, 4 * units, units))
    return sizes.results


def quantized_lstm(call: Call) -> Sequence[Tensor]:
    sizes = _recurrence(call)
    directions, units, inputs = sizes.directions, sizes.units, sizes.inputs
    for number in (5, 6, 7):
        require(call.optional(number) is None, f"it may not have an input {number}")
    for number, shape in (
        (1, (directions, inputs, 4 * units)),
        (2, (directions, units, 4 * units)),
    ):
        weights = call.of_type(number, *BYTES)
        require_constant(call, number, weights.type, shape)
        scale, zero = 8 + 2 * (number - 1), 9 + 2 * (number - 1)
        per_column = call[scale].shape == (directions, 4 * units)
        of_scale = (directions, 4 * units) if per_column else (directions,)
        require_constant(call, scale, FLOAT, of_scale)
        require_constant(call, zero, weights.type, of_scale)
    return sizes.results


@dataclass(frozen=True)
class _Recurrence:
    directions: int
    units: int
    inputs: int
    results: Sequence[Tensor]


def _recurrence(call: Call) -> _Recurrence:
    """What LSTMs of both kinds have in common: X, B, the lengths, and their outputs."""
    x = call.of_type(0, FLOAT)
    require(len(x.shape) == 3, "its texts must have three dimensions")
    tokens, texts, inputs = x.shape
    units, way = call.whole("hidden_size"), call.attributes.get("direction", "forward")
    require(way in ("forward", "reverse", "bidirectional"), "its direction is none")
    directions = 2 if way == "bidirectional" else 1
    require(0 < units <= NUMBERS, f"it has {units} units")
    if call.optional(3) is not None:
        require_constant(call, 3, FLOAT, (directions, 8 * units))
    if call.optional(4) is not None:
        lengths = call.of_type(4, INT32)
        low, high = lengths.range
        fits = lengths.shape == (texts,) and low >= 0 and high <= tokens
        require(fits, "its lengths could be others than its texts can have")
    steps = tokens * texts * directions
    call.bill.multiply(steps * 4 * units * (inputs + units))
    call.bill.hold(steps * 4 * units)  # the runtime's own, for the gates
    return _Recurrence(
        directions,
        units,
        inputs,
        [
            Tensor(FLOAT, (tokens, directions, texts, units)),
            Tensor(FLOAT, (directions, texts, units)),
            Tensor(FLOAT, (directions, texts, units)),
        ],
    )


def convolution(call: Call) -> Sequence[Tensor]:
    x, kernel = call.of_type(0, FLOAT), call.of_type(1, FLOAT)
    require(len(x.shape) == len(kernel.shape) == 3 and kernel.constant, "its inputs do not fit")
    groups = call.whole("group", 1)
    stride, dilation = call.numbers("strides", (1,)), call.numbers("dilations", (1,))
    filters, channels, window = kernel.shape
    for one in (stride, dilation):
        require(len(one) == 1 and 0 < one[0] <= NUMBERS, "its strides or dilations are none")
    require(0 < groups <= filters and filters % groups == 0, f"it has {groups} groups")
    require(x.shape[1] == channels * groups, "its window does not fit its input")
    require(call.numbers("kernel_shape", (window,)) == (window,), "its window is of another size")
    pads = call.numbers("pads", (0, 0))
    require(len(pads) == 2 and all(0 <= one <= NUMBERS for one in pads), "its padding is none")
    tokens = x.shape[2] + sum(pads)
    reach = dilation[0] * (window - 1) + 1
    require(window > 0 and reach <= tokens, f"its window is wider than {tokens} tokens")
    if call.optional(2) is not None:
        require_constant(call, 2, FLOAT, (filters,))
    out = (tokens - reach) // stride[0] + 1
    call.bill.multiply(x.shape[0] * out * filters * channels * window)
    return [Tensor(FLOAT, (x.shape[0], filters, out))]
