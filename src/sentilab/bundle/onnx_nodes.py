"""An ONNX graph in the making: its nodes and constants, and what is known of a tensor in it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SentilabError
from sentilab.models import import_keras

if TYPE_CHECKING:
    from onnx import NodeProto

# How the names of nodes begin whose weights must not be rounded to 8 bits.
EXACT = "exact"

# Numbers of ONNX's types, for Cast. Source: onnx.proto, TensorProto.DataType.
FLOAT, INT32, INT64, UINT32 = 1, 6, 7, 12


class NotExportable(SentilabError):
    """The model has a layer, or a setting of one, that is not turned into ONNX."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph, by its name.

    ``mask`` names where a token stands, bool (texts, tokens), if the rest is masked. ``shape`` is what
    Keras says of the tensor, None for what may be any number. ``exact``: products of it must not be
    rounded to 8 bits.
    """

    name: str
    mask: str = ""
    shape: tuple[int | None, ...] = ()
    exact: bool = False


@dataclass(frozen=True)
class Places:
    """By names: the tokens of each text, int32 (texts,), and two orders of them, int64 (texts, tokens, 1).

    ``front`` is the order in which a text's tokens come before its padding; ``back`` undoes it.
    """

    lengths: str
    front: str
    back: str


class Graph:
    """Nodes and constants in their order."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[Any] = []
        self._scalars: dict[tuple[float, str], str] = {}
        self._weights: dict[int, str] = {}
        self._masks: dict[str, str] = {}
        self._places: dict[str, Places] = {}

    def add(
        self,
        kind: str,
        inputs: list[str],
        output: int = 0,
        *,
        exact: bool = False,
        **attributes: Any,
    ) -> str:
        """A new node's output of this number; an ``exact`` node keeps its weights' 32 bits always."""
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        outputs = ["" if at != output else name for at in range(output + 1)]
        if kind == "TopK":
            outputs.append(f"{name}_places")  # which it must have, used or not
        named = f"{EXACT}_{len(self.nodes)}" if exact else None
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=named, **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.asarray(values, np.int64))

    def scalar(self, value: float, kind: Any = np.float32) -> str:
        key = (value, np.dtype(kind).name)
        if key not in self._scalars:
            self._scalars[key] = self.constant(np.asarray(value, kind))
        return self._scalars[key]

    def weight(self, variable: Any) -> str:
        """A layer's variable as it is, once however often the layer is used."""
        key = id(variable)
        if key not in self._weights:
            self._weights[key] = self.constant(as_array(variable))
        return self._weights[key]

    def cast(self, name: str, kind: int) -> str:
        return self.add("Cast", [name], to=kind)

    def mask_of(self, ids: str) -> str:
        """Where ``ids`` (texts, tokens) are not padding."""
        if ids not in self._masks:
            zero = self.constant(np.zeros(1, np.int32))
            self._masks[ids] = self.add("Greater", [ids, zero])
        return self._masks[ids]

    def places_of(self, mask: str) -> Places:
        """Where the tokens are, of texts whose padding stands on one side."""
        if mask not in self._places:
            is_token = self.cast(mask, INT64)
            lengths = self.cast(
                self.add("ReduceSum", [is_token, self.integers(1)], keepdims=0), INT32
            )
            first = self.add("ArgMax", [is_token], axis=1, keepdims=1)
            tokens = self.add("Shape", [mask], start=1)
            ends = [self.scalar(0, np.int64), self.add("Squeeze", [tokens])]
            places = self.add("Range", [*ends, self.scalar(1, np.int64)])
            front, back = (
                self.column(self.add("Mod", [self.add(kind, [places, first]), tokens]))
                for kind in ("Add", "Sub")
            )
            self._places[mask] = Places(lengths, front, back)
        return self._places[mask]

    def column(self, name: str) -> str:
        """(texts, tokens) as (texts, tokens, 1)."""
        return self.add("Unsqueeze", [name, self.integers(2)])

    def taken(self, name: str, places: str) -> str:
        """The vectors (texts, tokens, size) in another order of each text's tokens."""
        return self.add("GatherND", [name, places], batch_dims=1)


def as_array(variable: Any) -> NDArray[Any]:
    """A variable's value: float32, or int32 where it holds whole numbers."""
    value = np.asarray(variable.numpy())
    return value.astype(np.int32 if value.dtype.kind in "iu" else np.float32)


def refusal(layer: Any, why: str) -> NotExportable:
    return NotExportable(f'Layer "{layer.name}" cannot become ONNX: {why}.')


def activated(layer: Any, name: str, graph: Graph) -> str:
    """A tensor after the layer's activation."""
    kind = import_keras().activations.serialize(layer.activation)
    if kind == "linear":
        return name
    if kind == "log_sigmoid":
        return graph.add("Neg", [graph.add("Softplus", [graph.add("Neg", [name])])])
    known = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softmax": "Softmax"}
    if kind not in known:
        raise refusal(layer, f"its activation {kind} has no counterpart")
    return graph.add(known[kind], [name])


def convolved(layer: Any, name: str, graph: Graph) -> str:
    """What a Conv1D makes of (texts, tokens, channels), its activation included."""
    (window,), (stride,), (dilation,) = layer.kernel_size, layer.strides, layer.dilation_rate
    around = dilation * (window - 1) if layer.padding != "valid" else 0
    if around and stride != 1:
        raise refusal(layer, "it pads, and its strides are not 1")
    before = around if layer.padding == "causal" else around // 2
    kernel, *bias = layer.weights  # (window, inputs, filters)
    name = graph.add(
        "Conv",
        exact=True,  # quantised, it would be an operator that not all builds of ONNX Runtime have
        inputs=[
            graph.add("Transpose", [name], perm=[0, 2, 1]),
            graph.constant(as_array(kernel).transpose(2, 1, 0)),
            *map(graph.weight, bias),
        ],
        strides=[stride],
        dilations=[dilation],
        group=layer.groups,
        pads=[before, around - before],
    )
    return activated(layer, graph.add("Transpose", [name], perm=[0, 2, 1]), graph)
