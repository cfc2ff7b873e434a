"""Sentilab's own layers as nodes of ONNX."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sentilab.bundle import onnx_ngrams
from sentilab.bundle.onnx_nodes import FLOAT, Graph, Value, convolved

# Below every score that a float32 model computes, as sentilab.layers.pooling has it.
_LOWEST = -1e30

Converter = Callable[[Any, Sequence[Value], Graph], Value]


def converter(layer: Any) -> Converter | None:
    """What converts one of Sentilab's layers; None for others."""
    from sentilab import layers
    from sentilab.layers.ngrams import Ngrams, NgramSums

    known: tuple[tuple[Any, Converter], ...] = (
        (layers.Combination, _combination),
        (layers.Conv1D, _convolution),
        (layers.HashedNgrams, onnx_ngrams.hashed),
        (layers.JoinNgrams, _joined),
        (Ngrams, onnx_ngrams.looked_up),
        (NgramSums, onnx_ngrams.summed),
        (layers.Pooling, _pooling),
        (layers.Reencoding, _reencoding),
        (layers.WordDropout, lambda _, inputs, __: inputs[0]),
    )
    return next((convert for kind, convert in known if isinstance(layer, kind)), None)


def _joined(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    words, ngrams = inputs
    if layer.kind == "add":
        summed = graph.add("ReduceSum", [ngrams.name, graph.integers(2)], keepdims=0)
        return Value(graph.add("Add", [words.name, summed]), words.mask)
    orders, size = ngrams.shape[2:]
    side_by_side = graph.integers(0, 0, int(orders or 0) * int(size or 0))
    flat = graph.add("Reshape", [ngrams.name, side_by_side])
    return Value(graph.add("Concat", [words.name, flat], axis=2), words.mask)


def _convolution(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    (x,) = inputs
    name = x.name
    if x.mask:
        name = graph.add("Where", [graph.column(x.mask), name, graph.scalar(0)])
    return Value(convolved(layer, name, graph), x.mask)


def _pooling(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    (x,) = inputs
    there = graph.column(x.mask) if x.mask else ""

    def over_tokens(kind: str, name: str) -> str:
        if kind == "ReduceSum":
            return graph.add(kind, [name, graph.integers(1)], keepdims=0)
        return graph.add(kind, [name], axes=[1], keepdims=0)

    def shown(name: str, instead: str) -> str:
        return graph.add("Where", [there, name, instead]) if there else name

    def count() -> str:
        return over_tokens("ReduceSum", graph.cast(there, FLOAT))

    def maximum() -> str:
        highest = over_tokens("ReduceMax", shown(x.name, graph.scalar(_LOWEST)))
        if not there:
            return highest
        any_there = graph.add("Greater", [count(), graph.scalar(0)])
        return graph.add("Where", [any_there, highest, graph.scalar(0)])

    def mean() -> str:
        if not there:
            return over_tokens("ReduceMean", x.name)
        total = over_tokens("ReduceSum", shown(x.name, graph.scalar(0)))
        return graph.add("Div", [total, graph.add("Max", [count(), graph.scalar(1)])])

    if layer.kind == "max":
        return Value(maximum())
    if layer.kind == "mean":
        return Value(mean())
    if layer.kind == "max+mean":
        return Value(graph.add("Concat", [maximum(), mean()], axis=1))
    query = graph.add("Unsqueeze", [graph.weight(layer.query), graph.integers(1)])
    scores = shown(graph.add("MatMul", [x.name, query]), graph.scalar(_LOWEST))
    weights = shown(graph.add("Softmax", [scores], axis=1), graph.scalar(0))
    return Value(over_tokens("ReduceSum", graph.add("Mul", [x.name, weights])))


def _reencoding(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    from sentilab.layers import reencoding

    (ids,) = inputs
    last = [graph.integers(one) for one in (-layer.length, np.iinfo(np.int64).max, 1)]
    name = graph.add("Slice", [ids.name, *last])
    if layer.table_size:
        return Value(graph.add("Gather", [graph.weight(layer.table), name], axis=0))
    unknown, words = (
        graph.scalar(one, np.int32) for one in (reencoding.OUT_OF_VOCABULARY, layer.words)
    )
    known = graph.add("Where", [graph.add("Less", [name, words]), name, unknown])
    # Changes nothing; but what bounds the ids so, is plain to whoever checks the graph.
    return Value(graph.add("Min", [known, graph.scalar(layer.words - 1, np.int32)]))


def _combination(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    from sentilab.layers import combination

    columns = [graph.column(one.name) for one in inputs]  # each (texts, answers, 1)
    stacked = graph.add("Concat", columns, axis=2)
    low, high = combination.CLIP, 1 - combination.CLIP

    def clipped(name: str, least: float, most: float) -> str:
        name = graph.add("Max", [name, graph.scalar(least)])
        return graph.add("Min", [name, graph.scalar(most)])

    single = inputs[0].shape[-1] == 1
    if layer.given == "scores" and single:
        scores = clipped(stacked, math.log(low / high), math.log(high / low))
    elif layer.given == "scores":
        logs = graph.add("LogSoftmax", [stacked], axis=1)
        scores = clipped(logs, math.log(low), math.log(high))
    else:
        p = clipped(stacked, low, high)
        scores = graph.add("Log", [p])
        if single:
            rest = graph.add("Log", [graph.add("Sub", [graph.scalar(1), p])])
            scores = graph.add("Sub", [scores, rest])
    weighed = graph.add("Mul", [scores, graph.weight(layer.member_weights)])
    summed = graph.add("ReduceSum", [weighed, graph.integers(2)], keepdims=0)
    return Value(graph.add("Add", [summed, graph.weight(layer.bias)]))
