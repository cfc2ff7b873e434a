"""What training tells whoever watches."""

from dataclasses import dataclass
from typing import Protocol

from sentilab.training.stopping import EpochMetrics


@dataclass(frozen=True)
class Step:
    """Where an epoch stands; ``loss`` and ``accuracy`` are means over the epoch so far."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class LanguageStep:
    """Where an epoch of pretraining stands; ``loss`` (nats a word) is the mean over it so far."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float


@dataclass(frozen=True)
class LanguageEpoch:
    """An epoch of pretraining, and how well texts held out of it are then told.

    ``loss`` is the mean over the epoch, nats a word against the sampled ones; ``perplexity`` is e to
    the mean loss a word against all, on the held-out texts.
    """

    epoch: int
    loss: float
    perplexity: float


class Listener(Protocol):
    """Hears of a run's progress. Every method may do nothing."""

    def on_resume(self, epochs_done: int, source: str) -> None:
        """``epochs_done`` epochs were found in ``source`` and are not trained again."""

    def on_language_step(self, step: LanguageStep) -> None:
        """Pretraining, a few times a second at most."""

    def on_language_epoch(self, measured: LanguageEpoch, epochs: int, seconds: float) -> None:
        """An epoch of pretraining is complete and on disk."""

    def on_pass(self, done: int, passes: int) -> None:
        """So many passes over the texts are done, of a model that is solved for in several."""

    def on_step(self, step: Step) -> None:
        """A few times a second at most."""

    def on_validate(self, epoch: int) -> None:
        """The epoch's batches are done; held-out texts are being scored."""

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        """An epoch is complete and on disk."""


class Silence:
    """A listener that ignores everything."""

    def on_resume(self, epochs_done: int, source: str) -> None: ...
    def on_language_step(self, step: LanguageStep) -> None: ...
    def on_language_epoch(self, measured: LanguageEpoch, epochs: int, seconds: float) -> None: ...
    def on_pass(self, done: int, passes: int) -> None: ...
    def on_step(self, step: Step) -> None: ...
    def on_validate(self, epoch: int) -> None: ...
    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None: ...
