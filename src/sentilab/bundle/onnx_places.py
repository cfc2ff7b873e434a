"""Operators that put numbers elsewhere, or say how many there are."""

import math
from collections.abc import Sequence

import numpy as np

from sentilab.bundle.onnx_shapes import (
    ANY,
    BOOL,
    BYTES,
    FLOAT,
    INT32,
    INT64,
    NUMBERS,
    WHOLE,
    Call,
    Tensor,
    axis_of,
    require,
)


def shape_of(call: Call) -> Sequence[Tensor]:
    shape = call[0].shape
    rank = len(shape)
    start, end = call.whole("start", 0), call.whole("end", rank)
    require(-rank <= start <= rank and -rank <= end <= rank, "it asks for other dimensions")
    chosen = shape[slice(start, end)]
    return [Tensor(INT64, (len(chosen),), np.array(chosen, np.int64))]


def squeeze(call: Call) -> Sequence[Tensor]:
    x = call[0]
    axes = [n for n, size in enumerate(x.shape) if size == 1]
    if call.optional(1) is not None:
        axes = [axis_of(int(one), len(x.shape)) for one in call.known(1).ravel()]
        require(all(x.shape[one] == 1 for one in axes), "it drops a dimension that is not 1")
    shape = tuple(size for n, size in enumerate(x.shape) if n not in axes)
    values = None if x.values is None else x.values.reshape(shape)
    return [Tensor(x.type, shape, values, x.low, x.high)]


def counted(call: Call) -> Sequence[Tensor]:
    for number in range(3):
        require(call.known(number).size == 1, f"its input {number} must be one number")
    start, limit, step = (int(call.known(number).item()) for number in range(3))
    require(step != 0, "its step is 0")
    count = max(0, -((start - limit) // step))
    call.bill.hold(count)
    require(count <= NUMBERS, f"it counts to {count:,}")
    return [Tensor(INT64, (count,), np.arange(start, limit, step, dtype=np.int64))]


def unsqueeze(call: Call) -> Sequence[Tensor]:
    x, asked = call[0], call.known(1).ravel()
    rank = len(x.shape) + asked.size
    require(rank <= 8, "it has too many dimensions")
    axes = {axis_of(int(one), rank) for one in asked}
    require(len(axes) == asked.size, "it names a dimension twice")
    rest = iter(x.shape)
    shape = tuple(1 if n in axes else next(rest) for n in range(rank))
    return [Tensor(x.type, shape, None, x.low, x.high, x.constant)]


def sliced(call: Call) -> Sequence[Tensor]:
    """Slice with steps of 1."""
    x = call.of_type(0, *ANY)
    starts, ends, axes = (call.known(number).ravel() for number in (1, 2, 3))
    require(starts.size == ends.size == axes.size, "its limits do not fit together")
    shape = list(x.shape)
    chosen = [axis_of(int(one), len(shape)) for one in axes]
    require(len(set(chosen)) == len(chosen), "it names a dimension twice")
    for axis, start, end in zip(chosen, starts, ends, strict=True):
        shape[axis] = len(range(shape[axis])[int(start) : int(end)])
    return [Tensor(x.type, tuple(shape), None, x.low, x.high)]


def padded(call: Call) -> Sequence[Tensor]:
    """Pad with zeros; fewer than none takes away."""
    x = call.of_type(0, FLOAT, *WHOLE, BOOL)
    pads, rank = call.known(1).ravel().tolist(), len(x.shape)
    require(len(pads) == 2 * rank, "it does not pad each of the dimensions")
    require(all(abs(one) <= NUMBERS for one in pads), "it pads by too many")
    before, behind = pads[:rank], pads[rank:]
    for size, *taken in zip(x.shape, before, behind, strict=True):
        require(sum(-one for one in taken if one < 0) <= size, "it takes away more than there is")
    shape = tuple(map(sum, zip(x.shape, before, behind, strict=True)))
    if x.type in (FLOAT, BOOL):
        return [Tensor(x.type, shape)]
    low, high = x.range
    return [Tensor(x.type, shape, None, min(low, 0), max(high, 0))]


def top(call: Call) -> Sequence[Tensor]:
    """TopK: the largest numbers in their order, and where they were."""
    x = call.of_type(0, FLOAT, INT32, INT64)
    axis, number = call.axis("axis", -1, len(x.shape)), call.known(1)
    require(call.whole("largest", 1) in (0, 1) and call.whole("sorted", 1) == 1, "its order")
    require(number.size == 1, "its input 1 must be one number")
    size = x.shape[axis]
    require(0 <= number.item() <= size, f"it takes {number.item():,} of {size:,}")
    shape = (*x.shape[:axis], int(number.item()), *x.shape[axis + 1 :])
    call.bill.hold(2 * math.prod(x.shape))  # the runtime's own
    call.bill.multiply(math.prod(x.shape) * max(1, size.bit_length()))
    found = Tensor(x.type, shape, None, x.low, x.high)
    return [found, Tensor(INT64, shape, None, 0, max(0, size - 1))]


def gather(call: Call) -> Sequence[Tensor]:
    """Rows, or single numbers, of a table that stands in the file."""
    table, at = call.of_type(0, FLOAT, INT32, *BYTES), call.of_type(1, INT32, INT64)
    require(
        table.constant and len(table.shape) in (1, 2),
        "its table must be a constant of one or two dimensions",
    )
    call.axis("axis", 0, 1)
    low, high = at.range
    rows = table.shape[0]
    require(low >= 0 and high < rows, f"it could ask for row {high:,} of {rows:,}")
    return [Tensor(table.type, (*at.shape, *table.shape[1:]), None, table.low, table.high)]


def gather_vectors(call: Call) -> Sequence[Tensor]:
    """GatherND as it takes the tokens of each text in another order: (texts, tokens, size)."""
    x, at = call.of_type(0, FLOAT), call.of_type(1, INT64)
    require(call.whole("batch_dims", 0) == 1, "its texts must be its first dimension")
    require(len(x.shape) == len(at.shape) == 3 and at.shape[2] == 1, "its inputs do not fit")
    require(x.shape[0] == at.shape[0], "its inputs have different numbers of texts")
    low, high = at.range
    require(low >= 0 and high < x.shape[1], f"it could ask for {high:,} of {x.shape[1]:,}")
    return [Tensor(FLOAT, (*at.shape[:2], x.shape[2]))]


def gather_elements(call: Call) -> Sequence[Tensor]:
    x, at = call.of_type(0, INT32, INT64, FLOAT), call.of_type(1, INT64, INT32)
    require(len(x.shape) == len(at.shape) > 0, "its inputs have different dimensions")
    axis = call.axis("axis", 0, len(x.shape))
    pairs = zip(x.shape, at.shape, strict=True)
    fits = all(n == axis or wanted <= size for n, (size, wanted) in enumerate(pairs))
    require(fits, f"it takes {at.shape} from {x.shape}")
    low, high = at.range
    require(low >= 0 and high < x.shape[axis], f"it could ask for {high:,} of {x.shape[axis]:,}")
    return [Tensor(x.type, at.shape, None, x.low, x.high)]


def transpose(call: Call) -> Sequence[Tensor]:
    x = call.of_type(0, FLOAT, *WHOLE, *BYTES)
    order = call.numbers("perm", tuple(reversed(range(len(x.shape)))))
    require(sorted(order) == list(range(len(x.shape))), "its order is none of its dimensions")
    return [Tensor(x.type, tuple(x.shape[one] for one in order), None, x.low, x.high)]


def reshape(call: Call) -> Sequence[Tensor]:
    x, asked = call.of_type(0, *ANY), call.known(1)
    require(asked.ndim == 1 and asked.size <= 8, "its shape must be a list of whole numbers")
    shape = [int(one) for one in asked]
    require(shape.count(-1) <= 1 and min(shape, default=0) >= -1, f"{tuple(shape)} is no shape")
    for n, one in enumerate(shape):
        if one == 0:
            require(n < len(x.shape), "it keeps a dimension that is not there")
            shape[n] = x.shape[n]
    size = math.prod(x.shape)
    if -1 in shape:
        rest = math.prod(one for one in shape if one != -1)
        require(rest > 0 and size % rest == 0, f"{x.shape} does not become {tuple(shape)}")
        shape[shape.index(-1)] = size // rest
    require(math.prod(shape) == size, f"{x.shape} does not become {tuple(shape)}")
    return [Tensor(x.type, tuple(shape), None, x.low, x.high)]


def concat(call: Call) -> Sequence[Tensor]:
    first = call.of_type(0, FLOAT, *WHOLE)
    parts = [call.of_type(number, first.type) for number in range(len(call.inputs))]
    rank = len(parts[0].shape)
    axis = call.axis("axis", None, rank)
    rests = {(len(one.shape), one.shape[:axis], one.shape[axis + 1 :]) for one in parts}
    require(len(rests) == 1, "its inputs do not fit together")
    shape = list(parts[0].shape)
    shape[axis] = sum(one.shape[axis] for one in parts)
    if first.type == FLOAT:
        return [Tensor(FLOAT, tuple(shape))]
    ranges = [one.range for one in parts]
    low, high = min(one for one, _ in ranges), max(one for _, one in ranges)
    return [Tensor(first.type, tuple(shape), None, low, high)]
