"""A recurrent classifier whose every point is a setting, so that its effect can be measured."""

from typing import TYPE_CHECKING, Any, cast, get_args

from sentilab.errors import SettingsError
from sentilab.models.backend import import_keras
from sentilab.models.bilstm import factors_of
from sentilab.models.head import head
from sentilab.models.registry import Task, register
from sentilab.models.space import Range

if TYPE_CHECKING:
    from keras import Model

    from sentilab.layers import JoinKind, PoolingKind


@register(
    "recurrent",
    summary="LSTM layers, pooled over all words, with dropout between; padding is not read",
    sequential=True,
    defaults={"words": 30_000, "length": 400, "epochs": 3, "batch_size": 32, "bucketed": True},
    space={
        "units": [32, 64, 128],
        "embedding": [64, 128, 256],
        "pooling": ["max", "mean", "attention", "last"],
        "word_dropout": Range(0.0, 0.5),
        "variational_dropout": Range(0.0, 0.5),
        "dropout": Range(0.0, 0.7),
        "learning_rate": Range(0.0003, 0.003, log=True),
        "batch_size": [16, 32, 64],
        "epochs": Range(2, 6),
    },
)
def recurrent(
    task: Task,
    *,
    layers: int = 1,
    units: int = 64,
    embedding: int = 128,
    bidirectional: bool = True,
    pooling: str = "max",
    masked: bool = True,
    precision: str = "float32",
    word_dropout: float = 0.0,
    variational_dropout: float = 0.0,
    dropout: float = 0.5,
    hidden: int = 0,
    ngrams: int = 0,
    ngram_buckets: int = 100_000,
    ngram_embedding: int = 128,
    ngrams_joined: str = "add",
) -> "Model":
    """3,938,945 parameters with 30,000 words and the settings' defaults.

    ``pooling``: "last" (the last LSTM's last state), or one of sentilab.layers.Pooling. ``masked``
    hides the padding from the LSTMs and the pooling. ``word_dropout`` drops whole word vectors,
    ``variational_dropout`` the same numbers of all steps before each LSTM and after the last,
    ``dropout`` numbers of the pooled vector; all of them lie between the layers, so that the LSTMs
    stay on the fused path. ``hidden`` puts a layer of so many units before the output.

    ``ngrams`` 2 or more puts the vectors of hashed n-grams up to that order beside the words:
    ``ngrams_joined`` "add" or "concat" (sentilab.layers.JoinNgrams).

    Source of the variational dropout: Gal and Ghahramani (2016), less that of the recurrent states.

    Raises SettingsError for a setting that is none of these.
    """
    from sentilab import layers as own

    keras = import_keras()
    _check(
        pooling, (*get_args(own.PoolingKind), "last"), word_dropout, variational_dropout, dropout
    )
    factors = factors_of(precision)

    def between(x: Any, name: str) -> Any:
        if not variational_dropout:
            return x
        return keras.layers.SpatialDropout1D(variational_dropout, name=name)(x)

    words = keras.Input((None,), dtype="int32", name="words")
    x = own.Embedding(task.words, embedding, mask_zero=masked, name="embedding")(words)
    if ngrams:
        if ngrams_joined == "add" and ngram_embedding != embedding:
            raise SettingsError(
                f"ngram_embedding is {ngram_embedding} and embedding {embedding}: vectors that are "
                'added must be of one size.\n  Make them equal, or set ngrams_joined to "concat".'
            )
        numbers = own.HashedNgrams(ngrams, ngram_buckets, name="ngrams")(words)
        vectors = own.Embedding(ngram_buckets + 1, ngram_embedding, name="ngram_embedding")(numbers)
        x = own.JoinNgrams(cast("JoinKind", ngrams_joined), name="joined")([x, vectors])
    if word_dropout:
        shape = (None, None, 1)
        x = keras.layers.Dropout(word_dropout, noise_shape=shape, name="word_dropout")(x)
    for number in range(1, layers + 1):
        x = between(x, f"variational_dropout_{number}")
        sequences = number < layers or pooling != "last"
        if bidirectional:
            one = own.LSTM(units, return_sequences=sequences)
            lstm = own.Bidirectional(one, name=f"bidirectional_{number}", precision=factors)
        else:
            name = f"lstm_{number}"
            lstm = own.LSTM(units, return_sequences=sequences, name=name, precision=factors)
        x = lstm(x)
    if pooling != "last":
        x = between(x, f"variational_dropout_{layers + 1}")
        x = own.Pooling(cast("PoolingKind", pooling), name="pooling")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    if hidden:
        x = own.Dense(hidden, activation="relu", name="hidden")(x)
    return keras.Model(words, head(x, task), name="recurrent")


def _check(pooling: str, poolings: tuple[str, ...], *rates: float) -> None:
    if pooling not in poolings:
        known = ", ".join(f'"{one}"' for one in poolings)
        raise SettingsError(f'pooling is "{pooling}"; it must be one of {known}.')
    for name, rate in zip(("word_dropout", "variational_dropout", "dropout"), rates, strict=True):
        if not 0 <= rate < 1:
            raise SettingsError(f"{name} is {rate}; it must be at least 0 and less than 1.")
