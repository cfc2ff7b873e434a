"""A Keras model in two halves: integers to word vectors, and word vectors to scores.

Scores are what the last sigmoid or softmax is given. They stay exact where a probability in float32
has long become 0 or 1.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sentilab import models
from sentilab.errors import SentilabError

Link = Literal["sigmoid", "softmax", "probability"]
"""What makes probabilities of scores; "probability": nothing does, they are probabilities already."""


class CannotSplit(SentilabError):
    """The model has no one place where integers become vectors."""


@dataclass(frozen=True)
class Halves:
    """A model's parts, which share its weights.

    ``embedding`` gives vectors (texts, length, size) for integers (texts, length). ``scores`` takes
    the integers, ``scores_of_vectors`` a list of the integers and of the vectors to be put in their
    embeddings' place; both give (texts, outputs). The integers still decide what is masked.
    """

    embedding: Any
    scores: Any
    scores_of_vectors: Any
    link: Link


def scores_of(model: Any) -> tuple[Any, Link]:
    """The model without its last sigmoid or softmax, and which of these it was.

    It takes integers (texts, length), as the model does, and need not be split for that.
    """
    keras = models.import_keras()
    words = _words(model)
    last = _last_layer(model)
    twin, link = _without_link(last)

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        return layer(*arguments, **options)

    scores = _called_anew(model, words, call, {last: twin})
    return keras.Model(words, scores, name=f"{model.name}-scores"), link


def halves(model: Any) -> Halves:
    """Splits a functional or sequential model of one input after its only Embedding.

    Raises CannotSplit if there is no such layer, or more than one, or one that is used twice, or if
    another layer reads the integers too.
    """
    keras = models.import_keras()
    embedding = _only_embedding(model)
    last = _last_layer(model)
    scores, link = scores_of(model)
    # The twin with the same weights that stands at the end of the scores.
    twin = _last_layer(scores)

    class Given(keras.layers.Layer):  # type: ignore[misc, name-defined]
        """Its second input in the place of its first, whose mask it keeps."""

        supports_masking = True

        def call(self, inputs: Any) -> Any:
            return inputs[1]

        def compute_mask(self, inputs: Any, mask: Any) -> Any:
            return mask[0] if mask else None

        def compute_output_shape(self, shapes: Any) -> Any:
            return shapes[1]

    words = _words(model)
    shape = (*words.shape[1:], embedding.output_dim)
    vectors = keras.Input(shape, dtype=embedding.compute_dtype, name="vectors")
    put_in: list[Any] = []

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        result = layer(*arguments, **options)
        if layer is embedding:
            put_in.append(result)
            return Given(name="given")([result, vectors])
        return result

    from_vectors = _called_anew(model, words, call, {last: twin})
    if len(put_in) != 1:
        raise CannotSplit(
            f"{model.name} calls its layer {embedding.name} {len(put_in)} times; words can be "
            "explained where each becomes a vector once."
        )
    return Halves(
        embedding,
        scores,
        keras.Model([words, vectors], from_vectors, name=f"{model.name}-scores-of-vectors"),
        link,
    )


def _words(model: Any) -> Any:
    """An input like the model's own."""
    given = model.inputs[0]
    return models.import_keras().Input(given.shape[1:], dtype=given.dtype, name="words")


def _only_embedding(model: Any) -> Any:
    from sentilab.layers import HashedNgrams, Ngrams

    keras = models.import_keras()
    kind = keras.layers.Embedding
    inside = list(model._flatten_layers(include_self=False))
    for one in inside:
        if isinstance(one, Ngrams | HashedNgrams):
            raise CannotSplit(
                f"{model.name}: its layer {one.name} looks n-grams up by the words' numbers, so that "
                "an answer does not follow from the words' vectors alone."
            )
    everywhere = [one for one in inside if isinstance(one, kind)]
    if len(everywhere) != 1:
        found = f"{len(everywhere)} of them ({', '.join(one.name for one in everywhere)})"
        raise CannotSplit(
            f"{model.name}: words are explained by the vectors that its one Embedding layer gives "
            f"out, and it has {found if everywhere else 'none'}."
        )
    if everywhere[0] not in model.layers:
        raise CannotSplit(
            f"{model.name}: its layer {everywhere[0].name} lies within another one; words can be "
            "explained where the Embedding is a layer of the model itself."
        )
    return everywhere[0]


def _last_layer(model: Any) -> Any:
    if isinstance(model, models.import_keras().Sequential):
        return model.layers[-1]
    return model.outputs[0]._keras_history.operation


def _without_link(last: Any) -> tuple[Any, Link]:
    """The last layer less its sigmoid or softmax, with the same weights, and which one it was."""
    keras = models.import_keras()
    activations, layers = keras.activations, keras.layers
    if isinstance(last, layers.Softmax):
        return layers.Identity(name=last.name), "softmax"
    links: dict[Any, Link] = {activations.sigmoid: "sigmoid", activations.softmax: "softmax"}
    link = links.get(getattr(last, "activation", None), "probability")
    if link == "probability" or not isinstance(last, layers.Dense | layers.Activation):
        return last, "probability"
    if isinstance(last, layers.Activation):
        return layers.Identity(name=last.name), link
    twin = type(last).from_config({**last.get_config(), "activation": "linear"})
    twin.build((None, last.kernel.shape[0]))
    twin.set_weights(last.get_weights())
    return twin, link


def _called_anew(model: Any, words: Any, call: Any, instead: dict[Any, Any]) -> Any:
    """What the model's layers, ``instead`` in their places, make of ``words`` (symbolic)."""
    keras = models.import_keras()
    if isinstance(model, keras.Sequential):
        output = words
        for layer in model.layers:
            output = call(instead.get(layer, layer), output)
        return output

    def called(layer: Any, *arguments: Any, **options: Any) -> Any:
        # A Softmax may be told of a mask, which the Identity in its place does not know.
        if isinstance(layer, keras.layers.Identity):
            options.pop("mask", None)
        return call(layer, *arguments, **options)

    # What clone_model does, less the model at its end: that has two inputs here.
    return model._run_through_graph(
        [words], operation_fn=lambda layer: instead.get(layer, layer), call_fn=called
    )
