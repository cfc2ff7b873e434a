"""Keras's Adam, in one pass through memory where that can be."""

import math
from typing import Any

import keras
from keras import ops

from sentilab.kernels.adam import adam
from sentilab.layers.path import here, save_under_the_name_of

# Below this many numbers a call of the kernel costs more than it saves.
_SMALL = 1 << 14


@save_under_the_name_of(keras.optimizers.Adam)
class Adam(keras.optimizers.Adam):  # type: ignore[misc]
    """keras.optimizers.Adam, with the same arguments and state; saved under its name.

    XLA, given Keras's own formulas, copies every large parameter and second moment in each step.
    """

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        grads = list(grads)
        if not here():
            # Once all gradients are there, nobody reads the old parameters any more. Without being
            # told so XLA copies each of them, for fear that it is overwritten too early.
            self._gradients_are_there = ops.stack(
                [ops.reshape(one, (-1,))[0] for one in grads if one is not None]
            )
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        large = ops.size(variable) >= _SMALL
        if not large or self.amsgrad or variable.dtype != "float32" or here():
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        step = ops.cast(self.iterations + 1, "float32")
        bias_1 = 1 - ops.power(ops.cast(self.beta_1, "float32"), step)
        bias_2 = 1 - ops.power(ops.cast(self.beta_2, "float32"), step)
        moved = adam(
            variable.value,
            momentum.value,
            velocity.value,
            ops.cast(gradient, "float32"),
            ops.cast(learning_rate, "float32") * ops.sqrt(bias_2) / bias_1,
            self._gradients_are_there,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )
        for one, value in zip((variable, momentum, velocity), moved, strict=True):
            one.assign(value)


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The rate of each step: up to ``peak`` in a straight line, then down to 0.

    Step s (from 0) of the first ``warmup`` has peak (s + 1) / warmup. Step s after them is the share
    q = (s - warmup) / (steps - warmup) of the way down and has peak (1 - q), for the kind "linear", or
    peak (1 + cos πq) / 2, for "cosine".
    """

    def __init__(self, kind: str, peak: float, steps: int, warmup: int) -> None:
        self.kind, self.peak, self.steps, self.warmup = kind, peak, steps, warmup

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        down = ops.clip((step - self.warmup) / max(1, self.steps - self.warmup), 0.0, 1.0)
        fall = 1 - down if self.kind == "linear" else (1 + ops.cos(math.pi * down)) / 2
        rise = (step + 1) / max(1, self.warmup)
        return self.peak * ops.where(step < self.warmup, rise, fall)

    def get_config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "peak": self.peak,
            "steps": self.steps,
            "warmup": self.warmup,
        }


class _Averaging:
    """Keras's moving average of the weights, less its lean towards the start.

    After t steps the average of the weights w is Σ dᵗ⁻ⁱ wᵢ / Σ dᵗ⁻ⁱ over the steps i, with the decay d.
    Keras's own begins with the first step's weights, which at 0.999 still make up a third of it after a
    thousand steps. The weights themselves are never overwritten.
    """

    def _update_model_variables_moving_average(self, variables: Any) -> None:
        decay = self.ema_momentum  # type: ignore[attr-defined]
        steps = ops.cast(self.iterations + 1, "float32")  # type: ignore[attr-defined]
        # 1 - dᵗ, exact also where it is small.
        passed = -ops.expm1(steps * (math.log(decay) if decay else -math.inf))
        share = (1 - decay) / passed
        averages = self._model_variables_moving_average  # type: ignore[attr-defined]
        for one, average in zip(variables, averages, strict=True):
            average.assign(average + share * (one - average))

    def finalize_variable_values(self, variables: Any) -> None:
        """Nothing: Keras would put the averages in the weights' places after each epoch."""

    def averages(self) -> list[Any]:
        """The averages, in the order of the variables that are trained."""
        return list(self._model_variables_moving_average)  # type: ignore[attr-defined]


class AveragingAdam(_Averaging, Adam):
    """Adam that keeps the mean of the weights: ``use_ema=True`` and ``ema_momentum``."""


class AveragingStockAdam(_Averaging, keras.optimizers.Adam):  # type: ignore[misc]
    """The same with all of Adam's own computing left to Keras."""
