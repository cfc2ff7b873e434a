"""Operators that compute number by number, or fold a dimension."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sentilab.bundle.onnx_shapes import (
    BOOL,
    BYTES,
    FLOAT,
    INT32,
    INT64,
    UINT32,
    WHOLE,
    Call,
    Rule,
    Tensor,
    axis_of,
    broadcast,
    require,
    require_constant,
)

# By their numbers in onnx.proto, TensorProto.DataType.
CASTS: Mapping[int, np.dtype[Any]] = {1: FLOAT, 6: INT32, 7: INT64, 12: UINT32}


def same(call: Call) -> Sequence[Tensor]:
    x = call[0]
    return [Tensor(x.type, x.shape, x.values, x.low, x.high)]


def activation(call: Call) -> Sequence[Tensor]:
    return [Tensor(FLOAT, call.of_type(0, FLOAT).shape)]


def softmax(call: Call) -> Sequence[Tensor]:
    shape = call.of_type(0, FLOAT).shape
    call.axis("axis", -1, len(shape))
    return [Tensor(FLOAT, shape)]


def arithmetic(operation: str) -> Rule:
    """Add, Sub, Mul, Div (of floats), and Mod (of whole numbers, with the divisor's sign).

    Numbers of 32 bits may wrap around, which all runtimes do alike; those of 64 bits are for places
    and shapes, and may not.
    """
    kinds = {"Div": (FLOAT,), "Mod": WHOLE}.get(operation, (FLOAT, *WHOLE))

    def rule(call: Call) -> Sequence[Tensor]:
        first = call.of_type(0, *kinds)
        second = call.of_type(1, first.type)
        shape = broadcast(first.shape, second.shape)
        if first.type == FLOAT:
            return [Tensor(FLOAT, shape)]
        (a, b), (c, d) = first.range, second.range
        if operation == "Mod":
            require(c > 0, "its divisor could be 0 or less")
            low, high = 0, d - 1
        else:
            ways = {
                "Add": (a + c, b + d),
                "Sub": (a - d, b - c),
                "Mul": (min(a * c, a * d, b * c, b * d), max(a * c, a * d, b * c, b * d)),
            }
            low, high = ways[operation]
        if first.type != INT64:
            return [_within(first.type, shape, low, high)]
        limits = np.iinfo(np.int64)
        require(limits.min <= low and high <= limits.max, "its numbers could grow too large")
        values = None
        if first.values is not None and second.values is not None:
            call.bill.hold(math.prod(shape))
            ufunc = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Mod": np.mod}
            values = np.asarray(ufunc[operation](first.values, second.values))
        return [Tensor(INT64, shape, values, low, high)]

    return rule


def _within(kind: np.dtype[Any], shape: tuple[int, ...], low: int, high: int) -> Tensor:
    """Of 32 bits: numbers from ``low`` to ``high``, or any where those would wrap around."""
    limits = np.iinfo(kind)
    if limits.min <= low and high <= limits.max:
        return Tensor(kind, shape, None, low, high)
    return Tensor(kind, shape)


def extreme(operation: Callable[[int, int], int]) -> Rule:
    """Max or Min of two."""

    def rule(call: Call) -> Sequence[Tensor]:
        first = call.of_type(0, FLOAT, *WHOLE)
        second = call.of_type(1, first.type)
        shape = broadcast(first.shape, second.shape)
        if first.type == FLOAT:
            return [Tensor(FLOAT, shape)]
        low, high = map(operation, first.range, second.range)
        return [Tensor(first.type, shape, None, low, high)]

    return rule


def shift(call: Call) -> Sequence[Tensor]:
    x, by = call.of_type(0, UINT32), call.of_type(1, UINT32)
    way = call.attributes.get("direction")
    require(way in ("LEFT", "RIGHT"), "its direction is none")
    require(by.range[1] < 32, f"it could shift by {by.range[1]} bits")
    high = x.range[1] >> by.range[0] if way == "RIGHT" else None
    return [Tensor(UINT32, broadcast(x.shape, by.shape), None, 0, high)]


def compare(call: Call) -> Sequence[Tensor]:
    first = call.of_type(0, FLOAT, *WHOLE)
    second = call.of_type(1, first.type)
    return [Tensor(BOOL, broadcast(first.shape, second.shape))]


def logic(call: Call) -> Sequence[Tensor]:
    """And, Or of two, Not of one."""
    shapes = [call.of_type(number, BOOL).shape for number in range(len(call.inputs))]
    return [Tensor(BOOL, broadcast(*shapes))]


def where(call: Call) -> Sequence[Tensor]:
    chosen, first = call.of_type(0, BOOL), call.of_type(1, FLOAT, *WHOLE)
    second = call.of_type(2, first.type)
    shape = broadcast(chosen.shape, first.shape, second.shape)
    if first.type == FLOAT:
        return [Tensor(FLOAT, shape)]
    (a, b), (c, d) = first.range, second.range
    return [Tensor(first.type, shape, None, min(a, c), max(b, d))]


def cast(call: Call) -> Sequence[Tensor]:
    x, number = call[0], call.whole("to")
    require(number in CASTS, f"it casts to type {number}")
    to = CASTS[number]
    if to == FLOAT:
        return [Tensor(FLOAT, x.shape)]
    require(x.type in (BOOL, *WHOLE), f"it casts {x.type} to whole numbers")
    low, high = x.range
    if {x.type, to} == {INT32, UINT32}:
        return [_within(to, x.shape, low, high)]
    limits = np.iinfo(to)
    require(limits.min <= low and high <= limits.max, "its numbers could be too large")
    values = None if x.values is None else x.values.astype(to)
    return [Tensor(to, x.shape, values, low, high)]


def normalised(call: Call) -> Sequence[Tensor]:
    """LayerNormalization over the last dimension."""
    x = call.of_type(0, FLOAT)
    require(
        len(x.shape) > 0 and call.axis("axis", -1, len(x.shape)) == len(x.shape) - 1, "its axis"
    )
    for number in (1, 2):
        require_constant(call, number, FLOAT, x.shape[-1:])
    epsilon = call.attributes.get("epsilon", 1e-5)
    require(isinstance(epsilon, float) and 0 < epsilon < 1, "its epsilon is none")
    call.bill.hold(2 * math.prod(x.shape))  # the runtime's own
    return [Tensor(FLOAT, x.shape)]


def reduce_sum(call: Call) -> Sequence[Tensor]:
    x = call.of_type(0, INT64, FLOAT)
    axes = {axis_of(int(one), len(x.shape)) for one in call.known(1).ravel()}
    require(bool(axes), "it names no dimension to sum over")
    return [_reduced(call, x, axes, math.prod(x.shape[one] for one in axes))]


def reduce_float(call: Call) -> Sequence[Tensor]:
    x = call.of_type(0, FLOAT)
    axes = {axis_of(one, len(x.shape)) for one in call.numbers("axes", ())}
    require(bool(axes), "it names no dimension to reduce")
    require(all(x.shape[one] for one in axes), "it reduces a dimension of 0")
    return [_reduced(call, x, axes, 1)]


def _reduced(call: Call, x: Tensor, axes: set[int], summed: int) -> Tensor:
    kept = call.whole("keepdims", 1)
    shape = tuple(
        1 if n in axes else size for n, size in enumerate(x.shape) if kept or n not in axes
    )
    if x.type == FLOAT:
        return Tensor(FLOAT, shape)
    low, high = (one * summed for one in x.range)
    limits = np.iinfo(np.int64)
    require(limits.min <= low and high <= limits.max, "its sum could grow too large")
    return Tensor(x.type, shape, None, low, high)


def arg_max(call: Call) -> Sequence[Tensor]:
    x = call.of_type(0, INT64, FLOAT)
    axis, kept = call.axis("axis", 0, len(x.shape)), call.whole("keepdims", 1)
    require(x.shape[axis] > 0, "there is nothing to choose from")
    shape = tuple(1 if n == axis else size for n, size in enumerate(x.shape) if kept or n != axis)
    return [Tensor(INT64, shape, None, 0, x.shape[axis] - 1)]


def dynamic_quantize(call: Call) -> Sequence[Tensor]:
    shape = call.of_type(0, FLOAT).shape
    return [Tensor(BYTES[0], shape), Tensor(FLOAT, ()), Tensor(BYTES[0], ())]


def dequantize(call: Call) -> Sequence[Tensor]:
    x, scale = call.of_type(0, *BYTES), call.of_type(1, FLOAT)
    require(scale.shape in ((), (1,)), "its scale must be one number")
    _same_zero(call, x.type)
    return [Tensor(FLOAT, x.shape)]


def quantize(call: Call) -> Sequence[Tensor]:
    x, scale = call.of_type(0, FLOAT), call.of_type(1, FLOAT)
    require(scale.shape in ((), (1,)), "its scale must be one number")
    zero = call.optional(2)
    kind = BYTES[0] if zero is None else zero.type
    require(kind in BYTES, f"it quantises to {kind}")
    _same_zero(call, kind)
    return [Tensor(kind, x.shape)]


def _same_zero(call: Call, kind: np.dtype[Any]) -> None:
    zero = call.optional(2)
    if zero is not None:
        require(zero.type == kind and zero.shape == call[1].shape, "its zero point does not fit")
