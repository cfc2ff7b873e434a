"""What early stopping would have chosen, and what training longer cost: from the curve alone.

An epoch depends only on those before it (training.run), so a run that early stopping had ended
would have had the same curve up to there. Beyond its own end a curve says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sentilab.training.options import EarlyStopping
from sentilab.training.stopping import EpochMetrics, judge, kept_epoch

RULES = tuple(
    EarlyStopping(monitor, patience, restore_best=True)
    for monitor in ("val_accuracy", "val_loss")
    for patience in (1, 2, 3)
)


@dataclass(frozen=True)
class Gap:
    """How far training is ahead of validation after ``epoch``, in accuracy and in loss.

    Positive where training does better. Training figures are means over the epoch, while the
    weights move, so a gap is larger than it looks, most of all in the first epoch.
    """

    epoch: int
    accuracy: float
    loss: float


@dataclass(frozen=True)
class Choice:
    """What a rule does with a curve: ``epochs`` are run, and the weights of ``kept`` stay.

    ``lost`` is validation accuracy given up against the curve's best epoch, ``saved`` the epochs
    that are not run.
    """

    epochs: int
    kept: EpochMetrics
    lost: float
    saved: int


def gap(one: EpochMetrics) -> Gap:
    """Training against validation after one epoch."""
    return Gap(one.epoch, one.accuracy - one.val_accuracy, one.val_loss - one.loss)


def lowest_loss(history: Sequence[EpochMetrics]) -> EpochMetrics:
    """The epoch of the lowest validation loss, the first of several."""
    return min(history, key=lambda one: one.val_loss)


def turned_after(history: Sequence[EpochMetrics]) -> int | None:
    """The epoch after which validation loss rose above its lowest; None if it has not yet."""
    lowest = lowest_loss(history).epoch
    return lowest if lowest < len(history) else None


def what_if(history: Sequence[EpochMetrics], rule: EarlyStopping, *, planned: int) -> Choice | None:
    """What ``rule`` would have chosen in a run of at most ``planned`` epochs with this curve.

    None where that cannot be known: the curve ends before ``planned``, and before the rule would.

    Raises ValueError for an empty curve.
    """
    if not history:
        raise ValueError("There is no epoch to choose from.")
    epochs = next(
        (number for number in range(1, len(history) + 1) if judge(history[:number], rule).stop),
        None,
    )
    if epochs is None and len(history) < planned:
        return None
    epochs = epochs or len(history)
    kept = history[kept_epoch(history[:epochs], rule) - 1]
    best = max(one.val_accuracy for one in history)
    return Choice(epochs, kept, best - kept.val_accuracy, len(history) - epochs)
