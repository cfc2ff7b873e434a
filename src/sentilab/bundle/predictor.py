"""Texts in, labels and calibrated probabilities out: needs neither Keras nor JAX."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sentilab.bundle.engines import Engine, EngineChoice, engine_of
from sentilab.bundle.format import CARD, GOLDEN, VOCABULARY, Bundle, Manifest
from sentilab.errors import DataError
from sentilab.text.surface import pieces_of, spans_of
from sentilab.text.words import Encoding, Vocabulary

BATCH = 256

# Between float32 arithmetic in another order, and 8-bit weights, whose cost the manifest states.
TOLERANCE, TOLERANCE_INT8 = 1e-5, 0.25

# As near to 0 and 1 as a loss lets a probability come.
CLIP = 1e-7

Ids = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """What each word of a text adds to the log odds (natural logarithm) of ``side``.

    ``pieces``, joined, are the text. A weight is by how much the log odds fall when the word is
    replaced by the out-of-vocabulary token; None for what is no word, or was not read.
    ``probabilities`` are the labels', calibrated; so are the log odds.
    """

    label: str
    probability: float
    probabilities: tuple[float, ...]
    side: str
    pieces: tuple[tuple[str, float | None], ...]


class Predictor:
    """A bundle ready to answer. Safe to share between threads."""

    def __init__(self, bundle: Bundle, vocabulary: Vocabulary, engine: Engine) -> None:
        self._bundle, self._engine = bundle, engine
        self.vocabulary = vocabulary

    @property
    def manifest(self) -> Manifest:
        return self._bundle.manifest

    @property
    def labels(self) -> tuple[str, ...]:
        return self.manifest.labels

    @property
    def engine(self) -> str:
        """Which code computes, and why."""
        return self._engine.title

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return self._bundle.read(CARD).decode("utf-8", "replace")

    def encode(self, texts: Sequence[str]) -> Ids:
        """Integers of shape (texts, length)."""
        return self.vocabulary.encode(texts)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Calibrated probabilities of shape (texts, labels)."""
        return self.probabilities_of(self.encode(texts))

    def probabilities_of(self, ids: Ids) -> Floats:
        """The same for encoded texts (texts, length); like lengths side by side cost least."""
        answers = np.empty((len(ids), len(self.labels)), np.float32)
        for at in range(0, len(ids), BATCH):
            rows = ids[at : at + BATCH]
            answers[at : at + BATCH] = self._engine.scores(self._cropped(rows))
        return calibrated(answers, self.manifest.temperature)

    def decide(self, probabilities: Floats) -> NDArray[np.int64]:
        """The number of the label answered, shape (texts,).

        With two labels the second where its probability is above the threshold; else the likeliest.
        """
        if len(self.labels) == 2:
            return (probabilities[:, 1] > self.manifest.threshold).astype(np.int64)
        return np.asarray(probabilities.argmax(axis=1))

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The label of each text."""
        return [self.labels[one] for one in self.decide(self.probabilities(texts))]

    def explain(self, text: str) -> Explanation:
        """The answer, and what each word does to it: one forward pass a word that is read."""
        spans = spans_of(text)
        ids = self.encode([text])
        length = ids.shape[1]
        read = min(len(spans), length)
        variants = np.repeat(ids, read + 1, axis=0)
        places = length - read + np.arange(read)
        variants[np.arange(1, read + 1), places] = Encoding.OUT_OF_VOCABULARY
        changed = np.append(True, ids[0, places] != Encoding.OUT_OF_VOCABULARY)
        found = self.probabilities_of(variants[changed])
        number = int(self.decide(found[:1])[0])
        side = 1 if len(self.labels) == 2 else number
        odds = np.zeros(read + 1)
        odds[changed] = _log_odds(found[:, side])
        odds[~changed] = odds[0]
        weights = (odds[0] - odds[1:]).tolist()
        return Explanation(
            label=self.labels[number],
            probability=float(found[0, number]),
            probabilities=tuple(found[0].tolist()),
            side=self.labels[side],
            pieces=tuple(pieces_of(text, spans, [None] * (len(spans) - read) + weights)),
        )

    def _cropped(self, ids: Ids) -> Ids:
        return cropped(ids) if self.manifest.ignores_padding else ids


def load(path: Path | str, *, engine: EngineChoice = "auto", threads: int = 0) -> Predictor:
    """A bundle's folder or .zip as a Predictor, after all checks, its golden examples the last.

    ``engine``: "native" is Sentilab's compiled kernel, "onnx" ONNX Runtime, "int8" the same with
    weights of 8 bits; "auto" takes whichever is faster, the kernel for LSTMs that it knows.
    ``threads``: 0 for as many as there are cores.

    Raises BundleError, saying which file is at fault, for anything that does not fit.
    """
    bundle = Bundle(path)
    try:
        vocabulary = Vocabulary.from_json(bundle.read(VOCABULARY).decode("utf-8"))
    except (DataError, UnicodeDecodeError, RecursionError) as error:
        raise bundle.fault(VOCABULARY, str(error).rstrip(".")) from error
    if vocabulary.encoding != bundle.manifest.encoding:
        raise bundle.fault(VOCABULARY, "its settings are not those of the manifest")
    predictor = Predictor(bundle, vocabulary, engine_of(bundle, engine, threads))
    _check_golden(predictor, bundle, TOLERANCE_INT8 if engine == "int8" else TOLERANCE)
    return predictor


def cropped(ids: Ids) -> Ids:
    """Without what is padding in front of every row, for models that ignore it."""
    used = np.flatnonzero((ids != Encoding.PAD).any(axis=0))
    return ids[:, used[0] :] if len(used) else ids[:, -1:]


def calibrated(probabilities: Floats, temperature: float | None) -> Floats:
    """softmax(log p / T) of shape (texts, labels); as they are for None.

    Source: temperature scaling, Guo et al. (2017), section 4.2.
    """
    if temperature is None:
        return probabilities
    logits = np.log(np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP)) / temperature
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), np.float32)


def _log_odds(probabilities: Floats) -> NDArray[np.float64]:
    p = np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP)
    return np.asarray(np.log(p / (1 - p)))


def _check_golden(predictor: Predictor, bundle: Bundle, tolerance: float) -> None:
    """Raises BundleError unless the bundle's examples get the answers that it says they get."""
    plain = bundle.json(GOLDEN)
    texts = plain.get("texts") if isinstance(plain, dict) else None
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts) or not texts:
        raise bundle.fault(GOLDEN, 'its "texts" must list texts')
    try:
        wanted = np.asarray(plain.get("probabilities"), np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise bundle.fault(GOLDEN, 'its "probabilities" must list numbers') from error
    if wanted.shape != (len(texts), len(predictor.labels)):
        raise bundle.fault(GOLDEN, "it must have a probability for each text and label")
    # Alone as well: side by side, short texts are computed with the padding of the longest.
    alone = np.concatenate([predictor.probabilities([text]) for text in texts])
    together = predictor.probabilities(texts)
    largest = float(max(np.abs(found - wanted).max() for found in (alone, together)))
    if not largest <= tolerance:  # NaN too
        raise bundle.fault(
            GOLDEN,
            f"the model answers these examples differently, by up to {largest:.1e} "
            f"({tolerance:.0e} is allowed); the bundle's parts do not belong together",
        )
