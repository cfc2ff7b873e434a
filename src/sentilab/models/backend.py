"""Keras and Sentilab's layers, imported when they are first needed: that takes two seconds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentilab.errors import SentilabError

if TYPE_CHECKING:
    from sentilab.layers import KernelChoice


def import_keras() -> Any:
    """Keras."""
    import keras

    return keras


def load(path: Path, *, kernels: "KernelChoice" = "auto") -> Any:
    """The model in a .keras file; ``kernels`` says which code computes its LSTMs, as for ``build``.

    Raises SentilabError if the file is not there or is no Keras model; FusedKernelsUnavailable if the
    fused LSTM is demanded and a layer cannot use it.
    """
    from sentilab import layers

    if not path.is_file():
        raise SentilabError(f"{path}: there is no model here.")
    read = import_keras().saving.load_model if kernels == "keras" else layers.load_model
    try:
        with layers.choosing(kernels):
            model = read(path)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise SentilabError(f"{path}: Keras cannot load this model ({error}).") from error
    if kernels == "fused":
        layers.require_fused(model)
    return model


def lstm_path(model: Any) -> str:
    """Which code computes a model's LSTMs: sentilab.layers.lstm_path."""
    from sentilab import layers

    return layers.lstm_path(model)


def require_fused_kernel() -> None:
    """Raises FusedKernelsUnavailable if this process cannot use the fused LSTM at all."""
    from sentilab import layers

    layers.require_fused()
