"""The last layer, which depends on the number of labels alone."""

from typing import Any

from sentilab.models.backend import import_keras
from sentilab.models.registry import Task


def head(x: Any, task: Task) -> Any:
    """p(second label) by a sigmoid for two labels, else one probability a label by a softmax."""
    layers = import_keras().layers
    if task.classes == 2:
        return layers.Dense(1, activation="sigmoid", name="output")(x)
    return layers.Dense(task.classes, activation="softmax", name="output")(x)


def scores_of(model: Any) -> Any:
    """The same model, with the same layers and weights, without its last sigmoid or softmax.

    None where it does not end in one. Log odds that are taken of probabilities near 1 are inexact.
    """
    keras = import_keras()
    layer = model.outputs[0]._keras_history.operation
    if not isinstance(layer, keras.layers.Layer) or len(layer._inbound_nodes) != 1:
        return None
    link = "sigmoid" if model.output_shape[-1] == 1 else "softmax"
    if isinstance(layer, keras.layers.Softmax) and link == "softmax":
        return keras.Model(model.inputs, layer.input, name=model.name)
    activation = getattr(layer, "activation", None)
    if activation is None or keras.activations.serialize(activation) != link:
        return None
    if isinstance(layer, keras.layers.Activation):
        return keras.Model(model.inputs, layer.input, name=model.name)
    if not isinstance(layer, keras.layers.Dense):
        return None
    linear = type(layer).from_config(layer.get_config() | {"activation": "linear"})
    scores = linear(layer.input)
    linear.set_weights(layer.get_weights())
    return keras.Model(model.inputs, scores, name=model.name)
