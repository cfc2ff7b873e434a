"""What a probe has found in the runs of each group, over their seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from sentilab import probe
from sentilab.report.reading import Group

Result = TypeVar("Result")


@dataclass(frozen=True)
class Probed(Generic[Result]):
    """A group with the results of those of its runs that were probed, at least one."""

    group: Group
    results: tuple[Result, ...]

    @property
    def title(self) -> str:
        return self.group.title


def probed(groups: Sequence[Group], name: str, kind: type[Result]) -> list[Probed[Result]]:
    """The groups in which the probe ``name``, whose results are of this ``kind``, has found anything."""
    found = []
    for group in groups:
        read = [probe.read(run.folder, name) for run in group.finished]
        results = tuple(one for one in read if isinstance(one, kind))
        if results:
            found.append(Probed(group, results))
    return found


def over_seeds(values: Sequence[float], digits: int = 4, *, percent: bool = False) -> str:
    """Their mean, with the standard deviation over seeds in brackets where there are several."""
    form = f".{digits}{'%' if percent else 'f'}"
    if len(values) == 1:
        return format(values[0], form)
    return f"{np.mean(values):{form}} ({np.std(values, ddof=1):{form}})"


def seeds_note(found: Sequence[Probed[Result]]) -> str:
    """For a caption: what stands in brackets, where anything does."""
    several = any(len(one.results) > 1 for one in found)
    return "; in brackets the standard deviation over seeds" if several else ""
