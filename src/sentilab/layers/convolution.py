"""Keras's Conv1D, to which padding is nothing."""

from typing import Any

import keras
from keras import ops

from sentilab.errors import SettingsError


@keras.saving.register_keras_serializable(package="sentilab")
class Conv1D(keras.layers.Conv1D):  # type: ignore[misc]
    """Vectors (texts, T, numbers) -> (texts, T, filters): each window ends at its position.

    The arguments and weights are those of keras.layers.Conv1D with padding="causal". Masked
    positions count as zeros, as do those before the first, and the mask goes on: so the answers at
    the words are the same for any amount of padding in front.

    Raises SettingsError for another padding or for strides.
    """

    def __init__(self, filters: int, kernel_size: int, **settings: Any) -> None:
        settings.setdefault("padding", "causal")
        super().__init__(filters, kernel_size, **settings)
        if self.padding != "causal" or self.strides != (1,):
            raise SettingsError(
                f'The convolution {self.name} has padding "{self.padding}" and strides {self.strides}:'
                ' with masks only "causal" without strides has a meaning.'
            )
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            inputs = ops.where(mask[..., None], inputs, ops.zeros_like(inputs))
        return super().call(inputs)
