"""Words left out at random while a model trains: they become padding, as if they had not been there."""

from typing import Any

import keras
from keras import ops

from sentilab.errors import SettingsError


@keras.saving.register_keras_serializable(package="sentilab")
class WordDropout(keras.layers.Layer):  # type: ignore[misc]
    """Ids (texts, T) -> ids of the same shape; in training each is 0 with probability ``rate``.

    What comes after must read 0 as no word, as an Embedding with ``mask_zero`` does.

    Raises SettingsError for a rate outside of 0 to 1.
    Source: Iyyer et al. (2015), section 2.3.
    """

    ignores_padding = True  # zeros stay zeros, and are alone in that

    def __init__(self, rate: float, seed: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        if not 0 <= rate < 1:
            raise SettingsError(f"Word dropout is {rate}; it must be at least 0 and below 1.")
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, ids: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return ids
        drawn = keras.random.uniform(ops.shape(ids), seed=self.seed_generator)
        return ops.where(drawn < self.rate, ops.zeros_like(ids), ids)

    def compute_output_spec(self, ids: Any, training: bool = False) -> Any:
        return keras.KerasTensor(ids.shape, dtype=ids.dtype)

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        return config | {"rate": self.rate, "seed": self.seed}
