"""A convolutional network over word vectors: the strongest answer of each filter, whatever its place."""

from typing import TYPE_CHECKING

from sentilab.errors import SettingsError
from sentilab.models.backend import import_keras
from sentilab.models.head import head
from sentilab.models.registry import Task, register
from sentilab.models.space import Range

if TYPE_CHECKING:
    from keras import Model


@register(
    "cnn",
    summary="filters over windows of words, the strongest answer of each",
    defaults={"words": 30_000, "length": 400, "epochs": 3, "batch_size": 32, "bucketed": True},
    space={
        "embedding": Range(32, 256, log=True),
        "filters": Range(50, 400, log=True),
        "narrowest": Range(1, 3),
        "widest": Range(3, 5),
        "word_dropout": Range(0.0, 0.5),
        "dropout": Range(0.2, 0.7),
        "learning_rate": Range(0.0003, 0.003, log=True),
        "epochs": Range(2, 5),
    },
)
def cnn(
    task: Task,
    *,
    embedding: int = 128,
    filters: int = 150,
    narrowest: int = 2,
    widest: int = 4,
    word_dropout: float = 0.0,
    dropout: float = 0.5,
) -> "Model":
    """4,013,701 parameters with 30,000 words and the settings' defaults.

    ``filters`` for windows of each width from ``narrowest`` to ``widest`` words. Every word ends one
    window of each width; before the first word stand zeros.
    Source: Kim (2014), with word vectors learnt from scratch.
    """
    from sentilab import layers

    if narrowest > widest:
        raise SettingsError(
            f"narrowest is {narrowest} and widest {widest}: windows cannot be wider than the widest."
        )
    keras = import_keras()
    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.WordDropout(word_dropout, name="word_dropout")(words)
    x = layers.Embedding(task.words, embedding, mask_zero=True, name="embedding")(x)
    strongest = []
    for width in range(narrowest, widest + 1):
        one = layers.Conv1D(filters, width, activation="relu", name=f"windows_of_{width}")(x)
        strongest.append(layers.Pooling("max", name=f"strongest_of_{width}")(one))
    x = (
        keras.layers.Concatenate(name="strongest")(strongest)
        if len(strongest) > 1
        else strongest[0]
    )
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(words, head(x, task), name="cnn")
