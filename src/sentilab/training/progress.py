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


class Listener(Protocol):
    """Hears of a run's progress. Every method may do nothing."""

    def on_resume(self, epochs_done: int, source: str) -> None:
        """``epochs_done`` epochs were found in ``source`` and are not trained again."""

    def on_step(self, step: Step) -> None:
        """A few times a second at most."""

    def on_validate(self, epoch: int) -> None:
        """The epoch's batches are done; held-out texts are being scored."""

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        """An epoch is complete and on disk."""


class Silence:
    """A listener that ignores everything."""

    def on_resume(self, epochs_done: int, source: str) -> None: ...
    def on_step(self, step: Step) -> None: ...
    def on_validate(self, epoch: int) -> None: ...
    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None: ...
