"""One served model: its predictor, and the two lanes before it.

Explanations have a lane, and so a thread, of their own: one costs as much as a batch of texts, and
predictions must not wait behind it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sentilab.serve.batching import Job, Lane
from sentilab.serve.metrics import Metrics
from sentilab.serve.settings import ServiceSettings
from sentilab.text.words import Encoding, Vocabulary


class Manifest(Protocol):
    """What is asked of a bundle's manifest."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def encoding(self) -> Encoding: ...
    @property
    def temperature(self) -> float | None: ...
    @property
    def threshold(self) -> float: ...
    def to_json(self) -> dict[str, Any]: ...


class Explanation(Protocol):
    """What is asked of an explanation: sentilab.bundle.Explanation says what they mean."""

    @property
    def label(self) -> str: ...
    @property
    def probability(self) -> float: ...
    @property
    def probabilities(self) -> tuple[float, ...]: ...
    @property
    def side(self) -> str: ...
    @property
    def pieces(self) -> tuple[tuple[str, float | None], ...]: ...


class Predictor(Protocol):
    """What is asked of a predictor: sentilab.bundle.Predictor is one. Any thread may call it."""

    vocabulary: Vocabulary

    @property
    def manifest(self) -> Manifest: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def engine(self) -> str: ...
    @property
    def card(self) -> str: ...
    def probabilities_of(self, ids: NDArray[np.int32]) -> NDArray[np.float32]: ...
    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]: ...
    def explain(self, text: str) -> Explanation: ...


@dataclass(frozen=True)
class Answer:
    """A text's answer: ``number`` is the label's, ``probabilities`` are those of all labels.

    ``words`` are those in the text, ``read`` those that the model looked at.
    """

    number: int
    probabilities: tuple[float, ...]
    words: int
    read: int


class ServedModel:
    """A predictor under the name by which it is asked for."""

    def __init__(
        self, name: str, predictor: Predictor, settings: ServiceSettings, metrics: Metrics
    ) -> None:
        self.name, self.predictor = name, predictor
        # A manifest may hold what no response can.
        self.labels = tuple(sendable(label) for label in predictor.labels)
        self.predictions: Lane[str, Answer] = Lane(
            self._predict,
            batch=settings.batch_texts,
            wait=settings.wait_ms / 1000,
            limit=settings.queue_texts,
            observe=metrics.batch(name, "predict"),
            name=f"predict {name}",
        )
        self.explanations: Lane[str, Explanation] = Lane(
            self._explain,
            batch=1,
            wait=0,
            limit=settings.queue_words,
            observe=metrics.batch(name, "explain"),
            name=f"explain {name}",
        )
        metrics.watch(name, "predict", lambda: self.predictions.waiting)
        metrics.watch(name, "explain", lambda: self.explanations.waiting)

    def ask(self, texts: Sequence[str]) -> Job[str, Answer]:
        """Accepts the texts or raises Overloaded."""
        return self.predictions.ask(texts)

    def ask_why(self, text: str) -> Job[str, Explanation]:
        """Accepts the text for explanation or raises Overloaded."""
        # At most every second character begins a word; each word read is a forward pass.
        words = min((len(text) + 1) // 2, self.predictor.vocabulary.encoding.length)
        return self.explanations.ask([text], weight=1 + words)

    def warm_up(self) -> None:
        """Answers one text, so that the first client need not wait for what is made lazily."""
        self._predict(["warm"])

    def close(self) -> None:
        """Ends the model's threads once they have computed what they are at."""
        self.predictions.close()
        self.explanations.close()

    def _predict(self, texts: Sequence[str]) -> list[Answer]:
        vocabulary = self.predictor.vocabulary
        ids, counts = vocabulary.encode_counting(texts)
        probabilities = self.predictor.probabilities_of(ids)
        numbers = self.predictor.decide(probabilities)
        length = vocabulary.encoding.length
        return [
            Answer(number, tuple(row), words, min(words, length))
            for number, row, words in zip(
                numbers.tolist(), probabilities.tolist(), counts, strict=True
            )
        ]

    def _explain(self, texts: Sequence[str]) -> list[Explanation]:
        return [self.predictor.explain(text) for text in texts]


def served(
    predictors: Iterable[Predictor], settings: ServiceSettings, metrics: Metrics
) -> Mapping[str, ServedModel]:
    """The models by name, in order. Of two with one name the second gets "-2" behind it."""
    models: dict[str, ServedModel] = {}
    for predictor in predictors:
        name, number = predictor.manifest.name, 1
        while name in models:
            number += 1
            name = f"{predictor.manifest.name}-{number}"
        models[name] = ServedModel(name, predictor, settings, metrics)
    return models


def sendable(text: str) -> str:
    """The same with "?" for half surrogate pairs, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
