"""Whether an ONNX file is a graph that a bundle may hold, before any runtime is given it.

The graph is walked with NumPy's shapes instead of numbers: every operator must be one that sentilab
writes, or that onnxruntime's dynamic quantisation makes of those; every shape and type must follow and
fit; every index must be provably in range; and what one text may cost is bounded. So a runtime never
meets an operator, size or index of an attacker's choosing. What the numbers say is not judged here: the
golden examples are for that.
"""

import math
from dataclasses import dataclass
from typing import Any

from sentilab.bundle.onnx_operators import OPERATORS
from sentilab.bundle.onnx_reader import Graph, Node, read_graph
from sentilab.bundle.onnx_shapes import (
    FLOAT,
    INT32,
    INT64,
    NUMBERS,
    WHOLE,
    Bill,
    Call,
    Tensor,
    require,
)

INPUT, OUTPUT = "ids", "probabilities"
IR_VERSIONS = range(7, 12)
OPSETS = {"": range(13, 18), "com.microsoft": range(1, 2)}
MOST_NODES = 1_000

# Texts at once for which the walk is made: one, a few, and more than anybody sends.
TEXTS = (1, 3, 4096)
# Tokens of a text, where neither the graph nor the caller says how many.
TOKENS = 16


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
        bill = Bill(texts, sum(one.size for one in graph.constants.values()))
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


def _walk(graph: Graph, bill: Bill, tokens: int, words: int) -> Tensor:
    """What comes out for the bill's texts of ``tokens`` tokens; ValueError where it does not fit."""
    tensors: dict[str, Tensor] = {}
    for name, values in graph.constants.items():
        # Values of whole numbers alone matter, and only few of them are ever asked for.
        kept = values if values.dtype == INT64 and values.size <= tokens + 8 else None
        low = high = None
        if values.dtype in WHOLE and values.size:
            low, high = int(values.min()), int(values.max())
        tensors[name] = Tensor(values.dtype, values.shape, kept, low, high, constant=True)
    require(INPUT not in tensors, f'"{INPUT}" is also a constant')
    tensors[INPUT] = Tensor(INT32, (bill.texts, tokens), low=0, high=words - 1)
    for number, node in enumerate(graph.nodes):
        try:
            _step(node, tensors, bill)
        except ValueError as error:
            operator = "".join(one for one in node.operator[:40] if one.isprintable())
            raise ValueError(f"node {number} ({operator}): {error}") from None
    require(OUTPUT in tensors, f'nothing computes "{OUTPUT}"')
    return tensors[OUTPUT]


def _step(node: Node, tensors: dict[str, Tensor], bill: Bill) -> None:
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
    results = known.rule(Call(inputs, node.attributes, len(node.outputs), bill))
    for name, result in zip(node.outputs, results, strict=False):
        bill.hold(math.prod(result.shape))
        if name:
            require(name not in tensors, "an output of it is computed twice")
            tensors[name] = result
