"""The study's results as the report reads them: runs gathered over their seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.compare import Interval, accuracy_interval, accuracy_over_seeds, mean_interval
from sentilab.studies import Run, StudyResults
from sentilab.training import EpochMetrics, RunFolder

RECURRENT = ("LSTM", "GRU", "SimpleRNN")


@dataclass(frozen=True)
class Group:
    """The runs of one setting under one protocol, one for each seed."""

    name: str
    title: str
    protocol: str
    runs: tuple[Run, ...]

    @cached_property
    def finished(self) -> tuple[Run, ...]:
        return tuple(one for one in self.runs if one.status == "finished")

    @property
    def first(self) -> Run:
        """The first finished run, else the first."""
        return (self.finished or self.runs)[0]

    @property
    def judged_on(self) -> str:
        """Which texts its accuracy is of: "validation", where the test's are not read, or "test"."""
        return "validation" if self.protocol == "validation" else "test"

    @property
    def accuracy(self) -> float:
        """Mean accuracy over the finished seeds, on the texts of ``judged_on``."""
        return float(np.mean([one.accuracy for one in self.finished]))

    @property
    def validation(self) -> float:
        """Mean accuracy on the validation texts, over seeds, of the weights that were kept."""
        return float(np.mean([one.validation_accuracy for one in self.finished]))

    @property
    def loss(self) -> float:
        return float(np.mean([one.loss for one in self.finished]))

    @property
    def seconds(self) -> float:
        """Median training time of a run: a pause in one of them is not the setting's."""
        return float(np.median([one.training_seconds for one in self.finished]))

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds, where there are several."""
        if len(self.finished) < 2:
            return None
        return mean_interval([one.accuracy or 0.0 for one in self.finished])[1]

    @cached_property
    def interval(self) -> Interval:
        """Over test texts (Wilson), and over seeds too where there are several."""
        right = np.stack([correct(one.folder) for one in self.finished])
        if len(right) > 1:
            return accuracy_over_seeds(right)
        return accuracy_interval(int(right.sum()), right.size)

    @cached_property
    def curve(self) -> tuple[EpochMetrics, ...]:
        """The mean over seeds, epoch by epoch, as far as all of them went."""
        histories = [one.history for one in self.finished]
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        return tuple(
            EpochMetrics(
                epoch, *(float(np.mean([getattr(one, name) for one in each])) for name in names)
            )
            for epoch, each in enumerate(zip(*histories, strict=False), start=1)
        )

    @property
    def is_recurrent(self) -> bool:
        anatomy: dict[str, Any] = self.first.anatomy or {"layers": []}
        return any(kind in one["kind"] for one in anatomy["layers"] for kind in RECURRENT)


def gather(results: StudyResults, protocol: str) -> dict[str, Group]:
    """The groups of one protocol by their name in the study file, in the study's order."""
    together: dict[str, list[Run]] = {}
    for run in results.runs:
        if run.settings.protocol == protocol:
            together.setdefault(run.name.partition("@")[0], []).append(run)
    return {
        name: Group(name, runs[0].title, protocol, tuple(runs)) for name, runs in together.items()
    }


@dataclass(frozen=True)
class Pick:
    """What one seed's choice shows: on the test split, and chosen on validation texts instead.

    ``repeated`` is the mean accuracy over the other seeds of the setting and epoch that the choice
    on the test split fell on; None where there is no other seed.
    """

    shown: float
    shown_title: str
    honest: float
    honest_title: str
    repeated: float | None


def picks(both: Sequence[tuple[Group, Group]]) -> list[Pick]:
    """One a seed; ``both`` are the same settings under the notebook's and the holdout protocol."""
    found = []
    seeds = [{one.settings.seed for one in group.finished} for pair in both for group in pair]
    for seed in sorted(set.intersection(*seeds)) if seeds else []:
        on_test = [(_run(group, seed), group) for group, _ in both]
        shown, epoch, group = max(
            ((one.val_accuracy, one.epoch, group) for run, group in on_test for one in run.history),
            key=lambda each: each[0],
        )
        elsewhere = [
            one.history[epoch - 1].val_accuracy
            for one in group.finished
            if one.settings.seed != seed and len(one.history) >= epoch
        ]
        held_out = max(
            (_run(group, seed) for _, group in both), key=lambda one: one.validation_accuracy
        )
        found.append(
            Pick(
                shown,
                group.title,
                held_out.accuracy or 0.0,
                held_out.title,
                float(np.mean(elsewhere)) if elsewhere else None,
            )
        )
    return found


def _run(group: Group, seed: int) -> Run:
    return next(one for one in group.finished if one.settings.seed == seed)


def finished(groups: Mapping[str, Group], names: Sequence[str]) -> list[Group]:
    """Those of the named groups that have a finished run."""
    return [groups[name] for name in names if name in groups and groups[name].finished]


@lru_cache(maxsize=1024)
def correct(folder: Path) -> NDArray[np.bool_]:
    """Where a finished run is right: shape (test texts,). Finished folders do not change."""
    return RunFolder(folder).predictions().correct
