"""Keras's Adam, in one pass through memory where that can be."""

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
