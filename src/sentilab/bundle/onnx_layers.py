"""Keras's own layers as nodes of ONNX; Sentilab's are in onnx_text.

No converter turns Keras's bidirectional LSTM of any length into ONNX's; here it is one ``LSTM`` node,
whose gates stand in another order. A masked model's texts are moved to the front of their rows, and the
node is told how many tokens each has, which is what masking comes to.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.bundle import onnx_text
from sentilab.bundle.onnx_nodes import FLOAT, Graph, Value, activated, as_array, convolved, refusal
from sentilab.models import import_keras

Converter = Callable[[Any, Value, Graph], Value]


def converted(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    """What a layer makes of its inputs. Raises NotExportable for one that has no counterpart here."""
    layers = import_keras().layers
    merges: tuple[tuple[Any, Callable[..., Value]], ...] = (
        (layers.Concatenate, _concatenated),
        (layers.Add, _folded("Add")),
        (layers.Multiply, _folded("Mul")),
        (layers.Maximum, _folded("Max")),
        (layers.Average, _average),
    )
    for kind, merge in merges:
        if isinstance(layer, kind):
            return merge(layer, inputs, graph)
    own = onnx_text.converter(layer)
    if own is not None:
        return own(layer, inputs, graph)
    if len(inputs) != 1:
        raise refusal(layer, f"{type(layer).__name__} of several inputs has no counterpart")
    converters: tuple[tuple[Any, Converter], ...] = (
        (layers.Embedding, _embedding),
        (layers.Bidirectional, _lstm),
        (layers.LSTM, _lstm),
        (layers.Dense, _dense),
        (layers.Activation, _activation),
        (layers.Softmax, _softmax),
        (layers.Flatten, _flatten),
        (layers.Reshape, _reshaped),
        (layers.Conv1D, _convolution),
        (layers.GlobalMaxPooling1D, _max_pooling),
        (layers.GlobalAveragePooling1D, _mean_pooling),
        (layers.LayerNormalization, _normalisation),
        *((one, _as_it_is) for one in (layers.Dropout, layers.SpatialDropout1D)),
    )
    for kind, convert in converters:
        if isinstance(layer, kind):
            return convert(layer, inputs[0], graph)
    raise refusal(layer, f"{type(layer).__name__} has no counterpart")


def _as_it_is(_: Any, x: Value, __: Graph) -> Value:
    """What only training does."""
    return x


def _common_mask(layer: Any, inputs: Sequence[Value]) -> str:
    if any(len(one.shape) < 3 for one in inputs):
        return ""
    masks = list(dict.fromkeys(one.mask for one in inputs))
    if len(masks) > 1:
        raise refusal(layer, "its inputs are masked in different ways")
    return masks[0]


def _concatenated(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    rank = len(inputs[0].shape)
    axis = layer.axis % rank
    mask = _common_mask(layer, inputs)
    if mask and axis != rank - 1:
        raise refusal(layer, "it puts masked tokens one after another")
    return Value(graph.add("Concat", [one.name for one in inputs], axis=axis), mask)


def _folded(kind: str) -> Callable[..., Value]:
    def merge(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
        name = inputs[0].name
        for one in inputs[1:]:
            name = graph.add(kind, [name, one.name])
        return Value(name, _common_mask(layer, inputs))

    return merge


def _average(layer: Any, inputs: Sequence[Value], graph: Graph) -> Value:
    total = _folded("Add")(layer, inputs, graph)
    return Value(graph.add("Div", [total.name, graph.scalar(len(inputs))]), total.mask)


def _embedding(layer: Any, ids: Value, graph: Graph) -> Value:
    mask = ids.mask
    if layer.mask_zero:
        if len(ids.shape) != 2:
            raise refusal(layer, "it masks more than one number a token")
        mask = graph.mask_of(ids.name)
    table = graph.weight(layer.weights[0])
    return Value(graph.add("Gather", [table, ids.name], axis=0), mask)


def _lstm(layer: Any, x: Value, graph: Graph) -> Value:
    layers = import_keras().layers
    both = isinstance(layer, layers.Bidirectional)
    directions = lstm_directions(layer)
    sequences = directions[0].return_sequences
    if not both and directions[0].go_backwards and sequences:
        raise refusal(layer, "it returns the sequence it reads backwards")
    way = "bidirectional" if both else "reverse" if directions[0].go_backwards else "forward"
    units = directions[0].units
    factors = [_as_onnx(one) for one in directions]
    places = graph.places_of(x.mask) if x.mask else None
    tokens = graph.taken(x.name, places.front) if places else x.name
    inputs = [
        graph.add("Transpose", [tokens], perm=[1, 0, 2]),
        *(graph.constant(np.stack(part)) for part in zip(*factors, strict=True)),
        places.lengths if places else "",
    ]
    settings = {"hidden_size": units, "direction": way}
    if sequences:
        shape = graph.integers(0, 0, len(directions) * units)
        y = graph.add("LSTM", inputs, **settings)  # (tokens, directions, texts, units)
        y = graph.add("Transpose", [y], perm=[2, 0, 1, 3])
        y = graph.add("Reshape", [y, shape])
        return Value(graph.taken(y, places.back) if places else y, x.mask)
    last = graph.add("LSTM", inputs, output=1, **settings)  # (directions, texts, units)
    last = graph.add("Transpose", [last], perm=[1, 0, 2])
    return Value(graph.add("Reshape", [last, graph.integers(0, len(directions) * units)]))


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
        raise refusal(layer, f'merge_mode is "{layer.merge_mode}", and only "concat" can be')
    return [layer.forward_layer, layer.backward_layer]


def _require_plain(layer: Any, one: Any) -> None:
    keras = import_keras()
    if not isinstance(one, keras.layers.LSTM):
        raise refusal(layer, f"it is made of {type(one).__name__}, not LSTM")
    activations = {
        "activation": (one.activation, keras.activations.tanh),
        "recurrent_activation": (one.recurrent_activation, keras.activations.sigmoid),
    }
    for name, (found, usual) in activations.items():
        if found is not usual:
            raise refusal(layer, f"its {name} is not {usual.__name__}")
    if one.return_state or one.stateful:
        raise refusal(layer, "it hands on its state")


def _as_onnx(layer: Any) -> tuple[NDArray[np.float32], ...]:
    """W (4 units, inputs), R (4 units, units) and B (8 units) with the gates in ONNX's order.

    Keras: input, forget, cell, output; ONNX: input, output, forget, cell. ONNX has a second bias.
    Source: the operator's documentation, onnx.ai/onnx/operators/onnx__LSTM.html.
    """
    kernel, recurrent, *rest = map(as_array, layer.weights)
    bias = rest[0] if rest else np.zeros(kernel.shape[1], np.float32)

    def ordered(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        i, f, c, o = np.split(matrix, 4, axis=-1)
        return np.concatenate([i, o, f, c], axis=-1)

    return ordered(kernel).T, ordered(recurrent).T, np.append(ordered(bias), np.zeros_like(bias))


def _dense(layer: Any, x: Value, graph: Graph) -> Value:
    kernel, *bias = layer.weights
    name = graph.add("MatMul", [x.name, graph.weight(kernel)], exact=x.exact)
    if bias:
        name = graph.add("Add", [name, graph.weight(bias[0])])
    return Value(activated(layer, name, graph), x.mask)


def _activation(layer: Any, x: Value, graph: Graph) -> Value:
    return Value(activated(layer, x.name, graph), x.mask)


def _softmax(layer: Any, x: Value, graph: Graph) -> Value:
    if x.mask or layer.axis not in (-1, len(x.shape) - 1):
        raise refusal(layer, "only over the last dimension, without masking, can be")
    return Value(graph.add("Softmax", [x.name]))


def _convolution(layer: Any, x: Value, graph: Graph) -> Value:
    if x.mask or layer.data_format != "channels_last":
        raise refusal(layer, "only channels last and without masking can be")
    return Value(convolved(layer, x.name, graph))


def _max_pooling(layer: Any, x: Value, graph: Graph) -> Value:
    if x.mask:
        raise refusal(layer, "it would read masked positions")
    _require_channels_last(layer)
    return Value(graph.add("ReduceMax", [x.name], axes=[1], keepdims=int(layer.keepdims)))


def _mean_pooling(layer: Any, x: Value, graph: Graph) -> Value:
    _require_channels_last(layer)
    kept = int(layer.keepdims)
    if not x.mask:
        return Value(graph.add("ReduceMean", [x.name], axes=[1], keepdims=kept))
    shown = graph.cast(graph.column(x.mask), FLOAT)
    summed, count = (
        graph.add("ReduceSum", [one, graph.integers(1)], keepdims=kept)
        for one in (graph.add("Mul", [x.name, shown]), shown)
    )
    return Value(graph.add("Div", [summed, count]))


def _require_channels_last(layer: Any) -> None:
    if layer.data_format != "channels_last":
        raise refusal(layer, "only channels last can be")


def _normalisation(layer: Any, x: Value, graph: Graph) -> Value:
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    rank = len(x.shape)
    if [one % rank for one in axes] != [rank - 1] or layer.center != layer.scale:
        raise refusal(layer, "only the last dimension, scaled and centred, can be normalised")
    width = int(x.shape[-1] or 0)
    scale, offset = (
        map(graph.weight, (layer.gamma, layer.beta))
        if layer.scale
        else (graph.constant(np.full(width, one, np.float32)) for one in (1, 0))
    )
    made = graph.add(
        "LayerNormalization", [x.name, scale, offset], axis=-1, epsilon=float(layer.epsilon)
    )
    return Value(made, x.mask)


def _flatten(layer: Any, x: Value, graph: Graph) -> Value:
    if x.mask:
        raise refusal(layer, "it would read masked positions")
    return Value(graph.add("Reshape", [x.name, graph.integers(0, -1)]))


def _reshaped(layer: Any, x: Value, graph: Graph) -> Value:
    if x.mask:
        raise refusal(layer, "its input is masked")
    return Value(graph.add("Reshape", [x.name, graph.integers(0, *layer.target_shape)]))
