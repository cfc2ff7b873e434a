"""Multilayer perceptrons over word vectors: one that trains, and the notebook's that cannot."""

from typing import TYPE_CHECKING

from sentilab.models.backend import import_keras
from sentilab.models.head import head
from sentilab.models.registry import Task, register
from sentilab.models.space import Range

if TYPE_CHECKING:
    from keras import Model


@register(
    "mlp",
    summary="two dense layers over all word vectors at once",
    space={
        "embedding": Range(16, 128, log=True),
        "units": Range(16, 128, log=True),
        "learning_rate": Range(0.0003, 0.01, log=True),
        "batch_size": [16, 32, 64, 128],
        "epochs": Range(1, 3),
    },
)
def mlp(task: Task, *, embedding: int = 128, units: int = 64) -> "Model":
    """4,202,689 parameters with 20,000 words, length 200 and the settings' defaults."""
    from sentilab import layers

    keras = import_keras()
    words = keras.Input((task.length,), dtype="int32", name="words")
    x = layers.Embedding(task.words, embedding, name="embedding")(words)
    x = keras.layers.Flatten(name="flatten")(x)
    x = layers.Dense(units, activation="relu", name="dense_1")(x)
    x = layers.Dense(units, activation="relu", name="dense_2")(x)
    return keras.Model(words, head(x, task), name="mlp")


@register("mlp-unflattened", summary="the same without Flatten: builds, but cannot train")
def mlp_unflattened(task: Task, *, embedding: int = 128, units: int = 64) -> "Model":
    """2,572,481 parameters with 20,000 words and the settings' defaults."""
    keras = import_keras()
    layers = keras.layers
    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(task.words, embedding, name="embedding")(words)
    x = layers.Dense(units, activation="relu", name="dense_1")(x)
    x = layers.Dense(units, activation="relu", name="dense_2")(x)
    return keras.Model(words, head(x, task), name="mlp-unflattened")
