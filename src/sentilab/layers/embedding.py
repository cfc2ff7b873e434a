"""Keras's Embedding, which tells the LSTM after it which rows of the table it has read."""

from typing import Any

import keras
from keras import ops
from keras.src.backend.common.tensor_attributes import get_tensor_attr, set_tensor_attr

from sentilab.kernels.embedding import look_up
from sentilab.kernels.lstm import Tokens
from sentilab.layers.path import here, save_under_the_name_of, stock_layers_wanted

_TOKENS = "_sentilab_tokens"


@save_under_the_name_of(keras.layers.Embedding)
class Embedding(keras.layers.Embedding):  # type: ignore[misc]
    """keras.layers.Embedding. A fused LSTM that follows multiplies each distinct row once.

    The arguments, the weights and the outputs are those of Keras's layer; the table's gradient is
    the kernel's.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._stock = stock_layers_wanted()

    def call(self, inputs: Any) -> Any:
        plain = not (self._stock or self.lora_enabled or self.quantization_mode)
        if not plain or here() or self.compute_dtype != "float32":
            return super().call(inputs)
        table = self._embeddings.value
        outputs = look_up(table, ops.cast(inputs, "int32"))
        set_tensor_attr(outputs, _TOKENS, Tokens(inputs, table))
        return outputs


def tokens_of(outputs: Any) -> Tokens | None:
    """The table and the rows that ``outputs`` were read from, where that is known."""
    known: Tokens | None = get_tensor_attr(outputs, _TOKENS)
    return known
