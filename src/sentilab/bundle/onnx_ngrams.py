"""N-grams as nodes of ONNX: their numbers in 32 bits, which wrap around in every runtime alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sentilab.bundle.onnx_nodes import INT32, UINT32, Graph, Value


class _Numbers:
    """Arithmetic modulo 2 ** 32, on tensors by name and on numbers."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def _apply(self, kind: str, x: str, y: str | int, **attributes: Any) -> str:
        other = y if isinstance(y, str) else self._graph.scalar(y, np.uint32)
        return self._graph.add(kind, [x, other], **attributes)

    def sum(self, x: str, y: str | int) -> str:
        return self._apply("Add", x, y)

    def product(self, x: str, y: str | int) -> str:
        return self._apply("Mul", x, y)

    def remainder(self, x: str, y: int) -> str:
        return self._apply("Mod", x, y)

    def is_any(self, x: str) -> str:
        """Whether it is above 0."""
        return self._apply("Greater", x, 0)

    def rotated(self, x: str) -> str:
        """The upper and the lower half exchanged."""
        halves = (self._apply("BitShift", x, 16, direction=one) for one in ("LEFT", "RIGHT"))
        return self.sum(*halves)


def hashed(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    """HashedNgrams, as its documentation has it."""
    from sentilab.layers import hashing

    (ids,) = inputs
    of = _Numbers(graph)
    words = state = graph.cast(ids.name, UINT32)
    whole = of.is_any(words)
    columns = []
    for order in range(2, layer.orders + 1):
        earlier = of.product(_one_earlier(state, graph), hashing.FOR_EARLIER)
        state = of.sum(of.sum(earlier, of.product(words, hashing.FOR_WORD)), order)
        for _ in range(hashing.ROUNDS):
            twice = of.sum(state, state)
            state = of.rotated(of.product(state, of.sum(twice, 1)))
        whole = graph.add("And", [_one_earlier(whole, graph), whole])
        bucket = graph.cast(of.remainder(state, layer.buckets), INT32)
        bucket = graph.add("Add", [bucket, graph.scalar(layer.first, np.int32)])
        columns.append(graph.column(graph.add("Where", [whole, bucket, _none(graph)])))
    return Value(graph.add("Concat", columns, axis=2))


def looked_up(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    """Ngrams, by the formulas of sentilab.text.ngrams."""
    from sentilab.text import ngrams

    (ids,) = inputs
    of = _Numbers(graph)
    words = graph.cast(ids.name, UINT32)
    each, there = of.product(words, ngrams.C), of.is_any(words)
    table, none = graph.weight(layer.table), _none(graph)
    before, columns = "", []
    for order in range(1, layer.orders + 1):
        whole, x = there, each
        if order > 1:
            earlier = _one_earlier(before, graph)
            whole = graph.add("And", [of.is_any(earlier), there])
            x = of.sum(earlier, each)
        mixed = of.product(of.rotated(of.product(x, ngrams.A)), ngrams.B)
        # In int32: the build for browsers has no Where of uint32.
        wanted = graph.add("Where", [whole, graph.cast(mixed, INT32), none])
        before, numbers = graph.cast(wanted, UINT32), none
        for one in ngrams.PLACES:
            half = of.remainder(of.rotated(of.product(before, one)), 1 << 31)
            place = graph.cast(of.remainder(half, layer.slots), INT32)
            is_here = graph.add("Equal", [graph.add("Gather", [table, place], axis=0), wanted])
            number = graph.add("Add", [place, graph.scalar(1, np.int32)])
            numbers = graph.add("Where", [is_here, number, numbers])
        # An empty slot holds 0 as well.
        numbers = graph.add("Where", [of.is_any(before), numbers, none])
        columns.append(graph.column(numbers))
    return Value(graph.add("Concat", columns, axis=2))


def summed(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    """NgramSums: repeats stand side by side once the numbers are sorted."""
    (x,) = inputs
    numbers = graph.add("Transpose", [x.name], perm=[0, 2, 1])
    tokens = graph.add("Shape", [numbers], start=2)
    numbers = graph.add("TopK", [numbers, tokens], axis=2, largest=0, sorted=1)
    before = graph.add("Pad", [numbers, graph.integers(0, 0, 1, 0, 0, -1)])
    repeats = graph.add("Equal", [numbers, before])
    distinct = graph.add("Where", [repeats, _none(graph), numbers])
    # The squares beside the weights are a hundred times as large: one scale does not fit both.
    rows = graph.add("Gather", [graph.weight(layer.columns), distinct], exact=True, axis=0)
    sums = graph.add("ReduceSum", [rows, graph.integers(1, 2)], keepdims=0)
    if not layer.norms:
        return Value(sums, exact=True)
    parts = (0, layer.outputs), (layer.outputs, layer.outputs + layer.norms)
    sums, squares = (
        graph.add("Slice", [sums, *(graph.integers(one) for one in (*part, 1))]) for part in parts
    )
    one, any_there = graph.scalar(1), graph.add("Greater", [squares, graph.scalar(0)])
    lengths = graph.add("Sqrt", [graph.add("Where", [any_there, squares, one])])
    return Value(graph.add("Div", [sums, lengths]), exact=True)


def _none(graph: Graph) -> str:
    return graph.scalar(0, np.int32)


def _one_earlier(name: str, graph: Graph) -> str:
    """Each row of (texts, tokens) moved one place to the right, with a zero in front."""
    return graph.add("Pad", [name, graph.integers(0, 1, 0, -1)])
