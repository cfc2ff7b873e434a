"""When to stop and which epoch's weights to keep: functions of the recorded curve alone.

Nothing is remembered between epochs, so a resumed run cannot lose its early-stopping state.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from sentilab.training.options import EarlyStopping


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch's figures; epochs count from 1. Training figures are means over the epoch."""

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float


# What a file must hold of an epoch, by the names and in the order of the figures.
CURVE = {one.name: one.type for one in fields(EpochMetrics)}


@dataclass(frozen=True)
class Verdict:
    """``best_epoch`` (from 1; 0 before any epoch) by the monitored metric, and whether to stop."""

    best_epoch: int
    stop: bool


def judge(history: Sequence[EpochMetrics], rule: EarlyStopping | None) -> Verdict:
    """What ``rule`` says after ``history``; without a rule the last epoch is kept.

    Source: keras.callbacks.EarlyStopping (Keras 3.15), whose decisions these are, the first
    epoch's included: it never stops there, whatever the patience.
    """
    if rule is None:
        return Verdict(best_epoch=len(history), stop=False)
    sign = 1.0 if rule.monitor.endswith("accuracy") else -1.0
    best, best_epoch, waited = -math.inf, min(1, len(history)), 0
    for one in history:
        value = sign * getattr(one, rule.monitor)
        waited += 1
        if value - rule.min_delta > best:
            best, best_epoch, waited = value, one.epoch, 0
    stop = len(history) > 1 and waited > 0 and waited >= rule.patience
    return Verdict(best_epoch, stop)


def kept_epoch(history: Sequence[EpochMetrics], rule: EarlyStopping | None) -> int:
    """The epoch (from 1) whose weights the run ends with."""
    if rule is not None and rule.restore_best:
        return judge(history, rule).best_epoch
    return len(history)
