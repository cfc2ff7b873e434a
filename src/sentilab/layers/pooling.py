"""One vector of a text's many, padding left out."""

from typing import Any, Literal, get_args

import keras
from keras import ops

from sentilab.errors import SettingsError

PoolingKind = Literal["max", "mean", "attention", "max+mean"]

# Below every score that a float32 model computes, and far enough from its limit to be subtracted.
_LOWEST = -1e30


@keras.saving.register_keras_serializable(package="sentilab")
class Pooling(keras.layers.Layer):  # type: ignore[misc]
    """Vectors (texts, T, size) with a mask (texts, T) -> (texts, size), or (texts, 2 size) for "max+mean".

    What is masked changes nothing; without a mask every position counts. A text that is masked
    throughout gives zeros. "attention" weighs the positions by softmax(vector · query), with a learnt
    ``query`` (size,); at the start it is 0, and the weighted mean the plain one.

    Source of the weighing: Yang et al. (2016), section 2.2, less its hidden layer.

    Raises SettingsError for another kind.
    """

    def __init__(self, kind: PoolingKind = "max", **settings: Any) -> None:
        super().__init__(**settings)
        if kind not in get_args(PoolingKind):
            known = ", ".join(f'"{one}"' for one in get_args(PoolingKind))
            raise SettingsError(f'There is no pooling "{kind}"; it must be one of {known}.')
        self.kind = kind
        self.supports_masking = True

    def build(self, shape: Any) -> None:
        if self.kind == "attention":
            self.query = self.add_weight(shape=(shape[-1],), initializer="zeros", name="query")

    def call(self, vectors: Any, mask: Any = None) -> Any:
        there = None if mask is None else ops.cast(mask, vectors.dtype)[:, :, None]
        if self.kind == "max":
            return _maximum(vectors, there)
        if self.kind == "mean":
            return _mean(vectors, there)
        if self.kind == "max+mean":
            return ops.concatenate([_maximum(vectors, there), _mean(vectors, there)], axis=-1)
        scores = ops.sum(vectors * self.query, axis=-1, keepdims=True)
        if there is not None:
            scores = ops.where(there > 0, scores, _LOWEST)
        weights = ops.exp(scores - ops.max(scores, axis=1, keepdims=True))
        weights = weights if there is None else weights * there
        total = ops.sum(weights, axis=1)
        return ops.sum(vectors * weights, axis=1) / ops.where(total > 0, total, 1.0)

    def compute_mask(self, vectors: Any, mask: Any = None) -> None:
        """None: no positions are left."""

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], shape[-1] * (2 if self.kind == "max+mean" else 1))

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        return config | {"kind": self.kind}


def _maximum(vectors: Any, there: Any) -> Any:
    if there is None:
        return ops.max(vectors, axis=1)
    highest = ops.max(ops.where(there > 0, vectors, _LOWEST), axis=1)
    return ops.where(ops.max(there, axis=1) > 0, highest, 0.0)


def _mean(vectors: Any, there: Any) -> Any:
    if there is None:
        return ops.mean(vectors, axis=1)
    # By where, not by product: what stands in a masked place may be anything.
    total = ops.sum(ops.where(there > 0, vectors, 0.0), axis=1)
    return total / ops.maximum(ops.sum(there, axis=1), 1.0)
