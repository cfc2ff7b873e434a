"""Bidirectional LSTMs: the notebook's first model, and the same with one layer.

Their layers are Keras's own, computed by the fused kernel where it can be (sentilab.layers).
``precision`` is that of the LSTMs' products, "float32" or "bf16". ``masked`` hides the padding from
them; the notebook's models read it like any other word.
"""

from typing import TYPE_CHECKING, cast

from sentilab.errors import SettingsError
from sentilab.models.backend import import_keras
from sentilab.models.head import head
from sentilab.models.registry import Task, register
from sentilab.models.space import Declared, Range

if TYPE_CHECKING:
    from keras import Model

    from sentilab.layers import Precision

SPACE: Declared = {
    "embedding": [32, 64, 128],
    "units": [16, 32, 64, 128],
    "masked": [False, True],
    "length": [100, 200, 400],
    "learning_rate": Range(0.0003, 0.01, log=True),
    "batch_size": [16, 32, 64, 128],
    "epochs": Range(1, 4),
}


@register(
    "bilstm2",
    summary="two bidirectional LSTM layers over word vectors",
    sequential=True,
    space=SPACE,
)
def bilstm2(
    task: Task,
    *,
    embedding: int = 128,
    units: int = 64,
    precision: str = "float32",
    masked: bool = False,
) -> "Model":
    """2,757,761 parameters with 20,000 words and the settings' defaults."""
    from sentilab import layers

    keras = import_keras()
    factors = factors_of(precision)
    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(task.words, embedding, mask_zero=masked, name="embedding")(words)
    x = layers.Bidirectional(
        layers.LSTM(units, return_sequences=True), name="bidirectional_1", precision=factors
    )(x)
    x = layers.Bidirectional(layers.LSTM(units), name="bidirectional_2", precision=factors)(x)
    return keras.Model(words, head(x, task), name="bilstm2")


@register(
    "bilstm1",
    summary="one bidirectional LSTM layer over word vectors",
    sequential=True,
    space=SPACE,
)
def bilstm1(
    task: Task,
    *,
    embedding: int = 128,
    units: int = 64,
    precision: str = "float32",
    masked: bool = False,
) -> "Model":
    """2,658,945 parameters with 20,000 words and the settings' defaults."""
    from sentilab import layers

    keras = import_keras()
    factors = factors_of(precision)
    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(task.words, embedding, mask_zero=masked, name="embedding")(words)
    x = layers.Bidirectional(layers.LSTM(units), name="bidirectional_1", precision=factors)(x)
    return keras.Model(words, head(x, task), name="bilstm1")


def factors_of(word: str) -> "Precision":
    """The setting ``precision`` of an LSTM; raises SettingsError for anything else."""
    if word not in ("float32", "bf16"):
        raise SettingsError(f'The setting precision is {word!r}; it must be "float32" or "bf16".')
    return cast("Precision", word)
