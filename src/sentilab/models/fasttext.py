"""A bag of words and n-grams as in fastText: the mean of their vectors, and one layer after it."""

from typing import TYPE_CHECKING

from sentilab.models.backend import import_keras
from sentilab.models.head import head
from sentilab.models.registry import Task, register
from sentilab.models.space import Range

if TYPE_CHECKING:
    from keras import Model


@register(
    "fasttext",
    summary="the mean of word and hashed n-gram vectors",
    defaults={
        "words": 30_000,
        "length": 1_000,
        "epochs": 4,
        "batch_size": 64,
        "learning_rate": 0.005,
        "bucketed": True,
    },
    space={
        "embedding": Range(8, 64, log=True),
        "orders": Range(1, 3),
        "buckets": [100_000, 300_000, 1_000_000],
        "word_dropout": Range(0.0, 0.5),
        "learning_rate": Range(0.001, 0.05, log=True),
        "batch_size": [32, 64, 128],
        "epochs": Range(2, 8),
    },
)
def fasttext(
    task: Task,
    *,
    embedding: int = 16,
    orders: int = 2,
    buckets: int = 300_000,
    word_dropout: float = 0.0,
) -> "Model":
    """5,280,017 parameters with 30,000 words and the settings' defaults.

    Words and n-grams of up to ``orders`` words stand in one table; the n-grams are hashed into
    ``buckets`` rows of it, so that those that collide share a vector.
    Source: Joulin et al. (2017).
    """
    from sentilab import layers

    keras = import_keras()
    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.WordDropout(word_dropout, name="word_dropout")(words)
    rows = task.words
    if orders > 1:
        rows += buckets
        ngrams = layers.HashedNgrams(orders, buckets, first=task.words, name="ngrams")(x)
        flat = keras.layers.Reshape((-1,), name="side_by_side")(ngrams)
        x = keras.layers.Concatenate(axis=1, name="words_and_ngrams")([x, flat])
    x = layers.Embedding(rows, embedding, mask_zero=True, name="embedding")(x)
    x = layers.Pooling("mean", name="mean")(x)
    return keras.Model(words, head(x, task), name="fasttext")
