"""How long training takes here: measured on a few batches, never assumed."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sentilab import models
from sentilab.training.examples import Examples, Part
from sentilab.training.pretraining import expected_seconds, sizes_of
from sentilab.training.scoring import SCORING_BATCH, cropped_lengths, lengths_of, score
from sentilab.training.settings import RunSettings
from sentilab.training.steps import prepare

TIMED_BATCHES = 6
# A solver is timed on so many texts at least, if there are as many, and on this share of more.
TIMED_TEXTS, TIMED_SHARE = 1_000, 1 / 8


@dataclass(frozen=True)
class Pace:
    """Seconds for one training batch, for scoring one batch of 256 texts, for compiling, and for the
    whole of a pretraining before.
    """

    batch: float
    scoring: float
    start: float
    pretraining: float = 0.0

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
    """Times a few real batches of a new model; None for a model that cannot train.

    A model with a solver is fitted to a few of the texts instead, and taken to need time in proportion.
    """
    keras = models.import_keras()
    started = time.perf_counter()
    keras.utils.clear_session()
    task = models.Task(settings.words, settings.length, examples.classes)
    if models.describe(settings.model).solver is not None:
        return _measure_solver(settings, examples, task)
    model = models.build(
        settings.model, task, settings.model_settings, kernels=settings.kernels or "auto"
    )
    if not models.anatomy(model, task).trainable:
        return None
    pretraining = 0.0
    if settings.pretraining is not None and examples.corpus is not None:
        pretraining = expected_seconds(
            settings.pretraining,
            examples.corpus,
            sizes_of(model),
            kernels=settings.kernels or "auto",
        )
        started = time.perf_counter()
    trainer = prepare(model, settings, examples.train, examples.classes)
    x = examples.train.x[: settings.batch_size]
    y = examples.train.labels[: settings.batch_size].astype(np.float32)
    if settings.bucketed:  # the batch in the middle stands for all
        middle = np.median(lengths_of(examples.train.x), keepdims=True)
        x = x[:, -int(cropped_lengths(middle, x.shape[1])[0]) :]
    few = Part(examples.test.x[: 2 * SCORING_BATCH], examples.test.labels, examples.test.ids)
    for _ in range(2):
        trainer.train_on_batch(x, y)
    score(model, few)
    compiled = time.perf_counter()
    for _ in range(TIMED_BATCHES):
        trainer.train_on_batch(x, y)
    trained = time.perf_counter()
    score(model, few)
    scored = time.perf_counter()
    return Pace(
        batch=(trained - compiled) / TIMED_BATCHES,
        scoring=(scored - trained) * SCORING_BATCH / len(few.x),
        start=compiled - started,
        pretraining=pretraining,
    )


def _measure_solver(settings: RunSettings, examples: Examples, task: models.Task) -> Pace:
    train = examples.train
    texts = len(train.labels)
    more = min(max(TIMED_TEXTS, int(TIMED_SHARE * texts)), texts)
    sizes = (min(100, texts), max(more // 2, 1), more)
    model, seconds = None, []
    for size in sizes:  # the first is not timed alone: it pays for what is imported and compiled
        started = time.perf_counter()
        rows = np.linspace(0, texts - 1, size).astype(np.int64)
        model = models.solve(
            settings.model,
            task,
            train.x[rows],
            train.labels[rows],
            settings.model_settings,
            seed=settings.seed,
            vocabulary=examples.vocabulary.words,
            unlabelled=_share(examples.unlabelled, size / texts),
        )
        seconds.append(time.perf_counter() - started)
    few = Part(examples.test.x[: 2 * SCORING_BATCH], examples.test.labels, examples.test.ids)
    started = time.perf_counter()
    score(model, few)
    compiled = time.perf_counter()
    score(model, few)
    scoring = (time.perf_counter() - compiled) * SCORING_BATCH / len(few.x)
    # A busy moment during the smaller fit must not make the larger one seem to cost nothing.
    a_text = max((seconds[2] - seconds[1]) / max(more - sizes[1], 1), 0.5 * seconds[2] / more)
    return Pace(
        # A run scores its training texts too, once they are fitted.
        batch=settings.batch_size * (a_text + scoring / SCORING_BATCH),
        scoring=scoring,
        start=seconds[0] + compiled - started,
    )


def _share(x: NDArray[np.int32] | None, share: float) -> NDArray[np.int32] | None:
    """That share of the texts ``x``, evenly spread; None of none."""
    if x is None:
        return None
    return x[np.linspace(0, len(x) - 1, int(share * len(x))).astype(np.int64)]
