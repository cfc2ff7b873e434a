"""Several models' answers as one."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops
from numpy.typing import NDArray

# As Keras clips probabilities before it takes their logarithm.
CLIP = 1e-7

Given = Literal["probabilities", "scores"]


@keras.saving.register_keras_serializable(package="sentilab")
class Combination(keras.layers.Layer):  # type: ignore[misc]
    """M tensors of probabilities (texts, answers) -> scores (texts, answers), before the last sigmoid or softmax.

    With one answer, p(second label), scores are log odds: the sum over the members of weight × ln(p /
    (1 - p)), plus the bias; with more, of weight × ln p. ``member_weights`` (M,) begin as 1 / M and
    ``bias`` (answers,) as 0: the geometric mean of the members' answers. ``set_weighing`` sets both;
    training does not move them.

    ``given`` "scores" are what the members' last sigmoid or softmax would make probabilities of. The
    result is the same, but exact for certain members too: near 1, float32 holds few digits of 1 - p.
    """

    def __init__(self, given: Given = "probabilities", **settings: Any) -> None:
        super().__init__(**settings)
        self.given = given

    def build(self, shapes: Sequence[Any]) -> None:
        share = keras.initializers.Constant(1 / len(shapes))
        self.member_weights = self.add_weight(
            name="member_weights", shape=(len(shapes),), initializer=share, trainable=False
        )
        self.bias = self.add_weight(
            name="bias", shape=(shapes[0][-1],), initializer="zeros", trainable=False
        )

    def set_weighing(self, weights: NDArray[Any], bias: NDArray[Any]) -> None:
        """``weights`` of shape (M,) and ``bias`` of shape (answers,)."""
        self.member_weights.assign(weights)
        self.bias.assign(bias)

    def call(self, answers: Sequence[Any]) -> Any:
        stacked = ops.stack(answers, axis=-1)
        scores = _of_scores(stacked) if self.given == "scores" else _of_probabilities(stacked)
        return ops.sum(scores * self.member_weights, axis=-1) + self.bias

    def compute_output_shape(self, shapes: Sequence[Any]) -> Any:
        return tuple(shapes[0])

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        return config | {"given": self.given}


def _of_probabilities(answers: Any) -> Any:
    p = ops.clip(answers, CLIP, 1 - CLIP)
    return ops.log(p) - ops.log1p(-p) if p.shape[1] == 1 else ops.log(p)


def _of_scores(scores: Any) -> Any:
    if scores.shape[1] == 1:
        return ops.clip(scores, math.log(CLIP / (1 - CLIP)), math.log((1 - CLIP) / CLIP))
    return ops.clip(ops.log_softmax(scores, axis=1), math.log(CLIP), math.log(1 - CLIP))
