"""A predictor whose answers depend on the text's own words alone, and that can be held up."""

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.text.words import Encoding, Vocabulary, words_of

ENCODING = Encoding(words=1_000, length=8)
WORDS = ("good", "bad", "film", "not", *(f"w{number}" for number in range(900)))


@dataclass
class FakeManifest:
    name: str = "fake"
    family: str = "mlp"
    encoding: Encoding = ENCODING
    temperature: float | None = 1.5
    threshold: float = 0.5
    labels: tuple[str, ...] = ("negative", "positive")

    def to_json(self) -> dict[str, Any]:
        return {
            "format": 1,
            "name": self.name,
            "labels": list(self.labels),
            "model": {"family": self.family, "settings": {}, "layers": []},
            "encoding": {"words": self.encoding.words, "length": self.encoding.length},
            "temperature": self.temperature,
            "threshold": self.threshold,
        }


@dataclass
class FakeExplanation:
    label: str
    probability: float
    probabilities: tuple[float, ...]
    side: str
    pieces: tuple[tuple[str, float | None], ...]


@dataclass
class FakePredictor:
    """While ``gate`` is cleared, whoever computes waits; ``begun`` is set when somebody does."""

    manifest: FakeManifest = field(default_factory=FakeManifest)
    engine: str = "a fake, for tests"
    card: str = "# A fake\n"

    def __post_init__(self) -> None:
        self.vocabulary = Vocabulary(WORDS, self.manifest.encoding)
        self.gate, self.begun = threading.Event(), threading.Event()
        self.gate.set()
        self.batches: list[int] = []

    @property
    def labels(self) -> tuple[str, ...]:
        return self.manifest.labels

    def probabilities_of(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        self.begun.set()
        assert self.gate.wait(30)
        self.batches.append(len(ids))
        # "w13" is what this model cannot bear.
        if (ids == self.vocabulary.index["w13"]).any():
            raise ValueError("the secret word w13 was in the text")
        weights = np.arange(1, ids.shape[1] + 1)
        positive = (ids * weights).sum(axis=1) % 997 / 997
        return np.stack([1 - positive, positive], axis=1).astype(np.float32)

    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        return (probabilities[:, 1] > self.manifest.threshold).astype(np.int64)

    def explain(self, text: str) -> FakeExplanation:
        answer = self.probabilities_of(self.vocabulary.encode([text]))
        number = int(self.decide(answer)[0])
        return FakeExplanation(
            self.labels[number],
            float(answer[0, number]),
            tuple(answer[0].tolist()),
            self.labels[1],
            ((text, float(len(words_of(text)))),) if words_of(text) else ((text, None),),
        )

    def positive(self, text: str) -> float:
        """What this text must be answered."""
        return float(self.probabilities_of(self.vocabulary.encode([text]))[0, 1])
