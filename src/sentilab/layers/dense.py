"""Keras's Dense, whose weight gradient is the kernel's where inputs are many."""

from typing import Any

import keras

from sentilab.kernels.dense import product
from sentilab.layers.path import here, save_under_the_name_of, stock_layers_wanted

# Below this many weights XLA's own product is as fast.
_SMALL = 1 << 16


@save_under_the_name_of(keras.layers.Dense)
class Dense(keras.layers.Dense):  # type: ignore[misc]
    """keras.layers.Dense, with the same arguments, weights and outputs."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._stock = stock_layers_wanted()

    def call(self, inputs: Any, training: Any = None) -> Any:
        plain = not (self._stock or self.lora_enabled or self.quantization_mode)
        if not (plain and len(inputs.shape) == 2 and self.compute_dtype == "float32"):
            return super().call(inputs, training=training)
        if here() or inputs.shape[1] * self.units < _SMALL:
            return super().call(inputs, training=training)
        x = product(inputs, self._kernel.value)
        if self.bias is not None:
            x = x + self.bias
        return x if self.activation is None else self.activation(x)
