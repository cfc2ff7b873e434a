"""Whether an ONNX file is a graph that a bundle may hold, before any runtime is given it.

The graph is walked with NumPy's shapes instead of numbers: every operator must be one that sentilab
writes, or that onnxruntime's dynamic quantisation makes of those; every shape and type must follow and
fit; every index must be provably in range; and what one text may cost is bounded. So a runtime never
meets an operator, size or index of an attacker's choosing. What the numbers say is not judged here: the
golden examples are for that.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.bundle.onnx_reader import Attribute, Graph, Node, read_graph

INPUT, OUTPUT = "ids", "probabilities"
IR_VERSIONS = range(7, 12)
OPSETS = {"": range(13, 18), "com.microsoft": range(1, 2)}
MICROSOFT = "com.microsoft"
MOST_NODES = 1_000

# What one text may cost: numbers in all tensors on the way, and multiplications. The notebook's models
# take some 10^5 and 10^8.
NUMBERS = 1 << 24
PRODUCTS = 1 << 33
# Texts at once for which the walk is made: one, a few, and more than anybody sends.
TEXTS = (1, 3, 4096)
# Tokens of a text, where neither the graph nor the caller says how many.
TOKENS = 16

FLOAT = np.dtype("<f4")
INT32 = np.dtype("<i4")
INT64 = np.dtype("<i8")
BOOL = np.dtype("?")
BYTES = (np.dtype("u1"), np.dtype("i1"))
CASTS: Mapping[int, np.dtype[Any]] = {1: FLOAT, 6: INT32, 7: INT64}


@dataclass(frozen=True)
class Checked:
    """``held`` bounds the numbers that a runtime holds for one text of the length that was checked.

    ``masked`` says that the graph has LSTMs and all of them are told the texts' lengths.
    """

    held: int
    masked: bool


def check_onnx(content: bytes, *, labels: int, words: int, length: int | None = None) -> Checked:
    """Raises ValueError, saying what is wrong where, unless the file may be given to a runtime.

    Accepted is a graph from ``ids`` (texts, tokens) int32, of numbers below ``words``, to
    ``probabilities`` (texts, ``labels``) float32, where tokens may be any number or are ``length``.
    """
    graph = read_graph(content)
    _require_plain(graph)
    given, answer = _ends(graph, labels)
    fixed = given.shape[1]
    if isinstance(fixed, int) and length is not None and fixed != length:
        raise ValueError(f"it reads {fixed} tokens of a text, where {length} are encoded")
    tokens = fixed if isinstance(fixed, int) else length or TOKENS
    held = 0
    for texts in TEXTS:
        bill = _Bill(texts, sum(one.size for one in graph.constants.values()))
        found = _walk(graph, bill, tokens, words)
        held = -(-bill.numbers // texts)
        if found.type != FLOAT or found.shape != (texts, labels):
            raise ValueError(
                f'"{answer}" comes to shape {found.shape} for {texts} texts and {labels} labels'
            )
    lengths = [
        len(one.inputs) > 4 and bool(one.inputs[4]) for one in graph.nodes if "LSTM" in one.operator
    ]
    return Checked(held, bool(lengths) and all(lengths))


def _require_plain(graph: Graph) -> None:
    if graph.ir_version not in IR_VERSIONS:
        raise ValueError(f"its format version {graph.ir_version} is not known")
    if "" not in graph.opsets:
        raise ValueError("it names no version of the operators")
    for domain, version in graph.opsets.items():
        # quantisation notes further sets without using them; an operator from one is refused below.
        if domain in OPSETS and version not in OPSETS[domain]:
            raise ValueError(f'version {version} of the operators "{domain}" is not known')
    if len(graph.nodes) > MOST_NODES:
        raise ValueError(f"{len(graph.nodes):,} nodes are more than the {MOST_NODES:,} allowed")


def _ends(graph: Graph, labels: int) -> tuple[Any, str]:
    if [one.name for one in graph.inputs] != [INPUT] or [one.name for one in graph.outputs] != [
        OUTPUT
    ]:
        raise ValueError(f'its only input must be "{INPUT}", and its only output "{OUTPUT}"')
    given, answer = graph.inputs[0], graph.outputs[0]
    if given.type != INT32 or len(given.shape) != 2 or not isinstance(given.shape[0], str):
        raise ValueError(f'"{INPUT}" must be int32 of shape (texts, tokens)')
    fixed = given.shape[1]
    if isinstance(fixed, int) and not 0 < fixed <= NUMBERS:
        raise ValueError(f'"{INPUT}" cannot have {fixed} tokens')
    if answer.type != FLOAT or len(answer.shape) != 2 or answer.shape[1] != labels:
        raise ValueError(f'"{OUTPUT}" must be float32 of shape (texts, {labels})')
    return given, answer.name


@dataclass(frozen=True)
class _Tensor:
    """What is known of a tensor: its values where they follow, else the range of whole numbers."""

    type: np.dtype[Any]
    shape: tuple[int, ...]
    values: NDArray[Any] | None = None
    low: int | None = None
    high: int | None = None
    constant: bool = False

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and largest value that a whole number in it can have."""
        if self.values is not None and self.values.size:
            return int(self.values.min()), int(self.values.max())
        if self.type == BOOL:
            return 0, 1
        limits = np.iinfo(self.type)
        return (
            limits.min if self.low is None else self.low,
            limits.max if self.high is None else self.high,
        )


@dataclass
class _Bill:
    """What the walk has come to, for ``texts`` texts."""

    texts: int
    stored: int
    numbers: int = 0
    products: int = 0

    def hold(self, numbers: int) -> None:
        self.numbers += numbers
        # What is derived from the constants alone costs once, not for each text.
        if self.numbers > self.texts * NUMBERS + 4 * self.stored:
            raise ValueError(f"it takes more than {NUMBERS:,} numbers a text")

    def multiply(self, products: int) -> None:
        self.products += products
        if self.products > self.texts * PRODUCTS:
            raise ValueError(f"it takes more than {PRODUCTS:,} multiplications a text")


@dataclass
class _Call:
    """One node with its inputs; an input that is left out is None."""

    inputs: Sequence[_Tensor | None]
    attributes: Mapping[str, Attribute]
    wanted: int
    bill: _Bill = field(repr=False)

    def __getitem__(self, number: int) -> _Tensor:
        found = self.optional(number)
        if found is None:
            raise ValueError(f"its input {number} is missing")
        return found

    def optional(self, number: int) -> _Tensor | None:
        return self.inputs[number] if number < len(self.inputs) else None

    def of_type(self, number: int, *types: np.dtype[Any]) -> _Tensor:
        found = self[number]
        require(found.type in types, f"its input {number} is of type {found.type}")
        return found

    def known(self, number: int) -> NDArray[Any]:
        """The input's whole numbers, which must follow from the graph and the shapes alone."""
        values = self.of_type(number, INT64).values
        if values is None:
            raise ValueError(f"its input {number} must follow from shapes and constants alone")
        return values

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise ValueError(f'its attribute "{name}" must be a whole number')
        return value

    def numbers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self.attributes.get(name, default)
        if not isinstance(value, tuple):
            raise ValueError(f'its attribute "{name}" must be whole numbers')
        return value

    def axis(self, name: str, default: int | None, rank: int) -> int:
        return _axis(self.whole(name, default), rank)


def require(fits: bool, why: str) -> None:
    if not fits:
        raise ValueError(why)


Rule = Callable[[_Call], Sequence[_Tensor]]


def _walk(graph: Graph, bill: _Bill, tokens: int, words: int) -> _Tensor:
    """What comes out for the bill's texts of ``tokens`` tokens; ValueError where it does not fit."""
    tensors: dict[str, _Tensor] = {}
    for name, values in graph.constants.items():
        # Values of whole numbers alone matter, and only few of them are ever asked for.
        kept = values if values.dtype == INT64 and values.size <= tokens + 8 else None
        tensors[name] = _Tensor(values.dtype, values.shape, kept, constant=True)
    require(INPUT not in tensors, f'"{INPUT}" is also a constant')
    tensors[INPUT] = _Tensor(INT32, (bill.texts, tokens), low=0, high=words - 1)
    for number, node in enumerate(graph.nodes):
        try:
            _step(node, tensors, bill)
        except ValueError as error:
            operator = "".join(one for one in node.operator[:40] if one.isprintable())
            raise ValueError(f"node {number} ({operator}): {error}") from None
    require(OUTPUT in tensors, f'nothing computes "{OUTPUT}"')
    return tensors[OUTPUT]


def _step(node: Node, tensors: dict[str, _Tensor], bill: _Bill) -> None:
    known = OPERATORS.get((node.domain, node.operator))
    if known is None:
        raise ValueError("this operator is not among those that a bundle may hold")
    others = node.attributes.keys() - known.attributes
    require(not others, f"it has attributes that it may not have ({len(others)})")
    fewest, most = known.inputs
    require(fewest <= len(node.inputs) <= most, f"it has {len(node.inputs)} inputs")
    require(1 <= len(node.outputs) <= known.outputs, f"it has {len(node.outputs)} outputs")
    for name in node.inputs:
        require(not name or name in tensors, "an input of it is not computed before it")
    inputs = [tensors[name] if name else None for name in node.inputs]
    results = known.rule(_Call(inputs, node.attributes, len(node.outputs), bill))
    for name, result in zip(node.outputs, results, strict=False):
        bill.hold(math.prod(result.shape))
        if name:
            require(name not in tensors, "an output of it is computed twice")
            tensors[name] = result


def _axis(axis: int, rank: int) -> int:
    require(-rank <= axis < rank, f"axis {axis} of {rank} dimensions")
    return axis % rank


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    require(all(len(one) <= 8 for one in shapes), "it has too many dimensions")
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError:
        raise ValueError(f"shapes {' and '.join(map(str, shapes))} do not fit") from None


def _same(call: _Call) -> Sequence[_Tensor]:
    x = call[0]
    return [_Tensor(x.type, x.shape, x.values, x.low, x.high)]


def _activation(call: _Call) -> Sequence[_Tensor]:
    return [_Tensor(FLOAT, call.of_type(0, FLOAT).shape)]


def _softmax(call: _Call) -> Sequence[_Tensor]:
    shape = call.of_type(0, FLOAT).shape
    call.axis("axis", -1, len(shape))
    return [_Tensor(FLOAT, shape)]


def _arithmetic(operation: str) -> Rule:
    def rule(call: _Call) -> Sequence[_Tensor]:
        first = call.of_type(0, FLOAT, INT64)
        second = call.of_type(1, first.type)
        shape = _broadcast(first.shape, second.shape)
        if first.type == FLOAT:
            require(operation != "Mod", "its inputs must be whole numbers")
            return [_Tensor(FLOAT, shape)]
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
        limits = np.iinfo(np.int64)
        require(limits.min <= low and high <= limits.max, "its numbers could grow too large")
        values = None
        if first.values is not None and second.values is not None:
            call.bill.hold(math.prod(shape))
            ufunc = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Mod": np.mod}
            values = np.asarray(ufunc[operation](first.values, second.values))
        return [_Tensor(INT64, shape, values, low, high)]

    return rule


def _greater(call: _Call) -> Sequence[_Tensor]:
    first = call.of_type(0, INT32, INT64, FLOAT)
    second = call.of_type(1, first.type)
    return [_Tensor(BOOL, _broadcast(first.shape, second.shape))]


def _cast(call: _Call) -> Sequence[_Tensor]:
    x, number = call[0], call.whole("to")
    require(number in CASTS, f"it casts to type {number}")
    to = CASTS[number]
    if to == FLOAT:
        return [_Tensor(FLOAT, x.shape)]
    require(x.type in (BOOL, INT32, INT64), f"it casts {x.type} to whole numbers")
    low, high = x.range
    limits = np.iinfo(to)
    require(limits.min <= low and high <= limits.max, "its numbers could be too large")
    values = None if x.values is None else x.values.astype(to)
    return [_Tensor(to, x.shape, values, low, high)]


def _shape(call: _Call) -> Sequence[_Tensor]:
    shape = call[0].shape
    rank = len(shape)
    start, end = call.whole("start", 0), call.whole("end", rank)
    require(-rank <= start <= rank and -rank <= end <= rank, "it asks for other dimensions")
    chosen = shape[slice(start, end)]
    return [_Tensor(INT64, (len(chosen),), np.array(chosen, np.int64))]


def _squeeze(call: _Call) -> Sequence[_Tensor]:
    x = call[0]
    axes = [n for n, size in enumerate(x.shape) if size == 1]
    if call.optional(1) is not None:
        axes = [_axis(int(one), len(x.shape)) for one in call.known(1).ravel()]
        require(all(x.shape[one] == 1 for one in axes), "it drops a dimension that is not 1")
    shape = tuple(size for n, size in enumerate(x.shape) if n not in axes)
    values = None if x.values is None else x.values.reshape(shape)
    return [_Tensor(x.type, shape, values, x.low, x.high)]


def _range(call: _Call) -> Sequence[_Tensor]:
    for number in range(3):
        require(call.known(number).size == 1, f"its input {number} must be one number")
    start, limit, step = (int(call.known(number).item()) for number in range(3))
    require(step != 0, "its step is 0")
    count = max(0, -((start - limit) // step))
    call.bill.hold(count)
    require(count <= NUMBERS, f"it counts to {count:,}")
    return [_Tensor(INT64, (count,), np.arange(start, limit, step, dtype=np.int64))]


def _reduce_sum(call: _Call) -> Sequence[_Tensor]:
    x = call.of_type(0, INT64, FLOAT)
    axes = {_axis(int(one), len(x.shape)) for one in call.known(1).ravel()}
    require(bool(axes), "it names no dimension to sum over")
    return [_reduced(call, x, axes, math.prod(x.shape[one] for one in axes))]


def _reduce_float(call: _Call) -> Sequence[_Tensor]:
    x = call.of_type(0, FLOAT)
    axes = {_axis(one, len(x.shape)) for one in call.numbers("axes", ())}
    require(bool(axes), "it names no dimension to reduce")
    require(all(x.shape[one] for one in axes), "it reduces a dimension of 0")
    return [_reduced(call, x, axes, 1)]


def _reduced(call: _Call, x: _Tensor, axes: set[int], summed: int) -> _Tensor:
    kept = call.whole("keepdims", 1)
    shape = tuple(
        1 if n in axes else size for n, size in enumerate(x.shape) if kept or n not in axes
    )
    if x.type == FLOAT:
        return _Tensor(FLOAT, shape)
    low, high = (one * summed for one in x.range)
    limits = np.iinfo(np.int64)
    require(limits.min <= low and high <= limits.max, "its sum could grow too large")
    return _Tensor(x.type, shape, None, low, high)


def _arg_max(call: _Call) -> Sequence[_Tensor]:
    x = call.of_type(0, INT64, FLOAT)
    axis, kept = call.axis("axis", 0, len(x.shape)), call.whole("keepdims", 1)
    require(x.shape[axis] > 0, "there is nothing to choose from")
    shape = tuple(1 if n == axis else size for n, size in enumerate(x.shape) if kept or n != axis)
    return [_Tensor(INT64, shape, None, 0, x.shape[axis] - 1)]


def _gather(call: _Call) -> Sequence[_Tensor]:
    table, at = call.of_type(0, FLOAT, *BYTES), call.of_type(1, INT32, INT64)
    require(
        table.constant and len(table.shape) == 2, "its table must be a constant of two dimensions"
    )
    call.axis("axis", 0, 1)
    low, high = at.range
    rows = table.shape[0]
    require(low >= 0 and high < rows, f"it could ask for row {high:,} of {rows:,}")
    return [_Tensor(table.type, (*at.shape, table.shape[1]))]


def _gather_elements(call: _Call) -> Sequence[_Tensor]:
    x, at = call.of_type(0, INT32, INT64, FLOAT), call.of_type(1, INT64, INT32)
    require(len(x.shape) == len(at.shape) > 0, "its inputs have different dimensions")
    axis = call.axis("axis", 0, len(x.shape))
    pairs = zip(x.shape, at.shape, strict=True)
    fits = all(n == axis or wanted <= size for n, (size, wanted) in enumerate(pairs))
    require(fits, f"it takes {at.shape} from {x.shape}")
    low, high = at.range
    require(low >= 0 and high < x.shape[axis], f"it could ask for {high:,} of {x.shape[axis]:,}")
    return [_Tensor(x.type, at.shape, None, x.low, x.high)]


def _transpose(call: _Call) -> Sequence[_Tensor]:
    x = call.of_type(0, FLOAT, *BYTES)
    order = call.numbers("perm", tuple(reversed(range(len(x.shape)))))
    require(sorted(order) == list(range(len(x.shape))), "its order is none of its dimensions")
    return [_Tensor(x.type, tuple(x.shape[one] for one in order))]


def _reshape(call: _Call) -> Sequence[_Tensor]:
    x, asked = call.of_type(0, FLOAT, *BYTES), call.known(1)
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
    return [_Tensor(x.type, tuple(shape))]


def _concat(call: _Call) -> Sequence[_Tensor]:
    parts = [call.of_type(number, FLOAT) for number in range(len(call.inputs))]
    rank = len(parts[0].shape)
    axis = call.axis("axis", None, rank)
    rests = {(len(one.shape), one.shape[:axis], one.shape[axis + 1 :]) for one in parts}
    require(len(rests) == 1, "its inputs do not fit together")
    shape = list(parts[0].shape)
    shape[axis] = sum(one.shape[axis] for one in parts)
    return [_Tensor(FLOAT, tuple(shape))]


def _product(call: _Call, first: _Tensor, second: _Tensor) -> tuple[int, ...]:
    a, b = first.shape, second.shape
    require(len(a) >= 2 and len(b) >= 2, "its inputs must have two dimensions at least")
    require(a[-1] == b[-2], f"shapes {a} and {b} do not fit")
    shape = (*_broadcast(a[:-2], b[:-2]), a[-2], b[-1])
    call.bill.multiply(math.prod(shape) * a[-1])
    return shape


def _matmul(call: _Call) -> Sequence[_Tensor]:
    return [_Tensor(FLOAT, _product(call, call.of_type(0, FLOAT), call.of_type(1, FLOAT)))]


def _matmul_integer(call: _Call) -> Sequence[_Tensor]:
    first, second = call.of_type(0, *BYTES), call.of_type(1, *BYTES)
    shape = _product(call, first, second)
    for number, one in ((2, first), (3, second)):
        zero = call.optional(number)
        if zero is not None:
            require(zero.type == one.type, f"its input {number} is of type {zero.type}")
            columns = number == 3 and len(second.shape) == 2 and zero.shape == (second.shape[1],)
            require(zero.shape in ((), (1,)) or columns, "its zero point does not fit")
    return [_Tensor(INT32, shape)]


def _dynamic_quantize(call: _Call) -> Sequence[_Tensor]:
    shape = call.of_type(0, FLOAT).shape
    return [_Tensor(BYTES[0], shape), _Tensor(FLOAT, ()), _Tensor(BYTES[0], ())]


def _dequantize(call: _Call) -> Sequence[_Tensor]:
    x, scale = call.of_type(0, *BYTES), call.of_type(1, FLOAT)
    require(scale.shape in ((), (1,)), "its scale must be one number")
    _same_zero(call, x.type)
    return [_Tensor(FLOAT, x.shape)]


def _quantize(call: _Call) -> Sequence[_Tensor]:
    x, scale = call.of_type(0, FLOAT), call.of_type(1, FLOAT)
    require(scale.shape in ((), (1,)), "its scale must be one number")
    zero = call.optional(2)
    kind = BYTES[0] if zero is None else zero.type
    require(kind in BYTES, f"it quantises to {kind}")
    _same_zero(call, kind)
    return [_Tensor(kind, x.shape)]


def _same_zero(call: _Call, kind: np.dtype[Any]) -> None:
    zero = call.optional(2)
    if zero is not None:
        require(zero.type == kind and zero.shape == call[1].shape, "its zero point does not fit")


def _lstm(call: _Call) -> Sequence[_Tensor]:
    sizes = _recurrence(call)
    directions, units, inputs = sizes.directions, sizes.units, sizes.inputs
    _constant(call, 1, FLOAT, (directions, 4 * units, inputs))
    _constant(call, 2, FLOAT, (directions, 4 * units, units))
    return sizes.results


def _quantized_lstm(call: _Call) -> Sequence[_Tensor]:
    sizes = _recurrence(call)
    directions, units, inputs = sizes.directions, sizes.units, sizes.inputs
    for number in (5, 6, 7):
        require(call.optional(number) is None, f"it may not have an input {number}")
    for number, shape in (
        (1, (directions, inputs, 4 * units)),
        (2, (directions, units, 4 * units)),
    ):
        weights = call.of_type(number, *BYTES)
        _constant(call, number, weights.type, shape)
        scale, zero = 8 + 2 * (number - 1), 9 + 2 * (number - 1)
        per_column = call[scale].shape == (directions, 4 * units)
        of_scale = (directions, 4 * units) if per_column else (directions,)
        _constant(call, scale, FLOAT, of_scale)
        _constant(call, zero, weights.type, of_scale)
    return sizes.results


@dataclass(frozen=True)
class _Recurrence:
    directions: int
    units: int
    inputs: int
    results: Sequence[_Tensor]


def _recurrence(call: _Call) -> _Recurrence:
    """What LSTMs of both kinds have in common: X, B, the lengths, and their outputs."""
    x = call.of_type(0, FLOAT)
    require(len(x.shape) == 3, "its texts must have three dimensions")
    tokens, texts, inputs = x.shape
    units, way = call.whole("hidden_size"), call.attributes.get("direction", "forward")
    require(way in ("forward", "reverse", "bidirectional"), "its direction is none")
    directions = 2 if way == "bidirectional" else 1
    require(0 < units <= NUMBERS, f"it has {units} units")
    if call.optional(3) is not None:
        _constant(call, 3, FLOAT, (directions, 8 * units))
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
            _Tensor(FLOAT, (tokens, directions, texts, units)),
            _Tensor(FLOAT, (directions, texts, units)),
            _Tensor(FLOAT, (directions, texts, units)),
        ],
    )


def _constant(call: _Call, number: int, kind: np.dtype[Any], shape: tuple[int, ...]) -> None:
    found = call.of_type(number, kind)
    require(
        found.constant and found.shape == shape,
        f"its input {number} must be a constant of shape {shape}, not {found.shape}",
    )


def _convolution(call: _Call) -> Sequence[_Tensor]:
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
    require(not any(call.numbers("pads", (0, 0))), "it may not pad")
    reach = dilation[0] * (window - 1) + 1
    require(window > 0 and reach <= x.shape[2], f"its window is wider than {x.shape[2]} tokens")
    if call.optional(2) is not None:
        _constant(call, 2, FLOAT, (filters,))
    out = (x.shape[2] - reach) // stride[0] + 1
    call.bill.multiply(x.shape[0] * out * filters * channels * window)
    return [_Tensor(FLOAT, (x.shape[0], filters, out))]


@dataclass(frozen=True)
class _Operator:
    rule: Rule
    inputs: tuple[int, int]
    attributes: frozenset[str] = frozenset()
    outputs: int = 1


def _of(rule: Rule, fewest: int, most: int, *attributes: str, outputs: int = 1) -> _Operator:
    return _Operator(rule, (fewest, most), frozenset(attributes), outputs)


OPERATORS: Mapping[tuple[str, str], _Operator] = {
    ("", "Add"): _of(_arithmetic("Add"), 2, 2),
    ("", "ArgMax"): _of(_arg_max, 1, 1, "axis", "keepdims"),
    ("", "Cast"): _of(_cast, 1, 1, "to"),
    ("", "Concat"): _of(_concat, 1, 8, "axis"),
    ("", "Conv"): _of(_convolution, 2, 3, "strides", "dilations", "group", "kernel_shape", "pads"),
    ("", "DequantizeLinear"): _of(_dequantize, 2, 3),
    ("", "DynamicQuantizeLinear"): _of(_dynamic_quantize, 1, 1, outputs=3),
    ("", "Gather"): _of(_gather, 2, 2, "axis"),
    ("", "GatherElements"): _of(_gather_elements, 2, 2, "axis"),
    ("", "Greater"): _of(_greater, 2, 2),
    ("", "Identity"): _of(_same, 1, 1),
    ("", "LSTM"): _of(_lstm, 3, 5, "hidden_size", "direction", outputs=3),
    ("", "MatMul"): _of(_matmul, 2, 2),
    ("", "MatMulInteger"): _of(_matmul_integer, 2, 4),
    ("", "Mod"): _of(_arithmetic("Mod"), 2, 2),
    ("", "Mul"): _of(_arithmetic("Mul"), 2, 2),
    ("", "QuantizeLinear"): _of(_quantize, 2, 3),
    ("", "Range"): _of(_range, 3, 3),
    ("", "ReduceMax"): _of(_reduce_float, 1, 1, "axes", "keepdims"),
    ("", "ReduceMean"): _of(_reduce_float, 1, 1, "axes", "keepdims"),
    ("", "ReduceSum"): _of(_reduce_sum, 2, 2, "keepdims"),
    ("", "Relu"): _of(_activation, 1, 1),
    ("", "Reshape"): _of(_reshape, 2, 2),
    ("", "Shape"): _of(_shape, 1, 1, "start", "end"),
    ("", "Sigmoid"): _of(_activation, 1, 1),
    ("", "Softmax"): _of(_softmax, 1, 1, "axis"),
    ("", "Squeeze"): _of(_squeeze, 1, 2),
    ("", "Sub"): _of(_arithmetic("Sub"), 2, 2),
    ("", "Tanh"): _of(_activation, 1, 1),
    ("", "Transpose"): _of(_transpose, 1, 1, "perm"),
    (MICROSOFT, "DynamicQuantizeLSTM"): _of(
        _quantized_lstm, 12, 12, "hidden_size", "direction", outputs=3
    ),
}
