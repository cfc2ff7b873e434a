"""A Keras model as an ONNX graph that answers as it does: ids in, probabilities out.

No converter turns Keras's bidirectional LSTM of any length into ONNX's; here it is one ``LSTM`` node,
whose gates stand in another order. A masked model's texts are moved to the front of their rows, and the
node is told how many tokens each has, which is what masking comes to.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SentilabError
from sentilab.models import import_keras

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPSET = 17  # the newest that onnxruntime, its web build and older phones have in common
INPUT, OUTPUT = "ids", "probabilities"


class NotExportable(SentilabError):
    """The model has a layer, or a setting of one, that is not turned into ONNX."""


def onnx_graph(model: Any, metadata: dict[str, str] | None = None) -> "ModelProto":
    """The graph of a functional or sequential Keras model whose layers follow one another.

    ``ids`` has shape (texts, tokens), int32: any number of both, or of texts alone where the model's
    length is fixed. ``probabilities`` has shape (texts, labels), float32; a single sigmoid p becomes
    (1 - p, p). ``metadata`` is kept in the file.

    Raises NotExportable, naming the layer, for what has no counterpart here.
    """
    import onnx
    from onnx import helper

    graph = _Graph()
    x = _Value(INPUT)
    for layer in chain(model):
        x = _converted(layer, x, graph)
    if model.outputs[0].shape[-1] == 1:
        rest = graph.add("Sub", [graph.constant(np.ones(1, np.float32)), x.name])
        x = _Value(graph.add("Concat", [rest, x.name], axis=1))
    graph.nodes.append(helper.make_node("Identity", [x.name], [OUTPUT]))
    labels = max(model.outputs[0].shape[-1], 2)
    length = model.inputs[0].shape[1] or "tokens"
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            model.name,
            [helper.make_tensor_value_info(INPUT, onnx.TensorProto.INT32, ["texts", length])],
            [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["texts", labels])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="sentilab",
        ir_version=8,  # that of the opset
    )
    helper.set_model_props(made, metadata or {})
    onnx.checker.check_model(made, full_check=True)
    return made


class _Value:
    """A tensor of the graph; ``lengths`` names the tokens of each text where the rest is masked."""

    def __init__(self, name: str, lengths: str = "") -> None:
        self.name, self.lengths = name, lengths


class _Graph:
    """Nodes and constants in the making."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[Any] = []

    def add(self, kind: str, inputs: list[str], output: int = 0, **attributes: Any) -> str:
        """A node's output of this number."""
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        outputs = ["" if at != output else name for at in range(output + 1)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.asarray(values, np.int64))


def chain(model: Any) -> Iterator[Any]:
    """The layers in order, without the input.

    Raises NotExportable where one reads anything but what the one before it gives.
    """
    layers = import_keras().layers
    before = model.inputs[0]
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        read = layer.input if isinstance(layer.input, list) else [layer.input]
        # Beside its input a masked layer reads the mask, which the graph carries as lengths.
        if read[0] is not before or any(one.dtype != "bool" for one in read[1:]):
            raise NotExportable(
                f'{model.name}: layer "{layer.name}" does not read the one before it.\n'
                "  Only models whose layers follow one another become ONNX."
            )
        before = layer.output
        yield layer


def _converted(layer: Any, x: _Value, graph: _Graph) -> _Value:
    layers = import_keras().layers
    converters: tuple[tuple[Any, Callable[[Any, _Value, _Graph], _Value]], ...] = (
        (layers.Embedding, _embedding),
        (layers.Bidirectional, _lstm),
        (layers.LSTM, _lstm),
        (layers.Dense, _dense),
        (layers.Flatten, _flatten),
        (layers.Conv1D, _convolution),
        (layers.GlobalMaxPooling1D, _pooling("ReduceMax")),
        (layers.GlobalAveragePooling1D, _pooling("ReduceMean")),
        (layers.Dropout, lambda _, value, __: value),
    )
    for kind, convert in converters:
        if isinstance(layer, kind):
            return convert(layer, x, graph)
    raise _refusal(layer, f"{type(layer).__name__} has no counterpart")


def _refusal(layer: Any, why: str) -> NotExportable:
    return NotExportable(f'Layer "{layer.name}" cannot become ONNX: {why}.')


def _embedding(layer: Any, ids: _Value, graph: _Graph) -> _Value:
    name, lengths = ids.name, ""
    if layer.mask_zero:
        name, lengths = _moved_to_the_front(ids.name, graph)
    table = graph.constant(_weights(layer)[0])
    return _Value(graph.add("Gather", [table, name], axis=0), lengths)


def _moved_to_the_front(ids: str, graph: _Graph) -> tuple[str, str]:
    """The ids of each text before its padding, wherever that stood; and how many there are."""
    zero = graph.constant(np.zeros(1, np.int32))
    is_token = graph.add("Cast", [graph.add("Greater", [ids, zero])], to=7)  # int64
    lengths = graph.add("ReduceSum", [is_token, graph.integers(1)], keepdims=0)
    first = graph.add("ArgMax", [is_token], axis=1, keepdims=1)
    tokens = graph.add("Shape", [ids], start=1)
    places = graph.add(
        "Range",
        [
            graph.constant(np.asarray(0, np.int64)),
            graph.add("Squeeze", [tokens]),
            graph.constant(np.asarray(1, np.int64)),
        ],
    )
    from_places = graph.add("Mod", [graph.add("Add", [places, first]), tokens])
    moved = graph.add("GatherElements", [ids, from_places], axis=1)
    return moved, graph.add("Cast", [lengths], to=6)  # int32


def _lstm(layer: Any, x: _Value, graph: _Graph) -> _Value:
    layers = import_keras().layers
    both = isinstance(layer, layers.Bidirectional)
    directions = lstm_directions(layer)
    sequences = directions[0].return_sequences
    if not both and directions[0].go_backwards and sequences:
        raise _refusal(layer, "it returns the sequence it reads backwards")
    way = "bidirectional" if both else "reverse" if directions[0].go_backwards else "forward"
    units = directions[0].units
    factors = [_as_onnx(one) for one in directions]
    inputs = [
        graph.add("Transpose", [x.name], perm=[1, 0, 2]),
        *(graph.constant(np.stack(part)) for part in zip(*factors, strict=True)),
        x.lengths,
    ]
    settings = {"hidden_size": units, "direction": way}
    if sequences:
        shape = graph.integers(0, 0, len(directions) * units)
        y = graph.add("LSTM", inputs, **settings)  # (tokens, directions, texts, units)
        y = graph.add("Transpose", [y], perm=[2, 0, 1, 3])
        return _Value(graph.add("Reshape", [y, shape]), x.lengths)
    last = graph.add("LSTM", inputs, output=1, **settings)  # (directions, texts, units)
    last = graph.add("Transpose", [last], perm=[1, 0, 2])
    return _Value(graph.add("Reshape", [last, graph.integers(0, len(directions) * units)]))


def lstm_directions(layer: Any) -> list[Any]:
    """The LSTM in ``layer``, or the two of a Bidirectional.

    Raises NotExportable for one that is not the plain LSTM that ONNX and the kernel compute.
    """
    if not isinstance(layer, import_keras().layers.Bidirectional):
        _require_plain(layer, layer)
        return [layer]
    for one in (layer.forward_layer, layer.backward_layer):
        _require_plain(layer, one)
    if layer.merge_mode != "concat":
        raise _refusal(layer, f'merge_mode is "{layer.merge_mode}", and only "concat" can be')
    return [layer.forward_layer, layer.backward_layer]


def _require_plain(layer: Any, one: Any) -> None:
    keras = import_keras()
    if not isinstance(one, keras.layers.LSTM):
        raise _refusal(layer, f"it is made of {type(one).__name__}, not LSTM")
    activations = {
        "activation": (one.activation, keras.activations.tanh),
        "recurrent_activation": (one.recurrent_activation, keras.activations.sigmoid),
    }
    for name, (found, usual) in activations.items():
        if found is not usual:
            raise _refusal(layer, f"its {name} is not {usual.__name__}")
    if one.return_state or one.stateful:
        raise _refusal(layer, "it hands on its state")


def _as_onnx(layer: Any) -> tuple[NDArray[np.float32], ...]:
    """W (4 units, inputs), R (4 units, units) and B (8 units) with the gates in ONNX's order.

    Keras: input, forget, cell, output; ONNX: input, output, forget, cell. ONNX has a second bias.
    Source: the operator's documentation, onnx.ai/onnx/operators/onnx__LSTM.html.
    """
    kernel, recurrent, *rest = _weights(layer)
    bias = rest[0] if rest else np.zeros(kernel.shape[1], np.float32)

    def ordered(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        i, f, c, o = np.split(matrix, 4, axis=-1)
        return np.concatenate([i, o, f, c], axis=-1)

    return ordered(kernel).T, ordered(recurrent).T, np.append(ordered(bias), np.zeros_like(bias))


def _dense(layer: Any, x: _Value, graph: _Graph) -> _Value:
    kernel, *bias = _weights(layer)
    name = graph.add("MatMul", [x.name, graph.constant(kernel)])
    if bias:
        name = graph.add("Add", [name, graph.constant(bias[0])])
    return _Value(_activated(layer, name, graph), x.lengths)


def _activated(layer: Any, name: str, graph: _Graph) -> str:
    kind = import_keras().activations.serialize(layer.activation)
    if kind == "linear":
        return name
    known = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softmax": "Softmax"}
    if kind not in known:
        raise _refusal(layer, f"its activation {kind} has no counterpart")
    return graph.add(known[kind], [name])


def _convolution(layer: Any, x: _Value, graph: _Graph) -> _Value:
    if x.lengths or layer.padding != "valid" or layer.data_format != "channels_last":
        raise _refusal(layer, 'only padding="valid", channels last and without masking can be')
    kernel, *bias = _weights(layer)  # (window, inputs, filters)
    name = graph.add(
        "Conv",
        [
            graph.add("Transpose", [x.name], perm=[0, 2, 1]),
            graph.constant(kernel.transpose(2, 1, 0)),
            *(graph.constant(one) for one in bias),
        ],
        strides=list(layer.strides),
        dilations=list(layer.dilation_rate),
        group=layer.groups,
    )
    return _Value(_activated(layer, graph.add("Transpose", [name], perm=[0, 2, 1]), graph))


def _pooling(kind: str) -> Callable[[Any, _Value, _Graph], _Value]:
    def convert(layer: Any, x: _Value, graph: _Graph) -> _Value:
        if x.lengths or layer.data_format != "channels_last":
            raise _refusal(layer, "only channels last and without masking can be")
        return _Value(graph.add(kind, [x.name], axes=[1], keepdims=int(layer.keepdims)))

    return convert


def _flatten(layer: Any, x: _Value, graph: _Graph) -> _Value:
    if x.lengths:
        raise _refusal(layer, "it would read masked positions")
    return _Value(graph.add("Reshape", [x.name, graph.integers(0, -1)]))


def _weights(layer: Any) -> list[NDArray[np.float32]]:
    return [np.asarray(one, np.float32) for one in layer.get_weights()]
