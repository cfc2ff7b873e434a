"""A Keras model as the list of layers that the compiled kernel computes, where it is one."""

from typing import Any

from sentilab.bundle.engines import ACTIVATIONS
from sentilab.bundle.format import Layer
from sentilab.bundle.onnx_graph import NotExportable, chain, lstm_directions
from sentilab.models import import_keras


def layers_of(model: Any) -> tuple[Layer, ...] | None:
    """The model's layers, None where the kernel does not know one of them.

    Tensors are named by Keras's paths, as ``weights_of`` names them.
    """
    layers: list[Layer] = []
    sequence = True  # whether what has been computed is one vector a token
    try:
        for one in chain(model):
            if _is_dropout(one):
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
    """All weights by their paths in the model, float32 arrays."""
    import numpy as np

    return {one.path: np.asarray(one.numpy(), np.float32) for one in model.weights}


def _can_follow(layer: Layer, before: list[Layer], sequence: bool) -> bool:
    if layer.kind == "embedding" or not before:
        return layer.kind == "embedding" and not before
    return sequence == (layer.kind in ("lstm", "flatten"))


def _is_dropout(layer: Any) -> bool:
    return isinstance(layer, import_keras().layers.Dropout)


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
