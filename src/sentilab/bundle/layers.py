"""A Keras model as the list of layers that the compiled kernel computes, where it is one."""

from collections.abc import Iterator
from typing import Any

from sentilab.bundle.engines import ACTIVATIONS
from sentilab.bundle.format import Layer
from sentilab.bundle.onnx_layers import lstm_directions
from sentilab.bundle.onnx_nodes import NotExportable, as_array, refusal
from sentilab.models import import_keras


def layers_of(model: Any) -> tuple[Layer, ...] | None:
    """The model's layers, None where the kernel does not know one of them.

    Tensors are named by Keras's paths, as ``weights_of`` names them.
    """
    layers: list[Layer] = []
    sequence = True  # whether what has been computed is one vector a token
    try:
        for one in _chain(model):
            if _is_for_training(one):
                continue
            layer = _described(one)
            if layer is None or not _can_follow(layer, layers, sequence):
                return None
            layers.append(layer)
            sequence = layer.kind == "embedding" or layer.settings.get("sequences") is True
    except NotExportable:
        return None
    return None if sequence else tuple(layers)


def weights_of(model: Any) -> dict[str, Any]:
    """All weights by their paths in the model: float32 arrays, int32 where they are whole numbers.

    Where models within the model have layers of one name, a path that is taken is numbered.
    """
    arrays: dict[str, Any] = {}
    for one in model.weights:
        number, path = 1, one.path
        while path in arrays:
            number += 1
            path = f"{one.path}:{number}"
        arrays[path] = as_array(one)
    return arrays


def _chain(model: Any) -> Iterator[Any]:
    """The layers in order, without the input.

    Raises NotExportable where one reads anything but what the one before it gives.
    """
    before = model.inputs[0]
    for layer in model.layers:
        if isinstance(layer, import_keras().layers.InputLayer):
            continue
        if len(layer._inbound_nodes) != 1:
            raise refusal(layer, "it is used more than once")
        read = layer.input if isinstance(layer.input, list) else [layer.input]
        # Beside its input a masked layer reads the mask, which the kernel is given apart.
        if read[0] is not before or any(one.dtype != "bool" for one in read[1:]):
            raise refusal(layer, "it does not read the one before it")
        before = layer.output
        yield layer


def _can_follow(layer: Layer, before: list[Layer], sequence: bool) -> bool:
    if layer.kind == "embedding" or not before:
        return layer.kind == "embedding" and not before
    return sequence == (layer.kind in ("lstm", "flatten"))


def _is_for_training(layer: Any) -> bool:
    from sentilab.layers import WordDropout

    kinds = import_keras().layers
    return isinstance(layer, kinds.Dropout | kinds.SpatialDropout1D | WordDropout)


def _described(layer: Any) -> Layer | None:
    keras = import_keras()
    kinds = keras.layers
    paths = tuple(one.path for one in layer.weights)
    if isinstance(layer, kinds.Embedding):
        return Layer("embedding", paths, {"masked": bool(layer.mask_zero)})
    if isinstance(layer, kinds.Flatten):
        return Layer("flatten")
    if isinstance(layer, kinds.Dense):
        activation = keras.activations.serialize(layer.activation)
        known = activation in ACTIVATIONS
        return Layer("dense", paths, {"activation": activation}) if known else None
    if isinstance(layer, kinds.Bidirectional | kinds.LSTM):
        directions = lstm_directions(layer)
        first = directions[0]
        both = len(directions) == 2
        # The kernel gives a sequence in its input's order.
        if first.go_backwards and (both or first.return_sequences):
            return None
        if both and not all(one.return_sequences == first.return_sequences for one in directions):
            return None
        way = "both" if both else "backward" if first.go_backwards else "forward"
        return Layer("lstm", paths, {"directions": way, "sequences": bool(first.return_sequences)})
    return None
