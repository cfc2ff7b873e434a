"""What a model is made of: parameter arithmetic worked out, the data's shape on its way, and
whether the output fits the labels.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from sentilab.errors import ModelCannotTrain
from sentilab.models import own_layers
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
    """Takes a built functional or sequential Keras model apart; texts are (None, task.length)."""
    shapes, output = _shape_trace(model, task)
    refusal = _refusal(model, shapes, output, task)
    return Anatomy(
        model=model.name,
        layers=tuple(_layer(one, *shapes[one.name]) for one in model.layers),
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


def _shape_trace(model: Any, task: Task) -> tuple[dict[str, tuple[Shape, Shape]], Shape]:
    """(input shape, output shape) of each layer by name, and the model's output shape.

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

    if isinstance(model, keras.Sequential):
        output = known
        for layer in model.layers:
            output = call(layer, output)
    else:
        anew = keras.models.clone_model(
            model, input_tensors=known, clone_function=lambda layer: layer, call_function=call
        )
        output = anew.outputs[0]
    whole = tuple(known.shape)
    shapes = {one.name: trace.get(one.name, (whole, whole)) for one in model.layers}
    return shapes, tuple(output.shape)


def _layer(layer: Any, given: Shape, result: Shape) -> LayerAnatomy:
    symbolic: Any = getattr(layer, "output", None)
    symbolic_shape = tuple(symbolic.shape) if hasattr(symbolic, "shape") else result
    return LayerAnatomy(
        name=layer.name,
        kind=_kind(layer),
        symbolic_shape=str(symbolic_shape),
        shape=str(result),
        parameters=layer.count_params(),
        arithmetic=_arithmetic(layer, given),
        explanation=_explanation(layer, given, result),
    )


def _kind(layer: Any) -> str:
    kind = type(layer).__name__
    if isinstance(layer, import_keras().layers.Bidirectional):
        return f"{kind}({_kind(layer.forward_layer)})"
    return kind


def _arithmetic(layer: Any, given: Shape) -> str:
    """How the number of parameters comes about, with the numbers put in."""
    if isinstance(layer, import_keras().layers.Flatten):
        return f"{_product(given[1:])} = {math.prod(_known(given)):,} numbers, no parameters"
    if not layer.weights:
        return "no parameters"
    formula, value = _formula(layer, given)
    if value != layer.count_params():
        formula = " + ".join(_product(one.shape) or "1" for one in layer.weights)
    return f"{formula} = {layer.count_params():,}"


def _formula(layer: Any, given: Shape) -> tuple[str, int]:
    """The textbook formula of a layer's parameters and its value; ("", 0) where none is known.

    A subclass, or an option such as LoRA, may have weights that the formula does not count, so
    that the value is to be held against the layer's own count.
    Source: the weights' shapes in keras.layers.
    """
    layers = import_keras().layers
    if isinstance(layer, layers.Embedding):
        words, size = layer.input_dim, layer.output_dim
        return f"{words:,} words × {size:,}", words * size
    if isinstance(layer, layers.Dense):
        inputs, units = given[-1] or 0, layer.units
        if layer.use_bias:
            return f"({inputs:,} + 1) × {units:,}", (inputs + 1) * units
        return f"{inputs:,} × {units:,}", inputs * units
    if isinstance(layer, layers.Bidirectional):
        formula, value = _formula(layer.forward_layer, given)
        one_matrix = _gates(layer.forward_layer) == 1
        return f"2 directions × {f'({formula})' if one_matrix else formula}", 2 * value
    gates = _gates(layer)
    if not gates:
        return own_layers.formula(layer)
    inputs, units = given[-1] or 0, layer.units
    # A GRU that resets after the matrix product has a bias on either side of the reset.
    biases = (2 if getattr(layer, "reset_after", False) else 1) * int(layer.use_bias)
    bias = {0: "", 1: f" + {units:,}", 2: f" + 2 × {units:,}"}[biases]
    inside = f"({units:,} + {inputs:,}) × {units:,}{bias}"
    return (
        f"{gates} gates × ({inside})" if gates > 1 else inside,
        gates * ((units + inputs) * units + biases * units),
    )


def _gates(layer: Any) -> int:
    """How many matrices of one form a recurrent layer has; 0 for any other layer."""
    layers = import_keras().layers
    kinds = ((layers.LSTM, 4), (layers.GRU, 3), (layers.SimpleRNN, 1))
    return next((gates for kind, gates in kinds if isinstance(layer, kind)), 0)


def _known(shape: Sequence[int | None]) -> list[int]:
    return [one for one in shape if one is not None]


def _product(shape: Sequence[int | None]) -> str:
    return " × ".join(f"{one:,}" for one in _known(shape))


def _explanation(layer: Any, given: Shape, result: Shape) -> str:
    """What the layer does to the data on their way."""
    layers = import_keras().layers
    if isinstance(layer, layers.InputLayer):
        return f"{_product(result)} integers a text"
    if isinstance(layer, layers.Embedding):
        return f"each integer becomes a vector of {layer.output_dim:,} numbers"
    if isinstance(layer, layers.Dense):
        kept = f"; the axis of {_product(result[1:-1])} before it stays" if result[1:-1] else ""
        return f"the last axis, {given[-1]:,} numbers, becomes {layer.units:,}{kept}"
    if isinstance(layer, layers.Bidirectional):
        merged = "side by side" if layer.merge_mode == "concat" else f"as {layer.merge_mode}"
        return f"reads the words forwards and backwards, {merged}; {_kept(layer, result)}"
    if _gates(layer):
        return f"reads the words in order; {_kept(layer, result)}"
    if isinstance(layer, layers.Flatten):
        return f"all that is known of a text becomes one row of {_product(result)} numbers"
    if isinstance(layer, layers.Conv1D):
        return (
            f"each window of {layer.kernel_size[0]} neighbouring positions becomes "
            f"{layer.filters:,} numbers; {given[1]} positions become {result[1]}"
        )
    if isinstance(layer, layers.GlobalAveragePooling1D | layers.GlobalMaxPooling1D):
        how = "mean" if isinstance(layer, layers.GlobalAveragePooling1D) else "maximum"
        return f"the {how} over all {given[1]} positions; {result[-1]:,} numbers stay of a text"
    if isinstance(layer, layers.Dropout):
        return f"in training, {layer.rate:.0%} of the numbers are set to 0; the shape stays"
    if isinstance(layer, layers.LayerNormalization | layers.BatchNormalization):
        return "brought to mean 0 and variance 1, then scaled and shifted; the shape stays"
    own = own_layers.explanation(layer, result)
    return own or ("the shape stays" if given == result else f"{given} becomes {result}")


def _kept(recurrent: Any, result: Shape) -> str:
    if recurrent.return_sequences:
        return f"{result[-1]:,} numbers for each word"
    return f"the last state, {result[-1]:,} numbers, stays of a text"


def _refusal(model: Any, shapes: dict[str, tuple[Shape, Shape]], output: Shape, task: Task) -> str:
    """Why the output does not fit labels of shape (None,), or nothing if it does."""
    answers = 1 if task.classes == 2 else task.classes
    if output == (None, answers):
        return ""
    expected = f"(None, {answers})"
    if len(output) < 3:
        return (
            f"{model.name} cannot be trained: its output has shape {output}, and for "
            f"{task.classes} labels it must have {expected}.\n"
            "  Let the model end in sentilab.models.head(x, task), which knows the number of labels."
        )
    # From the layer that gives out a third axis to the end, nothing takes it away.
    tail = list(takewhile(lambda one: len(shapes[one.name][1]) >= 3, reversed(model.layers)))[::-1]
    layers = import_keras().layers
    source = tail[0].name if tail else "its last step"
    dense = ", ".join(one.name for one in tail[1:] if isinstance(one, layers.Dense))
    recurrent = [one.name for one in tail if hasattr(one, "return_sequences")]
    positions = _product(output[1:-1])
    why = (
        f"Dense works on the last axis alone: each of {dense} applies the same weights at each of "
        f"the {positions} positions and keeps the axis."
        if dense
        else f"The layers after {source} keep it."
    )
    last_state = (
        f"return_sequences=False in {recurrent[-1]}" if recurrent else "an LSTM's last state"
    )
    return (
        f"{model.name} cannot be trained: its output has shape {output}, the labels have shape "
        f"(None,), and so the output must have shape {expected}.\n"
        f"  What is left over is axis 1, the {positions} word positions, which {source} gives out: "
        f"the model answers once for each word, where there is one label for each text.\n"
        f"  {why}\n"
        "  Two ways to mend it:\n"
        f"    - Flatten after {source}, with inputs of a fixed length ({task.length}): every "
        "position gets weights of its own. The model mlp is made so.\n"
        f"    - Make one vector of the positions, by GlobalAveragePooling1D or by {last_state}: the "
        "positions share their weights, and any length will do."
    )
