"""What each word of a text does to a model's answer, asked in two ways.

Integrated gradients follows the answer from a text without words to the text itself; occlusion
replaces one word at a time by the out-of-vocabulary token. Both are in log odds (natural
logarithm): of the second label where a model ends in one sigmoid, else of the label asked about.
Start token and padding are never scored, and masks stay those of the text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SentilabError, SettingsError
from sentilab.models import import_keras
from sentilab.probe.halves import CannotSplit, Halves, halves, scores_of
from sentilab.probe.subject import BATCH, Classifier
from sentilab.text import Encoding
from sentilab.text.surface import Span, pieces_of, spans_of

Encoded = NDArray[np.int32]
Labels = NDArray[np.int64]
Doubles = NDArray[np.float64]

Method = Literal["ig", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)
TITLES: Mapping[Method, str] = {"ig": "integrated gradients", "occlusion": "occlusion"}

Baseline = Literal["padding", "unknown", "zero"]
"""Each word replaced by padding, by the out-of-vocabulary token, or its vector by zeros."""

BASELINES: Mapping[Baseline, str] = {
    "padding": "the text with padding in the place of each word",
    "unknown": "the text with each word out of the vocabulary",
    "zero": "the text with zeros for each word's vector",
}

DEFAULT_BASELINE: Baseline = "zero"

STEPS = 50

# Points of paths that are computed together.
ROWS = 64

# A model without a sigmoid or softmax at its end gives probabilities; nearer to 0 and 1 than this
# their log odds would be float32's rounding.
NEAREST = 1e-6

# A gap is large from this share of what was to be explained on, unless it is below LEAST_GAP.
LARGE_GAP, LEAST_GAP = 0.05, 0.05

# Words by which two methods are compared.
STRONGEST = 10


@dataclass(frozen=True)
class Attributions:
    """``values`` (texts, length) say how much each token adds to ``log_odds`` (texts,).

    ``reference`` (texts,) are the log odds at the baseline, where the method has one.
    """

    values: Doubles
    log_odds: Doubles
    reference: Doubles | None = None

    @property
    def gap(self) -> Doubles | None:
        """Shape (texts,): the sum of the values less what it is to be, log odds less reference.

        Source: Sundararajan, Taly and Yan (2017), proposition 1 (completeness).
        """
        if self.reference is None:
            return None
        gap: Doubles = self.values.sum(axis=1) - (self.log_odds - self.reference)
        return gap


class Explainer:
    """One classifier, taken apart once. ``x`` is (texts, length) of integers throughout.

    Integrated gradients needs a model that can be split after its one Embedding; all else does not.

    Where a model ends in one sigmoid, ``labels`` (texts,) should be 1, the second label; log odds of
    the first are the same with the other sign.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self._scores, self._link = scores_of(classifier.model)

    @property
    def is_exact(self) -> bool:
        """Whether log odds come from the scores before the last sigmoid or softmax."""
        return self._link != "probability"

    @cached_property
    def obstacle(self) -> str:
        """Why integrated gradients cannot explain this model; "" if it can."""
        try:
            halves(self.classifier.model)
        except CannotSplit as error:
            return str(error)
        return ""

    @property
    def methods(self) -> tuple[Method, ...]:
        """Those that can explain this model."""
        return ("occlusion",) if self.obstacle else METHODS

    @cached_property
    def _halves(self) -> Halves:
        """Raises CannotSplit, with what to do, if there is an obstacle."""
        try:
            return halves(self.classifier.model)
        except CannotSplit as error:
            raise CannotSplit(
                f"Integrated gradients cannot explain this model. {error}\n"
                "  Ask for occlusion, which needs nothing but the model's answers."
            ) from error

    @property
    def labels_explained(self) -> int | None:
        """1 where there are two labels, whose log odds are one number; else None: any label."""
        return 1 if len(self.classifier.label_names) == 2 else None

    def log_odds(self, x: Encoded, labels: Labels) -> Doubles:
        """Log odds (texts,) of ``labels`` (texts,); from clipped probabilities if not ``is_exact``."""
        # Few shapes, each compiled once: the last batch is filled up.
        batch = min(BATCH, 1 << (max(len(x), 1) - 1).bit_length())
        filled = np.concatenate([x, np.repeat(x[-1:], -len(x) % batch, axis=0)])
        scores = self._scores.predict(filled, batch_size=batch, verbose=0)[: len(x)]
        return np.asarray(_log_odds(scores, labels, self._link), np.float64)

    def integrated_gradients(
        self,
        x: Encoded,
        labels: Labels,
        *,
        steps: int = STEPS,
        baseline: Baseline = DEFAULT_BASELINE,
    ) -> Attributions:
        """The gradient by each token's vector, averaged from the baseline to the text, times the way.

        The integral is Gauss and Legendre's sum of ``steps`` points, all in one batch.

        Raises CannotSplit if the model has not exactly one Embedding that all goes through,
        SentilabError if Keras does not run on JAX, which gives the gradient, and SettingsError for
        fewer steps than one.
        Source: Sundararajan, Taly and Yan (2017), equation 1.
        """
        if steps < 1:
            raise SettingsError(f"steps is {steps}; it must be at least 1.")
        nodes, weights = _path(steps)
        words = is_word(x)
        values, odds = np.zeros(x.shape), np.zeros((len(x), 2))
        # Several short paths share a batch; the last batch is filled up, so that all have one shape.
        together = min(len(x), max(1, ROWS // len(nodes)))
        for first in range(0, len(x), together):
            rows = np.minimum(np.arange(first, first + together), len(x) - 1)
            start, end = self._ends(x[rows], baseline)
            found, along = self._gradients_along(
                x[rows], start, end, nodes, weights, labels[rows].astype(np.int32)
            )
            # Zero but for words already: elsewhere a path begins where it ends.
            values[rows] = np.where(words[rows], found, 0)
            odds[rows] = along[[0, -1]].T
        return Attributions(values, odds[:, 1], odds[:, 0])

    def _ends(self, x: Encoded, baseline: Baseline) -> tuple[Any, Any]:
        """Vectors (texts, length, size) at the baseline and of the texts."""
        words = is_word(x)
        end = np.asarray(self._halves.embedding(x))
        if baseline == "zero":
            return np.where(words[:, :, None], np.zeros_like(end), end), end
        token = Encoding.PAD if baseline == "padding" else Encoding.OUT_OF_VOCABULARY
        return np.asarray(self._halves.embedding(np.where(words, token, x))), end

    def occlusion(self, x: Encoded, labels: Labels) -> Attributions:
        """Log odds of the text less those with the token out of the vocabulary, token by token.

        Source: Zeiler and Fergus (2014), section 4.2; for words Li, Monroe and Jurafsky (2016).
        """
        # A token that is out of the vocabulary already has nothing to lose.
        texts, positions = np.nonzero(is_word(x) & (x != Encoding.OUT_OF_VOCABULARY))
        without = x[texts]
        without[np.arange(len(texts)), positions] = Encoding.OUT_OF_VOCABULARY
        whole = self.log_odds(x, labels)
        values = np.zeros(x.shape)
        if len(texts):
            values[texts, positions] = whole[texts] - self.log_odds(without, labels[texts])
        return Attributions(values, whole)

    @cached_property
    def _gradients_along(self) -> Any:
        """Compiled once a shape: x, start and end (texts, length, size), nodes, weights, labels.

        Gives attributions (texts, length) and the log odds (nodes, texts).
        """
        keras = import_keras()
        if keras.config.backend() != "jax":
            raise SentilabError(
                f"Integrated gradients needs Keras on JAX, and it runs on {keras.config.backend()}.\n"
                "  Unset KERAS_BACKEND, or ask for occlusion alone."
            )
        import jax
        import jax.numpy as jnp

        model, link = self._halves.scores_of_vectors, self._halves.link

        def along(
            state: Any, x: Any, start: Any, end: Any, nodes: Any, weights: Any, labels: Any
        ) -> Any:
            points = start + nodes[:, None, None, None] * (end - start)

            def total(points: Any) -> Any:
                given = [jnp.tile(x, (len(nodes), 1)), points.reshape(-1, *points.shape[2:])]
                scores, _ = model.stateless_call(*state, given, training=False)
                odds = _log_odds(scores, jnp.tile(labels, len(nodes)), link)
                return odds.sum(), odds.reshape(len(nodes), len(x))

            gradients, odds = jax.grad(total, has_aux=True)(points)
            return ((end - start) * jnp.tensordot(weights, gradients, 1)).sum(axis=-1), odds

        compiled = jax.jit(along)

        def call(*arguments: Any) -> Any:
            # As arguments the weights are not copied into what is compiled. They are read anew
            # each time: predict gives away the buffers of those that do not train.
            state = tuple(
                [one.value for one in each]
                for each in (model.trainable_variables, model.non_trainable_variables)
            )
            return tuple(np.asarray(one) for one in compiled(state, *arguments))

        return call


def is_word(x: Encoded) -> NDArray[np.bool_]:
    """Where tokens are words, those out of the vocabulary included: the shape of ``x``."""
    words: NDArray[np.bool_] = x >= Encoding.OUT_OF_VOCABULARY
    return words


def _path(steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points from 0 to 1 and their weights; the ends, which weigh nothing, give the log odds there."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (
        np.concatenate([[0], (nodes + 1) / 2, [1]]).astype(np.float32),
        np.concatenate([[0], weights / 2, [0]]).astype(np.float32),
    )


def _log_odds(scores: Any, labels: Any, link: str) -> Any:
    """Log odds (texts,) of labels (texts,) from a model's scores (texts, outputs)."""
    ops = import_keras().ops
    if link == "sigmoid" and scores.shape[1] == 1:
        return ops.where(labels == 1, 1.0, -1.0) * scores[:, 0]
    if scores.shape[1] == 1:
        p = ops.clip(scores[:, 0], NEAREST, 1 - NEAREST)
        return ops.where(labels == 1, 1.0, -1.0) * (ops.log(p) - ops.log1p(-p))
    chosen = ops.one_hot(labels, scores.shape[1], dtype="float32")
    own = ops.sum(chosen * scores, axis=1)
    if link == "softmax":
        # ln(p / (1 - p)): the label's score against the others' together.
        return own - ops.logsumexp(ops.where(chosen > 0, -1e30, scores), axis=1)
    p = ops.clip(ops.sigmoid(own) if link == "sigmoid" else own, NEAREST, 1 - NEAREST)
    return ops.log(p) - ops.log1p(-p)


@dataclass(frozen=True)
class Agreement:
    """Spearman's rank correlation over the words (None where one side is constant), and how many of
    the ``of`` largest by size are the same.
    """

    spearman: float | None
    shared: int
    of: int


def agreement(first: Sequence[float], second: Sequence[float]) -> Agreement:
    """How far two methods agree on the same words."""
    from scipy.stats import spearmanr

    one, other = np.asarray(first), np.asarray(second)
    constant = len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0
    of = min(STRONGEST, len(one))
    shared = set(strongest(one, of)) & set(strongest(other, of))
    return Agreement(None if constant else float(spearmanr(one, other).statistic), len(shared), of)


def strongest(values: Sequence[float] | Doubles, count: int = STRONGEST) -> list[int]:
    """Where the largest values by size stand, the largest first; ties: whichever comes first."""
    return [int(one) for one in np.argsort(-np.abs(values), kind="stable")[:count]]


@dataclass(frozen=True)
class Explanation:
    """One text and what its words do to the log odds of ``label`` (a number into ``label_names``).

    ``probability`` is p(label). ``spans`` are the words' places in ``text``; the model reads those
    from ``first_read`` on, and each of ``values`` has one number for each of them. ``reference`` are
    the log odds at ``baseline`` and ``gap`` how far the sum of values is from what it should be, for
    integrated gradients; ``is_exact`` says that log odds were not taken from clipped probabilities.
    """

    text: str
    label_names: tuple[str, ...]
    label: int
    probability: float
    log_odds: float
    is_exact: bool
    spans: tuple[Span, ...]
    first_read: int
    unknown: tuple[bool, ...]
    values: Mapping[Method, tuple[float, ...]]
    baseline: Baseline
    steps: int
    reference: float | None = None
    gap: float | None = None

    @property
    def gap_is_large(self) -> bool:
        """Whether the path was followed too coarsely for the values to be trusted."""
        if self.gap is None or self.reference is None:
            return False
        return abs(self.gap) > max(LEAST_GAP, LARGE_GAP * abs(self.log_odds - self.reference))

    @property
    def agreement(self) -> Agreement | None:
        """Between the two methods, where both were asked."""
        return agreement(*self.values.values()) if len(self.values) == 2 else None

    @property
    def sides(self) -> tuple[str, str]:
        """What a word below and above zero speaks for."""
        name = self.label_names[self.label]
        if len(self.label_names) == 2:
            return self.label_names[1 - self.label], name
        return f"not {name}", name

    def words(self) -> list[str]:
        """The words that the model reads, as they are written."""
        return [self.text[start:end] for start, end in self.spans[self.first_read :]]

    def pieces(self, method: Method) -> list[tuple[str, float | None]]:
        """The whole text in order; None for what is between words and what was cut off."""
        return pieces_of(self.text, self.spans[self.first_read :], self.values[method])

    def to_json(self) -> dict[str, Any]:
        """Plain values; one entry for each word, with its place in the text."""
        values = {TITLES[name]: numbers for name, numbers in self.values.items()}
        read = range(len(self.spans) - self.first_read)
        found = self.agreement
        return {
            "text": self.text,
            "label": self.label_names[self.label],
            "label_names": list(self.label_names),
            "probability": self.probability,
            "log_odds": self.log_odds,
            "log_odds_from": "scores" if self.is_exact else "clipped probabilities",
            "baseline": BASELINES[self.baseline] if "ig" in self.values else None,
            "steps": self.steps if "ig" in self.values else None,
            "reference_log_odds": self.reference,
            "completeness_gap": self.gap,
            "agreement": None
            if found is None
            else {"spearman": found.spearman, "shared": found.shared, "of": found.of},
            "words_cut_off": self.first_read,
            "words": [
                {
                    "word": self.text[slice(*self.spans[self.first_read + at])],
                    "start": self.spans[self.first_read + at][0],
                    "end": self.spans[self.first_read + at][1],
                    "in_vocabulary": not self.unknown[at],
                    **{name: numbers[at] for name, numbers in values.items()},
                }
                for at in read
            ],
        }


def explain(
    explainer: Explainer,
    text: str,
    methods: Sequence[Method] | None = None,
    *,
    steps: int = STEPS,
    baseline: Baseline = DEFAULT_BASELINE,
) -> Explanation:
    """Explains one text: for two labels the log odds of the second, else of the predicted label.

    ``methods`` are by default all that can explain the model.

    Raises SentilabError if the text has no word, CannotSplit as ``integrated_gradients`` does.
    """
    classifier = explainer.classifier
    spans = spans_of(text)
    if not spans:
        raise SentilabError("There is no word in this text to explain.")
    x = classifier.encode([text])
    probabilities = classifier.score(x)[0]
    label = explainer.labels_explained
    label = int(np.argmax(probabilities)) if label is None else label
    labels = np.asarray([label])
    read = min(len(spans), classifier.length)
    values: dict[Method, tuple[float, ...]] = {}
    reference = gap = None
    for method in explainer.methods if methods is None else methods:
        if method == "ig":
            found = explainer.integrated_gradients(x, labels, steps=steps, baseline=baseline)
            reference, gap = float(found.reference[0]), float(found.gap[0])  # type: ignore[index]
        else:
            found = explainer.occlusion(x, labels)
        values[method] = tuple(found.values[0, -read:].tolist())
    return Explanation(
        text=text,
        label_names=classifier.label_names,
        label=label,
        probability=float(probabilities[label]),
        log_odds=float(explainer.log_odds(x, labels)[0]),
        is_exact=explainer.is_exact,
        spans=tuple(spans),
        first_read=len(spans) - read,
        unknown=tuple((x[0, -read:] == Encoding.OUT_OF_VOCABULARY).tolist()),
        values=values,
        baseline=baseline,
        steps=steps,
        reference=reference,
        gap=gap,
    )
