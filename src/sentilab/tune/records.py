"""What a search has found, as far as it has come."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sentilab.training import Predictions, RunFolder
from sentilab.tune.settings import Budget, Search
from sentilab.tune.trials import Trial, ranked

Ending = Literal["", "trials", "time", "exhausted"]
"""Why no further trial was made: the number asked for, the time, or nothing new in the space."""

TRIALS = "trials"

# Solvers go through the texts in an order of the seed's and end within so much of the same loss.
SAME_LOSS = 0.001


@dataclass(frozen=True)
class Again:
    """A finalist trained once more with another seed; figures are on the validation texts.

    They are None where that training diverged.
    """

    seed: int
    run: str
    accuracy: float | None
    loss: float | None


@dataclass(frozen=True)
class Finalist:
    """One of the best trials, and its runs with other seeds, one a round."""

    trial: Trial
    again: tuple[Again, ...] = ()

    @property
    def diverged(self) -> bool:
        return any(one.loss is None for one in self.again)

    @property
    def moves(self) -> bool:
        """Whether the seed changes anything to speak of; taken to, before there is a second run."""
        return not self.again or any(
            one.loss is None
            or one.accuracy != self.trial.accuracy
            or abs(one.loss - (self.trial.loss or 0.0)) > SAME_LOSS * one.loss
            for one in self.again
        )

    def over_seeds(self, rounds: int) -> Trial:
        """The trial with the mean figures of its first ``rounds`` runs with other seeds."""
        runs = self.again[:rounds]
        if not runs:
            return self.trial
        return replace(
            self.trial,
            accuracy=float(np.mean([one.accuracy for one in runs])),
            loss=float(np.mean([one.loss for one in runs])),
        )


@dataclass(frozen=True)
class Scoring:
    """The one time that the test texts were scored for a winner.

    ``trial`` is its number, ``settings`` what was searched of its settings, ``trials`` how many there
    were when it was chosen, ``runs`` the run folders' names, a seed each.
    """

    trial: int
    settings: dict[str, Any]
    trials: int
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Tuned:
    """A search so far. ``folder`` holds the scored runs, ``folder``/trials all others.

    ``scorings`` has one entry a winner: more than one only where a search was given more time or
    trials after its test texts had been scored. ``spent`` is in seconds.
    """

    search: Search
    budget: Budget
    folder: Path
    facts: dict[str, Any]
    trials: tuple[Trial, ...]
    finalists: tuple[Finalist, ...] = ()
    scorings: tuple[Scoring, ...] = ()
    spent: float = 0.0
    ending: Ending = ""
    finished: bool = False

    @property
    def ranked(self) -> list[Trial]:
        """The complete trials, the best first."""
        return ranked(self.trials, maximised=self.search.maximised)

    @property
    def rounds(self) -> int:
        """How many seeds each finalist was trained with again."""
        return min((len(one.again) for one in self.finalists if not one.diverged), default=0)

    @property
    def winner(self) -> Finalist | None:
        """The best finalist over the other seeds, or the best trial where there were none."""
        chosen = best_of(self.finalists, maximised=self.search.maximised)
        return chosen or (Finalist(self.ranked[0]) if self.ranked else None)

    def predictions(self, run: str) -> Predictions:
        """A trial's, or a finalist's run's, answers on the validation texts."""
        return RunFolder(self.folder / TRIALS / run).predictions()

    def scored_runs(self) -> list[RunFolder]:
        """The winner's runs whose test texts were scored; empty before that."""
        return (
            [RunFolder(self.folder / one) for one in self.scorings[-1].runs]
            if self.scorings
            else []
        )


def best_of(finalists: Sequence[Finalist], *, maximised: bool) -> Finalist | None:
    """The finalist of the best mean over those rounds that all had; None where there is none."""
    steady = [one for one in finalists if not one.diverged]
    rounds = min((len(one.again) for one in steady), default=0)
    return min(
        steady,
        key=lambda one: one.over_seeds(rounds).better_first(maximised=maximised),
        default=None,
    )
