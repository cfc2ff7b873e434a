"""One step of Adam as a JAX function: one pass through memory, in place where XLA allows it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sentilab.kernels.native import xla_call

Array = Any


def adam(
    parameters: Array,
    momentums: Array,
    velocities: Array,
    gradients: Array,
    alpha: Array,
    after: Array,
    *,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """New parameters, momentums and velocities; all arrays are float32, of one shape.

    ``alpha`` is the learning rate corrected for the bias of both moments, a number. ``after`` is an
    array that has to be there before anything is overwritten; it is not read.

    Source: Kingma and Ba (2015), algorithm 1 with the corrections drawn together as in its section 2.
    """
    shape = jax.ShapeDtypeStruct(parameters.shape, jnp.float32)
    call = xla_call("SentilabAdam", [shape] * 3, input_output_aliases={0: 0, 1: 1, 2: 2})
    found: tuple[Array, Array, Array] = tuple(
        call(
            parameters,
            momentums,
            velocities,
            gradients,
            jnp.asarray(alpha, jnp.float32),
            after,
            one_less_beta_1=np.float32(1 - beta_1),
            one_less_beta_2=np.float32(1 - beta_2),
            epsilon=np.float32(epsilon),
        )
    )
    return found
