"""What is probed: a trained model that answers texts, and what it was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab import models
from sentilab.data import Dataset
from sentilab.errors import SentilabError
from sentilab.text import Vocabulary
from sentilab.training import Examples, Preparation, RunFolder, RunSettings
from sentilab.training.ensembling import ENSEMBLE

BATCH = 256


@dataclass(frozen=True)
class Classifier:
    """A Keras model with the vocabulary and the label names that it was trained with."""

    model: Any
    vocabulary: Vocabulary
    label_names: tuple[str, ...]

    @classmethod
    def from_run(cls, folder: Path) -> "Classifier":
        """Loads a finished run's model; LSTMs are computed as the run's settings ask.

        Raises SentilabError if the folder holds no finished run.
        """
        run = RunFolder(folder)
        result = run.read_json("result.json")
        if result is None or result.get("status") != "finished":
            said = "has not finished" if result is None else f"was {result['status']}"
            raise SentilabError(f"{folder}: no trained model here; the run {said}.")
        vocabulary = run.vocabulary()
        model = models.load(run.checked(run.model), kernels=run.settings().kernels or "auto")
        return cls(model, vocabulary, tuple(result["label_names"]))

    @property
    def length(self) -> int:
        """Tokens that the model reads of each text."""
        return self.vocabulary.encoding.length

    def encode(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Integers of shape (texts, length)."""
        return self.vocabulary.encode(texts)

    def score(self, x: NDArray[np.int32]) -> NDArray[np.float32]:
        """Probabilities of shape (texts, classes) for encoded texts of shape (texts, any length)."""
        answers = np.asarray(self.model.predict(x, batch_size=BATCH, verbose=0), np.float32)
        if answers.shape[1] == 1:
            answers = np.concatenate([1 - answers, answers], axis=1)
        return answers

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities of shape (texts, classes), in the order of ``label_names``."""
        if not texts:
            return np.zeros((0, len(self.label_names)), np.float32)
        return self.score(self.encode(texts))


@dataclass(frozen=True)
class Subject:
    """A finished run with the data it was trained and judged on."""

    run: RunFolder
    dataset: Dataset
    preparation: Preparation

    @cached_property
    def settings(self) -> RunSettings:
        return self.run.settings()

    @cached_property
    def classifier(self) -> Classifier:
        return Classifier.from_run(self.run.path)

    @cached_property
    def examples(self) -> Examples:
        """The encoded parts, as the run saw them."""
        # What a run was pretrained on, or taught, need not be there any more.
        more = (
            self.settings.pretraining or self.settings.teaching or self.settings.model == ENSEMBLE
        )
        known = self.classifier.vocabulary if more else None
        return self.preparation.examples(self.settings, known)

    def texts(self, ids: Sequence[str] | NDArray[np.str_]) -> list[str]:
        """The raw texts of these ids, in their order."""
        return [self.dataset.texts[self._row_of[str(one)]] for one in ids]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {one: row for row, one in enumerate(self.dataset.ids)}
