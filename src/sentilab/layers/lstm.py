"""Keras's LSTM and Bidirectional, computed by the fused kernel where it can be."""

from typing import Any

import keras
from keras import ops
from keras.src import tree

from sentilab.kernels.lstm import Direction, States, lstm
from sentilab.layers.embedding import tokens_of
from sentilab.layers.path import Choosing, save_under_the_name_of


@save_under_the_name_of(keras.layers.LSTM)
class LSTM(Choosing, keras.layers.LSTM):  # type: ignore[misc]
    """keras.layers.LSTM, with the same arguments, weights and outputs.

    Input (batch, steps, inputs); output (batch, units), or (batch, steps, units) with
    ``return_sequences``. Where the kernel cannot be used, Keras's own code runs, and ``lstm_path``
    says why.
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
        states = lstm(
            _read(self.cell, sequences, training),
            (_direction(self.cell, initial_state),),
            mask=mask,
            zero_masked=self.zero_output_for_mask,
            reverse=self.go_backwards,
            sequences=self.return_sequences,
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
    code runs, and ``lstm_path`` says why.
    """

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
        directions = tuple(
            _direction(one.cell, state) for one, state in zip(layers, given, strict=True)
        )
        if any(one.cell.dropout for one in layers):
            # Each direction drops inputs of its own.
            first, second = (
                self._one_direction(one, direction, sequences, mask, training)
                for one, direction in zip(layers, directions, strict=True)
            )
            y = None if first.y is None else ops.concatenate([first.y, second.y], axis=-1)
            states = States(
                y,
                ops.concatenate([first.h, second.h], axis=-1),
                ops.concatenate([first.c, second.c], axis=-1),
            )
        else:
            states = lstm(
                tokens_of(sequences) or sequences,
                directions,
                mask=mask,
                zero_masked=layers[0].zero_output_for_mask,
                reverse=layers[0].go_backwards,
                sequences=self.return_sequences,
            )
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

    def _one_direction(
        self, layer: Any, direction: Direction, sequences: Any, mask: Any, training: Any
    ) -> States:
        # As Keras does, whether training or not, so that random numbers are drawn alike.
        layer.cell.get_dropout_mask(sequences[:, 0, :])
        states = lstm(
            _read(layer.cell, sequences, training),
            (direction,),
            mask=mask,
            zero_masked=layer.zero_output_for_mask,
            reverse=layer.go_backwards,
            sequences=self.return_sequences,
        )
        layer.cell.reset_dropout_mask()
        return states

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
    if cell.recurrent_dropout:
        return "it has recurrent dropout"
    return ""


def _empty(sequences: Any) -> str:
    return "its input is empty" if 0 in sequences.shape else ""


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))


def _read(cell: Any, sequences: Any, training: Any) -> Any:
    """What the products read: the sequences after dropout, or the rows they stand for."""
    if training and cell.dropout:
        return sequences * ops.expand_dims(cell.get_dropout_mask(sequences[:, 0, :]), axis=1)
    return tokens_of(sequences) or sequences


def _direction(cell: Any, state: Any) -> Direction:
    h0, c0 = (None, None) if state is None else state
    bias = cell.bias.value if cell.use_bias else None
    return Direction(cell.kernel.value, cell.recurrent_kernel.value, bias, h0, c0)
