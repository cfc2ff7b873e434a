"""Whether padding can change what a model answers: read off its graph."""

from typing import Any

from sentilab.models.backend import import_keras


def ignores_padding(model: Any) -> bool:
    """Whether texts may be cropped to their words: any number of zeros in front changes nothing.

    True only where every layer is known not to read padding: those that work position by position,
    those that are told by a mask what is padding, and layers of Sentilab or a user's own that say so by
    an attribute ``ignores_padding``. All others count as reading it.
    """
    if getattr(model.inputs[0], "shape", (None, 0))[1] is not None:
        return False
    return all(_layer_does(one) for one in model.layers)


def _layer_does(layer: Any) -> bool:
    keras = import_keras()
    kinds = keras.layers
    said = getattr(layer, "ignores_padding", None)
    if said is not None:
        return bool(said)
    if isinstance(layer, keras.Model):
        return ignores_padding(layer)
    if isinstance(layer, kinds.InputLayer | kinds.Dropout | kinds.Activation | kinds.Embedding):
        return True
    given = layer.input if isinstance(layer.input, list | tuple) else [layer.input]
    if not any(len(one.shape) > 1 and one.shape[1] is None for one in given):
        return True  # no positions are left
    if _rearranges_ids(layer):
        return True
    if isinstance(layer, kinds.Dense | kinds.LayerNormalization):
        return len(given[0].shape) == 3
    if isinstance(layer, kinds.Add | kinds.Multiply | kinds.Concatenate):
        return getattr(layer, "axis", -1) in (-1, 2)
    mask_aware = kinds.Bidirectional | kinds.RNN | kinds.GlobalAveragePooling1D | _own()
    return isinstance(layer, mask_aware) and _is_masked(layer)


def _rearranges_ids(layer: Any) -> bool:
    """Whether ids, none of them lost, come to stand in one row: padding then adds zeros and no more."""
    kinds = import_keras().layers
    given = layer.input if isinstance(layer.input, list) else [layer.input]
    if not all(one.dtype == "int32" for one in given):
        return False
    if isinstance(layer, kinds.Reshape):
        return tuple(layer.target_shape) == (-1,)
    return isinstance(layer, kinds.Concatenate) and layer.axis == 1


def _own() -> Any:
    from sentilab.layers import Conv1D, Pooling

    return Conv1D | Pooling


def _is_masked(layer: Any) -> bool:
    """Whether the layer's input carries a mask."""
    given = layer.input[0] if isinstance(layer.input, list | tuple) else layer.input
    return getattr(given, "_keras_mask", None) is not None
