"""Keras's LSTM and Bidirectional, computed by the fused kernel where it can be."""

from typing import Any, NamedTuple

import keras
from keras import ops
from keras.src import tree

from sentilab.kernels.lstm import Direction, States, lstm
from sentilab.layers.embedding import tokens_of
from sentilab.layers.path import Choosing, Precision, save_under_the_name_of


@save_under_the_name_of(keras.layers.LSTM)
class LSTM(Choosing, keras.layers.LSTM):  # type: ignore[misc]
    """keras.layers.LSTM, with the same arguments, weights and outputs.

    Input (batch, steps, inputs); output (batch, units), or (batch, steps, units) with
    ``return_sequences``. Where the kernel cannot be used, Keras's own code runs, and ``lstm_path``
    says why.

    ``precision``: "bf16" multiplies bfloat16 factors, which takes about half the time, and sums
    their products in float32; it raises PrecisionUnavailable, a ValueError, where the kernel or the
    processor cannot. It says how to compute, not what: neither ``get_config`` nor a saved model has
    it, and a copy made from these is of float32.
    """

    def _obstacle(self) -> str:
        return _obstacle(self)

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        if not self._fused(_empty(sequences)):
            return super().inner_loop(sequences, initial_state, mask, training=training)
        if tree.is_nested(mask):
            mask = mask[0]
        read = _read(self.cell, sequences, initial_state, training)
        states = lstm(
            read.inputs,
            (read.direction,),
            mask=mask,
            zero_masked=self.zero_output_for_mask,
            reverse=self.go_backwards,
            sequences=self.return_sequences,
            bf16=self.precision == "bf16",
        )
        last, outputs = states.h, states.y
        if mask is not None and self.zero_output_for_mask:
            last_step = 0 if self.go_backwards else -1
            last = ops.where(mask[:, last_step, None], last, 0.0)
        if outputs is None:
            outputs = last[:, None]
        elif self.go_backwards:  # Keras gives them in the order in which they were computed
            outputs = ops.flip(outputs, axis=1)
        return last, outputs, [states.h, states.c]


@save_under_the_name_of(keras.layers.Bidirectional)
class Bidirectional(Choosing, keras.layers.Bidirectional):  # type: ignore[misc]
    """keras.layers.Bidirectional, with the same arguments, weights and outputs.

    Around an LSTM both directions are one call of the kernel. Where that cannot be, Keras's own
    code runs, and ``lstm_path`` says why. ``precision`` is that of both directions, as in LSTM.
    """

    def __init__(
        self, layer: Any, *arguments: Any, precision: Precision = "float32", **settings: Any
    ) -> None:
        super().__init__(layer, *arguments, precision=precision, **settings)
        # Keras makes both directions from the given layer's config, which does not have it.
        for one in (layer, self.backward_layer):
            if getattr(one, "precision", "float32") not in ("float32", precision):
                raise ValueError(
                    f'The layer {one.name} within {self.name} was given precision = "bf16"; '
                    "give it to Bidirectional, for both directions."
                )

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
    ) -> Any:
        layers = (self.forward_layer, self.backward_layer)
        if not isinstance(layers[0], keras.layers.LSTM):
            return super().call(sequences, initial_state, mask, training)
        obstacle = _empty(sequences)
        if initial_state is not None and len(initial_state) != 4:
            obstacle = "its initial state is not that of two LSTMs"
        if not self._fused(obstacle):
            return super().call(sequences, initial_state, mask, training)
        given = (initial_state[:2], initial_state[2:]) if initial_state is not None else (None,) * 2
        first, second = (
            self._one_direction(layer.cell, sequences, state, training)
            for layer, state in zip(layers, given, strict=True)
        )
        settings = {
            "mask": mask,
            "zero_masked": layers[0].zero_output_for_mask,
            "sequences": self.return_sequences,
            "bf16": self.precision == "bf16",
        }
        backwards = layers[0].go_backwards
        if first.inputs is second.inputs:
            directions = _alike(first.direction, second.direction)
            states = lstm(first.inputs, directions, reverse=backwards, **settings)
        else:  # each direction drops inputs of its own
            one = lstm(first.inputs, (first.direction,), reverse=backwards, **settings)
            other = lstm(second.inputs, (second.direction,), reverse=not backwards, **settings)
            y = None if one.y is None else ops.concatenate([one.y, other.y], axis=-1)
            h, c = (ops.concatenate(both, axis=-1) for both in ((one.h, other.h), (one.c, other.c)))
            states = States(y, h, c)
        outputs = states.h if states.y is None else states.y
        if states.y is not None and layers[0].go_backwards:
            # Keras gives them in the order in which the first direction computed them.
            outputs = ops.flip(outputs, axis=1)
        merged = self._merged(outputs)
        if not self.return_state:
            return merged
        forward_h, backward_h = ops.split(states.h, 2, axis=-1)
        forward_c, backward_c = ops.split(states.c, 2, axis=-1)
        merged = merged if self.merge_mode is None else (merged,)
        return (*merged, forward_h, forward_c, backward_h, backward_c)

    def _obstacle(self) -> str:
        first, second = self.forward_layer, self.backward_layer
        if not isinstance(second, keras.layers.LSTM):
            return "its backward layer is no LSTM"
        if self.stateful:
            return "it is stateful"
        if first.cell.units != second.cell.units or first.cell.use_bias != second.cell.use_bias:
            return "its two directions differ in units or bias"
        if self.compute_dtype != "float32":
            return f"it computes in {self.compute_dtype}"
        return _obstacle(first) or _obstacle(second)

    def _one_direction(self, cell: Any, sequences: Any, state: Any, training: Any) -> "_Read":
        # As Keras does, whether training or not, so that random numbers are drawn alike.
        cell.get_dropout_mask(sequences[:, 0, :])
        cell.get_recurrent_dropout_mask(cell.get_initial_state(sequences.shape[0])[0])
        read = _read(cell, sequences, state, training)
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
        return read

    def _merged(self, outputs: Any) -> Any:
        if self.merge_mode == "concat":
            return outputs
        first, second = ops.split(outputs, 2, axis=-1)
        if self.merge_mode == "sum":
            return first + second
        if self.merge_mode == "ave":
            return (first + second) / 2
        if self.merge_mode == "mul":
            return first * second
        return (first, second)


def _obstacle(layer: Any) -> str:
    """Why the kernel cannot compute one LSTM; "" if it can."""
    cell = layer.cell
    if layer.compute_dtype != "float32":
        return f"it computes in {layer.compute_dtype}"
    if cell.activation is not keras.activations.tanh:
        return f"its activation is {_name(cell.activation)}, not tanh"
    if cell.recurrent_activation is not keras.activations.sigmoid:
        return f"its recurrent activation is {_name(cell.recurrent_activation)}, not sigmoid"
    return ""


def _empty(sequences: Any) -> str:
    return "its input is empty" if 0 in sequences.shape else ""


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))


class _Read(NamedTuple):
    """What the kernel reads for one direction."""

    inputs: Any
    direction: Direction


def _read(cell: Any, sequences: Any, state: Any, training: Any) -> _Read:
    """Inputs, or the rows they stand for, and weights; in training with the cell's dropout masks."""
    inputs = tokens_of(sequences)
    inputs = sequences if inputs is None else inputs
    kernel = cell.kernel.value
    if training and 0 < cell.dropout < 1:
        mask = cell.get_dropout_mask(sequences[:, 0, :])
        if cell.implementation == 1:
            # Each gate drops inputs of its own: it gets a copy of them, and its part of the kernel.
            inputs = ops.concatenate([sequences * one[:, None] for one in mask], axis=-1)
            kernel = _by_gate(kernel)
        else:
            inputs = sequences * mask[:, None]
    h0, c0 = (None, None) if state is None else state
    dropped = None
    if training and 0 < cell.recurrent_dropout < 1:
        dropped = ops.stack(cell.get_recurrent_dropout_mask(h0))
    bias = cell.bias.value if cell.use_bias else None
    return _Read(inputs, Direction(kernel, cell.recurrent_kernel.value, bias, h0, c0, dropped))


def _by_gate(kernel: Any) -> Any:
    """(inputs, 4 units) -> (4 inputs, 4 units): each gate's columns in rows of their own."""
    gates = ops.split(kernel, 4, axis=1)
    return ops.concatenate(
        [
            ops.pad(one, ((0, 0), (k * one.shape[1], (3 - k) * one.shape[1])))
            for k, one in enumerate(gates)
        ],
        axis=0,
    )


def _alike(first: Direction, second: Direction) -> tuple[Direction, Direction]:
    """The two with recurrent dropout, if one has it: the other then drops nothing."""
    dropped = [one.recurrent_dropout for one in (first, second)]
    ones = [ops.ones_like(one) for one in dropped if one is not None]
    if len(ones) == 1:
        first, second = (
            one._replace(recurrent_dropout=ones[0]) if one.recurrent_dropout is None else one
            for one in (first, second)
        )
    return first, second
