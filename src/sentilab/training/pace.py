"""How long training takes here: measured on a few batches, never assumed."""

import time
from dataclasses import dataclass

import numpy as np

from sentilab import models
from sentilab.training.examples import Examples, Part
from sentilab.training.run import SCORING_BATCH, compile_model, score
from sentilab.training.settings import RunSettings

TIMED_BATCHES = 6


@dataclass(frozen=True)
class Pace:
    """Seconds for one training batch, for scoring one batch of 256 texts, and for compiling."""

    batch: float
    scoring: float
    start: float

    def epoch(self, settings: RunSettings, examples: Examples) -> float:
        """Seconds for one epoch and its validation."""
        batches = -(-len(examples.train.labels) // settings.batch_size)
        return batches * self.batch + self._scoring(examples.validation)

    def end(self, examples: Examples) -> float:
        """Seconds for scoring the test texts; nothing where validation has done so already."""
        return 0.0 if examples.validation is examples.test else self._scoring(examples.test)

    def _scoring(self, part: Part) -> float:
        return len(part.labels) / SCORING_BATCH * self.scoring


def measure(settings: RunSettings, examples: Examples) -> Pace | None:
    """Times a few real batches of a new model; None for a model that cannot train."""
    keras = models.import_keras()
    started = time.perf_counter()
    keras.utils.clear_session()
    task = models.Task(settings.words, settings.length, examples.classes)
    model = models.build(
        settings.model, task, settings.model_settings, kernels=settings.kernels or "auto"
    )
    if not models.anatomy(model, task).trainable:
        return None
    compile_model(model, settings, examples.classes)
    x = examples.train.x[: settings.batch_size]
    y = examples.train.labels[: settings.batch_size].astype(np.float32)
    few = Part(examples.test.x[: 2 * SCORING_BATCH], examples.test.labels, examples.test.ids)
    for _ in range(2):
        model.train_on_batch(x, y)
    score(model, few)
    compiled = time.perf_counter()
    for _ in range(TIMED_BATCHES):
        model.train_on_batch(x, y)
    trained = time.perf_counter()
    score(model, few)
    scored = time.perf_counter()
    return Pace(
        batch=(trained - compiled) / TIMED_BATCHES,
        scoring=(scored - trained) * SCORING_BATCH / len(few.x),
        start=compiled - started,
    )
