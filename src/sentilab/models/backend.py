"""The one place where Keras is imported."""

from typing import Any


def import_keras() -> Any:
    """Keras. Importing it takes about two seconds, so nothing does before it is needed."""
    import keras

    return keras
