"""Keras and Sentilab's layers, imported when they are first needed: that takes two seconds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentilab.errors import SentilabError
from sentilab.models import keras_file
from sentilab.readable import printable

if TYPE_CHECKING:
    from sentilab.layers import KernelChoice


def import_keras() -> Any:
    """Keras."""
    import keras

    return keras


def load(path: Path, *, kernels: "KernelChoice" = "auto") -> Any:
    """The model in a .keras file; ``kernels`` says which code computes its LSTMs, as for ``build``.

    Keras's safe mode is on, and what it lets pass is looked at first (keras_file).

    Raises SentilabError if the file is not there or is no Keras model; FusedKernelsUnavailable if the
    fused LSTM is demanded and a layer cannot use it.
    """
    from sentilab import layers

    if not path.is_file():
        raise SentilabError(f"{path}: there is no model here.")
    read = import_keras().saving.load_model if kernels == "keras" else layers.load_model
    try:
        with layers.choosing(kernels), layers.safely():
            keras_file.require_harmless(path)
            model = read(path)
        keras_file.require_finite(model)
    except SentilabError:
        raise
    # A damaged configuration makes Keras and its layers raise whatever there is.
    except Exception as error:
        cause = str(error).rpartition("Exception encountered: ")[2] or type(error).__name__
        said = printable(cause, 300)
        raise SentilabError(f"{path}: Keras cannot load this model ({said}).") from error
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
