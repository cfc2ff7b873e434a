"""Vectors of words and of the n-grams that end at them, as one vector a position."""

from typing import Any, Literal, get_args

import keras
from keras import ops

from sentilab.errors import SettingsError

JoinKind = Literal["add", "concat"]


@keras.saving.register_keras_serializable(package="sentilab")
class JoinNgrams(keras.layers.Layer):  # type: ignore[misc]
    """[words (texts, T, size), n-grams (texts, T, orders, ngram size)] -> (texts, T, joined size).

    "add" adds the n-grams' vectors, which must be of the words' size, to the word's; "concat" puts all
    side by side. The mask is the words' own.

    Raises SettingsError for another kind.
    """

    ignores_padding = True  # each position by itself

    def __init__(self, kind: JoinKind = "add", **settings: Any) -> None:
        super().__init__(**settings)
        if kind not in get_args(JoinKind):
            raise SettingsError(
                f'N-grams cannot be joined by "{kind}"; it must be "add" or "concat".'
            )
        self.kind = kind
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        words, ngrams = inputs
        if self.kind == "add":
            return words + ops.sum(ngrams, axis=2)
        by_order = [ngrams[:, :, order] for order in range(ngrams.shape[2])]
        return ops.concatenate([words, *by_order], axis=-1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask[0] if mask else None

    def compute_output_shape(self, shapes: Any) -> Any:
        words, ngrams = shapes
        size = words[-1] if self.kind == "add" else words[-1] + ngrams[2] * ngrams[3]
        return (*words[:-1], size)

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        return config | {"kind": self.kind}
