"""Adversarial and virtual adversarial training of text classifiers, on their word vectors.

Each step has a second loss, on word vectors moved a little in the direction that hurts most. So that
"a little" means something the vectors are normalised, by how often each word occurs: while training the
model reads a normalised table, and that table is what is judged and saved. It is then an ordinary model.

Source: Miyato, Dai and Goodfellow (2017), "Adversarial training methods for semi-supervised text
classification", equations 1 to 6.
"""

from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SettingsError
from sentilab.training.options import AdversarialTraining

# The length of the random first step of virtual adversarial training, from which one power iteration
# finds the direction. Long enough for float32 to tell the two answers apart.
FIRST_STEP = 0.1
# As Keras clips probabilities before it takes their logarithm.
CLIP = 1e-7
# Added to each variance, so that a number that is the same in all words is not divided by 0.
LEAST_VARIANCE = 1e-6

Array = Any


def with_second_loss(
    model: Any,
    option: AdversarialTraining,
    x: NDArray[np.int32],
    seed: int,
    *,
    pretrained: bool = False,
) -> "SecondLoss":
    """The model within one that trains it so; ``x`` (texts, length) are the texts that are trained on.

    ``seed`` decides the random first steps of virtual adversarial training. Normalised vectors have the
    mean 0 and the variance 1 in each number. Those of a ``pretrained`` model keep the mean and variance
    that they come with, which its other layers have learnt to read, and are moved in their proportion.

    Raises SettingsError where Keras does not run on JAX, and for a model whose words do not become
    vectors in one place, by an Embedding that is trained.
    """
    if keras.config.backend() != "jax":
        raise SettingsError(
            f"adversarial training needs Keras on JAX, and it runs on {keras.config.backend()}."
        )
    embedding = _only_embedding(model)
    shares = frequencies(x, embedding.input_dim)
    scale = scale_of(embedding.embeddings.value, shares) if pretrained else UNIT
    return SecondLoss(model, embedding, option, shares, scale, seed)


def frequencies(x: NDArray[np.int32], words: int) -> NDArray[np.float32]:
    """The share of each of ``words`` ids among the tokens of ``x``, padding left out: shape (words,)."""
    counts = np.bincount(x.reshape(-1), minlength=words).astype(np.float64)
    counts[0] = 0
    return np.asarray(counts / max(counts.sum(), 1), np.float32)


class Scale(NamedTuple):
    """Mean and standard deviation of each number of a word vector: shapes (size,), or one for all."""

    mean: Array
    deviation: Array


UNIT = Scale(0.0, 1.0)


def scale_of(table: Array, shares: Array) -> Scale:
    """Of the table (words, size), words weighed by ``shares``."""
    mean = shares @ table
    return Scale(mean, jnp.sqrt(shares @ jnp.square(table - mean) + LEAST_VARIANCE))


def normalised(table: Array, shares: Array, to: Scale = UNIT) -> Array:
    """The table (words, size) moved and stretched, number by number, from its own scale to that one."""
    own = scale_of(table, shares)
    return (table - own.mean) / own.deviation * to.deviation + to.mean


def divergence(first: Array, second: Array) -> Array:
    """KL(first ‖ second) of probabilities (texts, answers), the mean over texts, in nats.

    With one answer, the second label's probability, the first label's is what is left.
    """
    if first.shape[1] == 1:
        first, second = (jnp.concatenate([1 - one, one], axis=1) for one in (first, second))
    first, second = (jnp.clip(one, CLIP, 1 - CLIP) for one in (first, second))
    return jnp.mean(jnp.sum(first * (jnp.log(first) - jnp.log(second)), axis=1))


def of_length(directions: Array, length: float) -> Array:
    """Each text's directions (texts, T, size), all its words' together, scaled to that length."""
    squares = jnp.sum(jnp.square(directions), axis=(1, 2), keepdims=True)
    # A text that nothing moves has no direction, and stays.
    return length * directions / jnp.sqrt(jnp.where(squares > 0, squares, 1.0))


class SecondLoss(keras.Model):  # type: ignore[misc]
    """A model of texts whose training has the second loss; its variables are those of ``model``.

    The loss that ``fit`` reports is the first one alone, which can be held against validation's.
    """

    def __init__(
        self,
        model: Any,
        embedding: Any,
        option: AdversarialTraining,
        shares: NDArray[np.float32],
        scale: Scale,
        seed: int,
    ) -> None:
        super().__init__(name=model.name)
        self.model, self._option, self._seed = model, option, seed
        # Hidden from Keras, which would count the layers a second time.
        self._hidden = SimpleNamespace(
            moved=_moved(model, embedding), table=embedding.embeddings, shares=shares, scale=scale
        )
        self.build(model.inputs[0].shape)

    @property
    def table(self) -> Any:
        """The variable of the word vectors, not normalised."""
        return self._hidden.table

    @property
    def output_shape(self) -> Any:
        return self.model.output_shape

    def build(self, shape: Any) -> None:
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        return self.model(x, training=training)

    def normalised_table(self, table: Any) -> NDArray[np.float32]:
        """What the model reads where the variable is ``table``."""
        return np.asarray(self._normalised(jnp.asarray(table)))

    def _normalised(self, table: Array) -> Array:
        return normalised(table, self._hidden.shares, self._hidden.scale)

    def compute_loss_and_updates(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool = False,
        optimizer_variables: Any = None,
    ) -> Any:
        """Keras's own, with the second loss added to what is differentiated."""
        at = next(n for n, one in enumerate(self.trainable_variables) if one is self.table)
        trained = list(trainable_variables)
        trained[at] = self._normalised(trained[at])
        loss, first = super().compute_loss_and_updates(
            trained,
            non_trainable_variables,
            metrics_variables,
            x,
            y,
            sample_weight,
            training=training,
            optimizer_variables=optimizer_variables,
        )
        if not training:
            return loss, first
        answers = first[1]

        def moved(move: Array, values: Any) -> Array:
            # The same state of the random numbers as in the first pass, and so the same dropout.
            pairs = [
                *zip(self.trainable_variables, values, strict=True),
                *zip(self.non_trainable_variables, non_trainable_variables, strict=True),
            ]
            with keras.StatelessScope(state_mapping=pairs):
                scaled = move * self._hidden.scale.deviation
                return self._hidden.moved([x, scaled], training=True)

        # A function of seed and step, so that there is no state of random numbers to keep.
        number = next(
            value
            for one, value in zip(self.optimizer.variables, optimizer_variables, strict=True)
            if one is self.optimizer.iterations
        )
        key = jax.random.fold_in(jax.random.key(self._seed), number)
        second = self._second_loss(moved, trained, answers, x, y, sample_weight, key)
        return loss + self._option.weight * second, first

    def _second_loss(
        self,
        moved: Any,
        trained: Any,
        answers: Array,
        x: Array,
        y: Array,
        sample_weight: Array | None,
        key: Array,
    ) -> Array:
        """``moved`` gives the answers where vectors are moved by its first argument, from weights."""
        radius = self._option.radius
        constants = [jax.lax.stop_gradient(one) for one in trained]
        shape = (*x.shape, self.table.shape[1])
        words = (x != 0)[:, :, None]
        if self._option.kind == "virtual":
            answers = jax.lax.stop_gradient(answers)
            loss = partial(divergence, answers)
            start = of_length(jax.random.normal(key, shape) * words, FIRST_STEP)
        else:
            loss = partial(self._compile_loss, y, sample_weight=sample_weight)
            start = jnp.zeros(shape)
        slope = jax.grad(lambda move: loss(moved(move, constants)))(start)
        worst = jax.lax.stop_gradient(of_length(slope * words, radius))
        return loss(moved(worst, trained))


def _only_embedding(model: Any) -> Any:
    kind = keras.layers.Embedding
    found = [one for one in model._flatten_layers(include_self=False) if isinstance(one, kind)]
    if len(found) != 1 or found[0] not in model.layers or not found[0].trainable:
        names = ", ".join(one.name for one in found) or "none"
        raise SettingsError(
            f"adversarial training moves the vectors that words become in one Embedding layer, which is "
            f"trained; {model.name} has {len(found)} ({names}).\n"
            "  Leave the option out, or the settings that add other vectors, such as n-grams."
        )
    return found[0]


class _Moved(keras.layers.Layer):  # type: ignore[misc]
    """Its first input plus its second, with the first one's mask."""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs[0] + inputs[1]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask[0] if mask else None

    def compute_output_shape(self, shapes: Any) -> Any:
        return shapes[0]


def _moved(model: Any, embedding: Any) -> Any:
    """A model of [words, moves of their vectors], with the layers of ``model``."""
    words = keras.Input(model.inputs[0].shape[1:], dtype=model.inputs[0].dtype)
    moves = keras.Input((*words.shape[1:], embedding.output_dim))
    add = _Moved()

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        result = layer(*arguments, **options)
        return add([result, moves]) if layer is embedding else result

    if isinstance(model, keras.Sequential):
        output = words
        for layer in model.layers:
            output = call(layer, output)
    else:
        # What clone_model does, less the model at its end: that has two inputs here.
        output = model._run_through_graph([words], operation_fn=lambda layer: layer, call_fn=call)
    return keras.Model([words, moves], output)
