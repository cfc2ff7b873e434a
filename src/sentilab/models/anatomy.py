"""What a model is made of: parameter arithmetic worked out, the data's shape on its way, and
whether the output fits the labels.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

from sentilab.errors import ModelCannotTrain
from sentilab.models.backend import import_keras
from sentilab.models.registry import Task

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class LayerAnatomy:
    """One layer. ``shape`` is its output's for texts of the task's length, ``symbolic_shape``
    what Keras prints; ``arithmetic`` ends in the number of ``parameters``.
    """

    name: str
    kind: str
    symbolic_shape: str
    shape: str
    parameters: int
    arithmetic: str
    explanation: str


@dataclass(frozen=True)
class Anatomy:
    """A model's layers in order; ``refusal`` says why it cannot train, where it cannot."""

    model: str
    layers: tuple[LayerAnatomy, ...]
    parameters: int
    trainable_parameters: int
    output_shape: str
    trainable: bool
    refusal: str

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {**asdict(self), "layers": [asdict(one) for one in self.layers]}


def anatomy(model: Any, task: Task) -> Anatomy:
    """Takes a built Keras model apart; texts have shape (None, task.length)."""
    shapes = _shape_trace(model, task)
    layers = tuple(_layer(one, shapes[one.name], task) for one in model.layers)
    output = shapes[model.layers[-1].name][1]
    refusal = _refusal(model, shapes, output, task)
    return Anatomy(
        model=model.name,
        layers=layers,
        parameters=model.count_params(),
        trainable_parameters=sum(math.prod(one.shape) for one in model.trainable_weights),
        output_shape=str(output),
        trainable=not refusal,
        refusal=refusal,
    )


def require_trainable(model: Any, task: Task) -> None:
    """Raises ModelCannotTrain, with the explanation, if the output does not fit the labels."""
    refusal = anatomy(model, task).refusal
    if refusal:
        raise ModelCannotTrain(refusal)


def _shape_trace(model: Any, task: Task) -> dict[str, tuple[Shape, Shape]]:
    """(input shape, output shape) of each layer by name, for texts of the task's length.

    Symbolic: the same layers are called anew on an input whose length is known.
    """
    keras = import_keras()
    known = keras.Input((task.length,), dtype=model.inputs[0].dtype)
    trace: dict[str, tuple[Shape, Shape]] = {}

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        result = layer(*arguments, **options)
        given, gives = (keras.tree.flatten(one)[0].shape for one in (arguments, result))
        trace[layer.name] = (tuple(given), tuple(gives))
        return result

    keras.models.clone_model(
        model, input_tensors=known, clone_function=lambda layer: layer, call_function=call
    )
    whole = tuple(known.shape)
    return {one.name: trace.get(one.name, (whole, whole)) for one in model.layers}


def _layer(layer: Any, shapes: tuple[Shape, Shape], task: Task) -> LayerAnatomy:
    given, result = shapes
    symbolic: Any = getattr(layer, "output", None)
    symbolic_shape = tuple(symbolic.shape) if hasattr(symbolic, "shape") else result
    arithmetic, explanation = _explain(layer, given, result, task)
    return LayerAnatomy(
        name=layer.name,
        kind=_kind(layer),
        symbolic_shape=str(symbolic_shape),
        shape=str(result),
        parameters=layer.count_params(),
        arithmetic=arithmetic,
        explanation=explanation,
    )


def _kind(layer: Any) -> str:
    kind = type(layer).__name__
    return f"{kind}({_kind(layer.forward_layer)})" if kind == "Bidirectional" else kind


def _explain(layer: Any, given: Shape, result: Shape, task: Task) -> tuple[str, str]:
    """(worked arithmetic, what happens to the shape)."""
    kind = type(layer).__name__
    total = f" = {layer.count_params():,}"
    if kind == "InputLayer":
        return "no parameters", f"{task.length} integers a text"
    if kind == "Embedding":
        return (
            f"{layer.input_dim:,} words × {layer.output_dim}" + total,
            f"each integer becomes a vector of {layer.output_dim} numbers",
        )
    if kind == "Dense":
        inputs = given[-1] or 0
        count = f"({inputs:,} + 1)" if layer.use_bias else f"{inputs:,}"
        left = result[1:-1]
        kept = f"; the axis of {', '.join(map(str, left))} before it stays" if left else ""
        return (
            f"{count} × {layer.units:,}" + total,
            f"the last axis, {inputs:,} numbers, becomes {layer.units:,}{kept}",
        )
    if kind in _GATES:
        return _gates(layer, given) + total, _sequence(layer, result)
    if kind == "Bidirectional" and type(layer.forward_layer).__name__ in _GATES:
        inner = _gates(layer.forward_layer, given)
        both = "forwards and backwards, side by side; "
        return f"2 directions × {inner}" + total, both + _sequence(layer.forward_layer, result)
    if kind == "Flatten":
        sizes = [one for one in given[1:] if one is not None]
        product = " × ".join(f"{one:,}" for one in sizes)
        return f"{product} = {math.prod(sizes):,} numbers, no parameters", "all axes become one"
    if not layer.weights:
        return "no parameters", _same_or_new(given, result)
    products = (" × ".join(f"{size:,}" for size in one.shape) or "1" for one in layer.weights)
    return " + ".join(products) + total, _same_or_new(given, result)


_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


def _gates(layer: Any, given: Shape) -> str:
    """For the LSTM: 4 gates × ((inputs + units) × units + units).

    Source: the weights' shapes in keras.layers; a GRU with reset_after has a second bias.
    """
    gates, units, inputs = _GATES[type(layer).__name__], layer.units, given[-1]
    two_biases = type(layer).__name__ == "GRU" and layer.reset_after
    bias = (f" + 2 × {units}" if two_biases else f" + {units}") if layer.use_bias else ""
    inside = f"(({units} + {inputs}) × {units}{bias})"
    return f"{gates} gates × {inside}" if gates > 1 else inside


def _sequence(layer: Any, result: Shape) -> str:
    if layer.return_sequences:
        return f"reads the words in order; {result[-1]} numbers for each word"
    return (
        f"reads the words in order; the last state, {result[-1]} numbers, is what stays of a text"
    )


def _same_or_new(given: Shape, result: Shape) -> str:
    return "the shape stays" if given == result else f"{given} becomes {result}"


def _refusal(model: Any, shapes: dict[str, tuple[Shape, Shape]], output: Shape, task: Task) -> str:
    """Why the output does not fit labels of shape (None,), or nothing if it does."""
    answers = 1 if task.classes == 2 else task.classes
    if output == (None, answers):
        return ""
    expected = f"(None, {answers})"
    if len(output) < 3:
        return (
            f"{model.name} cannot be trained: its output has shape {output}, and for {task.classes} "
            f"labels it must have {expected}.\n"
            "  Let the model end in sentilab.models.head(x, task), which knows the number of labels."
        )
    # The first layer that gives out a third axis, and the layers that pass it on.
    source = next(one.name for one in model.layers if len(shapes[one.name][1]) >= 3)
    keepers = [
        one.name
        for one in model.layers
        if type(one).__name__ == "Dense" and len(shapes[one.name][1]) >= 3
    ]
    axes = ", ".join(str(size) for size in output[1:-1])
    why = (
        f"Dense works on the last axis alone: {', '.join(keepers)} apply the same weights at each "
        f"of the {axes} positions and keep the axis."
        if keepers
        else f"The layers after {source} keep it."
    )
    return (
        f"{model.name} cannot be trained: its output has shape {output}, the labels have shape "
        f"(None,), and so the output must have shape {expected}.\n"
        f"  What is left over is axis 1, the {axes} word positions, which {source} gives out: the "
        f"model answers once for each word, where there is one label for each text.\n"
        f"  {why}\n"
        "  Two ways to mend it:\n"
        f"    - Flatten between {source} and the first Dense, with inputs of a fixed length "
        f"({task.length}): every position gets weights of its own. The model mlp is this one.\n"
        "    - Pooling over the word axis, such as GlobalAveragePooling1D: the positions share "
        "their weights, and any length will do."
    )
