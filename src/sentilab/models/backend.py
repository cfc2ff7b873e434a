"""The one place where Keras is imported."""

import os
from typing import Any


def import_keras() -> Any:
    """Keras, on JAX unless the user has chosen another backend by KERAS_BACKEND.

    Importing takes about two seconds, so nothing imports it before it is needed.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    return keras
