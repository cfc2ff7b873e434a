"""Keras's Embedding, which tells the LSTM after it which rows of the table it has read."""

from typing import Any

import keras
from keras.src.backend.common.tensor_attributes import get_tensor_attr, set_tensor_attr

from sentilab.kernels.lstm import Tokens
from sentilab.layers.path import here, save_under_the_name_of

_TOKENS = "_sentilab_tokens"


@save_under_the_name_of(keras.layers.Embedding)
class Embedding(keras.layers.Embedding):  # type: ignore[misc]
    """keras.layers.Embedding. A fused LSTM that follows multiplies each distinct row once.

    The arguments, the weights and the outputs are those of Keras's layer.
    """

    def call(self, inputs: Any) -> Any:
        outputs = super().call(inputs)
        plain = not (self.lora_enabled or self.quantization_mode)
        if plain and not here() and self.compute_dtype == "float32":
            set_tensor_attr(outputs, _TOKENS, Tokens(inputs, self._embeddings.value))
        return outputs


def tokens_of(outputs: Any) -> Tokens | None:
    """The table and the rows that ``outputs`` were read from, where that is known."""
    known: Tokens | None = get_tensor_attr(outputs, _TOKENS)
    return known
