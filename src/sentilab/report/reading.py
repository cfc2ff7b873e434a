"""The study's results as the report reads them: runs gathered over their seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.compare import (
    Interval,
    PairedDifference,
    accuracy_interval,
    mean_interval,
    paired_difference,
)
from sentilab.studies import Run, StudyResults
from sentilab.training import RunFolder

RECURRENT = ("LSTM", "GRU", "SimpleRNN")


@dataclass(frozen=True)
class Comparison:
    """``difference`` is the second's accuracy less the first's.

    With one seed the interval is over test texts and ``p_value`` is McNemar's; with several it is
    over seeds, paired, and there is no p-value.
    """

    difference: float
    interval: Interval
    p_value: float | None

    @property
    def is_clear(self) -> bool:
        return not self.interval.low <= 0 <= self.interval.high


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
    def accuracy(self) -> float:
        """Mean test accuracy over the finished seeds."""
        return float(np.mean([one.accuracy for one in self.finished]))

    @property
    def loss(self) -> float:
        return float(np.mean([one.loss for one in self.finished]))

    @property
    def seconds(self) -> float:
        """Mean training time of a run."""
        return float(np.mean([sum(one.seconds) for one in self.finished]))

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds, where there are several."""
        if len(self.finished) < 2:
            return None
        return mean_interval([one.accuracy or 0.0 for one in self.finished])[1]

    @cached_property
    def interval(self) -> Interval:
        """Over seeds where there are several, else over test texts (Wilson)."""
        if len(self.finished) > 1:
            return mean_interval([one.accuracy or 0.0 for one in self.finished])[2]
        right = correct(self.finished[0].folder)
        return accuracy_interval(int(right.sum()), len(right))

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


def compare(first: Group, second: Group) -> Comparison:
    """How much better the second is than the first, on the same texts and seeds."""
    if len(first.finished) == 1 == len(second.finished):
        found: PairedDifference = paired_difference(
            correct(second.first.folder), correct(first.first.folder)
        )
        return Comparison(found.difference, found.interval, found.p_value)
    of_first = {one.settings.seed: one.accuracy or 0.0 for one in first.finished}
    differences = [
        (one.accuracy or 0.0) - of_first[one.settings.seed]
        for one in second.finished
        if one.settings.seed in of_first
    ]
    if len(differences) < 2:
        found = paired_difference(correct(second.first.folder), correct(first.first.folder))
        return Comparison(found.difference, found.interval, found.p_value)
    mean, _, interval = mean_interval(differences)
    return Comparison(mean, interval, None)


def finished(groups: dict[str, Group], names: Sequence[str]) -> list[Group]:
    """Those of the named groups that have a finished run."""
    return [groups[name] for name in names if name in groups and groups[name].finished]


@lru_cache(maxsize=1024)
def correct(folder: Path) -> NDArray[np.bool_]:
    """Where a finished run is right: shape (test texts,). Finished folders do not change."""
    return RunFolder(folder).predictions().correct
