"""The language model: one bidirectional LSTM whose halves each predict what they have not read.

Its output vectors are the word vectors themselves (Press and Wolf 2017), reached from each half's
states through a projection.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.typing import NDArray

from sentilab import layers, optimizers
from sentilab.layers import Precision

Array = Any

# Share of the steps over which the learning rate rises from 0; from there it falls to 0 again.
WARMUP = 0.02
CLIP_NORM = 1.0

# The bias of an integer that stands for no word.
_NEVER = -30.0

# Below every score; infinity would make the gradient no number.
_LOWEST = -1e30

# Positions whose scores of all words are in memory at once, while the perplexity is measured.
_POSITIONS = 512


@dataclass(frozen=True)
class Sizes:
    """``words`` integers, vectors of ``embedding`` numbers, ``units`` in each half of the LSTM."""

    words: int
    embedding: int
    units: int


class Sampled(NamedTuple):
    """Words (sampled,), and the logarithms of what their terms of the sum are multiplied by."""

    words: Array
    log_weights: Array


class _Read(NamedTuple):
    """What one pass gives: predictions (positions, embedding), the vectors and ids of the right words."""

    predicted: Array
    vectors: Array
    ids: Array


class LanguageModel:
    """Variables, loss and step, in JAX. The seed decides the first weights.

    The names and shapes of ``variables``: embedding (words, embedding), bias (words,); and, of
    "forward" and "backward" each, /kernel, /recurrent_kernel and /bias as in keras.layers.LSTM, and
    /projection (units, embedding).
    """

    def __init__(
        self, sizes: Sizes, counts: NDArray[np.int64], *, precision: Precision, seed: int
    ) -> None:
        self.sizes = sizes
        keras.utils.set_random_seed(seed)
        self._embedding = layers.Embedding(sizes.words, sizes.embedding, name="embedding")
        self._embedding.build()
        self._lstm = layers.Bidirectional(
            layers.LSTM(sizes.units, return_sequences=True),
            name="bidirectional_1",
            precision=precision,
        )
        self._lstm.build((None, None, sizes.embedding))
        self._fixed = [one.value for one in self._lstm.non_trainable_variables]
        likely = np.log(np.maximum(counts, 1) / counts.sum())
        first = keras.initializers.GlorotUniform(seed)
        self.variables = {
            "embedding": self._embedding.trainable_variables[0],
            **{
                f"{half}/{name}": variable
                for half, layer in (
                    ("forward", self._lstm.forward_layer),
                    ("backward", self._lstm.backward_layer),
                )
                for name, variable in zip(
                    ("kernel", "recurrent_kernel", "bias"), layer.trainable_variables, strict=True
                )
            },
            "forward/projection": keras.Variable(first((sizes.units, sizes.embedding))),
            "backward/projection": keras.Variable(first((sizes.units, sizes.embedding))),
            # With word frequencies to begin with, the vectors need to learn no more than what differs.
            "bias": keras.Variable(np.where(counts > 0, likely, _NEVER).astype(np.float32)),
        }
        self._compiled_loss = jax.jit(self.full_loss)

    def loss(self, values: list[Array], ids: Array, sampled: Sampled) -> Array:
        """Mean over both directions of the cross-entropy (nats) of rows ``ids`` (rows, length).

        ``values`` stand in the order of ``variables``. The softmax sums over the sampled words and the
        right one: the gradient is that of the full softmax where all words are sampled with weight 1.
        """
        named = dict(zip(self.variables, values, strict=True))
        read, vectors = self._read(named, ids, sampled.words)
        right = (read.predicted * read.vectors).sum(axis=-1) + named["bias"][read.ids]
        scores = read.predicted @ vectors.T + (named["bias"][sampled.words] + sampled.log_weights)
        # The right word has a term of its own already.
        scores = jnp.where(read.ids[:, None] == sampled.words, _LOWEST, scores)
        return (jnp.logaddexp(right, jax.nn.logsumexp(scores, axis=-1)) - right).mean()

    def perplexity(self, values: list[Array], rows: NDArray[np.int32], batch: int) -> float:
        """Of rows (rows, length): e to the mean cross-entropy (nats) over all words, both directions."""
        total = 0.0
        for start in range(0, len(rows), batch):
            some = rows[start : start + batch]
            total += float(self._compiled_loss(values, some)) * len(some)
        return math.exp(total / len(rows))

    def full_loss(self, values: list[Array], ids: Array) -> Array:
        """As ``loss``, over all words."""
        named = dict(zip(self.variables, values, strict=True))
        read, _ = self._read(named, ids, jnp.zeros(0, jnp.int32))

        def one(position: tuple[Array, Array]) -> Array:
            predicted, right = position
            scores = named["embedding"] @ predicted + named["bias"]
            return jax.nn.logsumexp(scores) - scores[right]

        return jax.lax.map(one, (read.predicted, read.ids), batch_size=_POSITIONS).mean()

    def _read(self, named: dict[str, Array], ids: Array, more: Array) -> tuple[_Read, Array]:
        """One pass over ``ids`` (rows, length), and the vectors of the words ``more``."""
        units, length = self.sizes.units, ids.shape[1]
        table = [named["embedding"]]
        weights = [
            named[f"{half}/{name}"]
            for half in ("forward", "backward")
            for name in ("kernel", "recurrent_kernel", "bias")
        ]
        # The LSTM reads the table itself; one look-up for all else has one gradient of the table's size.
        inputs = self._embedding.stateless_call(table, [], ids)[0]
        states = self._lstm.stateless_call(weights, self._fixed, inputs)[0]
        wanted = jnp.concatenate([ids.reshape(-1), more])
        vectors = self._embedding.stateless_call(table, [], wanted)[0]
        own = vectors[: ids.size].reshape(*ids.shape, self.sizes.embedding)
        # Before the row's first word and after its last nothing has been read.
        before, after = slice(0, length - 1), slice(1, length)
        halves = (
            (states[:, before, :units] @ named["forward/projection"], after),
            (states[:, after, units:] @ named["backward/projection"], before),
        )
        size = self.sizes.embedding
        return (
            _Read(
                jnp.concatenate([one.reshape(-1, size) for one, _ in halves]),
                jnp.concatenate([own[:, which].reshape(-1, size) for _, which in halves]),
                jnp.concatenate([ids[:, which].reshape(-1) for _, which in halves]),
            ),
            vectors[ids.size :],
        )


class Trainer:
    """Adam over a language model: all that changes is in ``values``, ``optimizer_values`` and ``total``.

    ``total`` is the sum of the losses of the steps since it was last 0.
    """

    def __init__(self, model: LanguageModel, learning_rate: float, steps: int) -> None:
        self.model = model
        rate = optimizers.LearningRate("linear", learning_rate, steps, round(WARMUP * steps))
        self._optimizer = optimizers.Adam(rate, global_clipnorm=CLIP_NORM)
        variables = list(model.variables.values())
        self._optimizer.build(variables)
        # Copies: each step gives its arrays' memory away.
        self.values = [jnp.array(one.value, copy=True) for one in variables]
        self.optimizer_values = [
            jnp.array(one.value, copy=True) for one in self._optimizer.variables
        ]
        self.total = jnp.zeros((), jnp.float32)
        self._compiled = jax.jit(self._step, donate_argnums=(0, 1, 2))

    def step(
        self,
        ids: NDArray[np.int32],
        words: NDArray[np.int32],
        log_weights: NDArray[np.float32],
    ) -> None:
        """One step on rows ``ids`` (rows, length), with the sampled words and their log weights.

        It waits for the step before and returns while this one is being computed.
        """
        jax.block_until_ready(self.total)
        self.values, self.optimizer_values, self.total = self._compiled(
            self.values, self.optimizer_values, self.total, ids, Sampled(words, log_weights)
        )

    def take_total(self) -> float:
        """``total``, which then begins anew."""
        total, self.total = float(self.total), jnp.zeros((), jnp.float32)
        return total

    def _step(
        self, values: list[Array], state: list[Array], total: Array, ids: Array, sampled: Sampled
    ) -> tuple[list[Array], list[Array], Array]:
        loss, gradients = jax.value_and_grad(self.model.loss)(values, ids, sampled)
        values, state = self._optimizer.stateless_apply(state, gradients, values)
        return values, state, total + loss

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything that the next step depends on."""
        return {name: np.array(one) for name, one in self._named()}

    def restore(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """The inverse of ``arrays``; raises KeyError or ValueError for those of another model."""
        found = []
        for name, one in self._named():
            if arrays[name].shape != one.shape:
                raise ValueError(f"{name} has shape {arrays[name].shape}, not {one.shape}")
            found.append(jnp.array(arrays[name], copy=True))
        count = len(self.values)
        self.values, self.optimizer_values, self.total = found[:count], found[count:-1], found[-1]

    def weights(self) -> dict[str, NDArray[np.generic]]:
        """The model's arrays by name."""
        return {
            name: np.array(one) for name, one in zip(self.model.variables, self.values, strict=True)
        }

    def _named(self) -> Iterator[tuple[str, Array]]:
        for name, one in zip(self.model.variables, self.values, strict=True):
            yield f"weights/{name}", one
        for number, one in enumerate(self.optimizer_values):
            yield f"optimizer/{number:03d}", one
        yield "total", self.total
