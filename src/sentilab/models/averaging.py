"""A deep averaging network: the mean of the word vectors, then dense layers; order plays no part."""

from typing import TYPE_CHECKING

from sentilab.models.backend import import_keras
from sentilab.models.head import head
from sentilab.models.registry import Task, register
from sentilab.models.space import Range

if TYPE_CHECKING:
    from keras import Model


@register(
    "averaging",
    summary="the mean of the word vectors, then dense layers",
    defaults={"words": 30_000, "length": 1_000, "epochs": 3, "batch_size": 64, "bucketed": True},
    space={
        "embedding": Range(32, 300, log=True),
        "units": Range(32, 300, log=True),
        "hidden_layers": Range(1, 3),
        "word_dropout": Range(0.0, 0.6),
        "dropout": Range(0.0, 0.5),
        "learning_rate": Range(0.0003, 0.01, log=True),
        "batch_size": [32, 64, 128],
        "epochs": Range(2, 8),
    },
)
def averaging(
    task: Task,
    *,
    embedding: int = 64,
    units: int = 128,
    hidden_layers: int = 2,
    word_dropout: float = 0.5,
    dropout: float = 0.2,
) -> "Model":
    """1,944,961 parameters with 30,000 words and the settings' defaults.

    ``word_dropout`` is the share of words left out of each mean in training.
    Source: Iyyer et al. (2015).
    """
    from sentilab import layers

    keras = import_keras()
    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.WordDropout(word_dropout, name="word_dropout")(words)
    x = layers.Embedding(task.words, embedding, mask_zero=True, name="embedding")(x)
    x = layers.Pooling("mean", name="mean")(x)
    for number in range(1, hidden_layers + 1):
        x = layers.Dense(units, activation="relu", name=f"dense_{number}")(x)
        x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return keras.Model(words, head(x, task), name="averaging")
