"""Keras and Sentilab's layers, imported when they are first needed: that takes two seconds."""

from typing import Any


def import_keras() -> Any:
    """Keras."""
    import keras

    return keras


def lstm_path(model: Any) -> str:
    """Which code computes a model's LSTMs: sentilab.layers.lstm_path."""
    from sentilab import layers

    return layers.lstm_path(model)


def require_fused_kernel() -> None:
    """Raises FusedKernelsUnavailable if this process cannot use the fused LSTM at all."""
    from sentilab import layers

    layers.require_fused()
