"""What training may do beyond the notebook's Adam: each an option, off unless it is asked for."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from sentilab.errors import SettingsError
from sentilab.training.require import require

Monitor = Literal["val_accuracy", "val_loss", "accuracy", "loss"]
ScheduleKind = Literal["linear", "cosine"]
AveragingKind = Literal["ema", "swa"]
AdversarialKind = Literal["adversarial", "virtual"]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop once ``monitor`` has not improved by more than ``min_delta`` for ``patience`` epochs.

    With ``restore_best`` the weights of the best epoch are kept, else those of the last one.
    The rule is that of keras.callbacks.EarlyStopping.
    """

    monitor: Monitor = "val_accuracy"
    patience: int = 3
    min_delta: float = 0.0
    restore_best: bool = False

    def __post_init__(self) -> None:
        """Raises SettingsError for a metric or a number that cannot be meant."""
        _require_one_of("early_stopping.monitor", self.monitor, Monitor)
        require("early_stopping.patience", self.patience, int, lowest=0)
        require("early_stopping.min_delta", self.min_delta, float, lowest=0)
        require("early_stopping.restore_best", self.restore_best, bool)


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the run's steps: up to its value in a straight line, then down to 0.

    ``warmup`` is the share of all steps (epochs × batches) that the rise takes; ``kind`` is the form
    of the fall, a straight line or half a cosine.
    """

    kind: ScheduleKind = "cosine"
    warmup: float = 0.1

    def __post_init__(self) -> None:
        """Raises SettingsError for a kind that does not exist or a share outside of 0 to 1."""
        _require_one_of("schedule.kind", self.kind, ScheduleKind)
        require("schedule.warmup", self.warmup, float, lowest=0, highest=1)


@dataclass(frozen=True)
class WeightAveraging:
    """The weights that are judged and kept are a mean over training, not its last point.

    "ema": after each step, decay × mean + (1 - decay) × weights. "swa": the plain mean of the weights
    at the ends of the epochs from ``first_epoch`` on (Izmailov et al. 2018).
    """

    kind: AveragingKind = "ema"
    decay: float = 0.999
    first_epoch: int = 1

    def __post_init__(self) -> None:
        """Raises SettingsError for a kind that does not exist or a number out of its range."""
        _require_one_of("averaging.kind", self.kind, AveragingKind)
        require("averaging.decay", self.decay, float, lowest=0, highest=1)
        require("averaging.first_epoch", self.first_epoch, int, lowest=1)


@dataclass(frozen=True)
class AdversarialTraining:
    """A second loss on word vectors moved by ``radius`` in the direction that hurts most.

    "adversarial" moves against the label's loss; "virtual" against the model's own answer, which
    needs no label. ``weight`` multiplies the second loss. The vectors are normalised by word
    frequency, as the radius means nothing otherwise.
    Source: Miyato, Dai and Goodfellow (2017), equations 1 to 6.
    """

    kind: AdversarialKind = "adversarial"
    radius: float = 5.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raises SettingsError for a kind that does not exist or a number below 0."""
        _require_one_of("adversarial.kind", self.kind, AdversarialKind)
        require("adversarial.radius", self.radius, float, lowest=0)
        require("adversarial.weight", self.weight, float, lowest=0)


def _require_one_of(name: str, value: object, kinds: Any) -> None:
    if value not in get_args(kinds):
        allowed = ", ".join(f'"{one}"' for one in get_args(kinds))
        raise SettingsError(f'{name} is "{value}"; it must be one of {allowed}.')
