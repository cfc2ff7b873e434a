"""A search from its first trial to the test score.

The test texts are read once: by the winner's runs, after everything has been chosen. All other
runs are under the protocol "validation", which does not hand them out.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sentilab import atomic
from sentilab.errors import ModelCannotTrain, SentilabError
from sentilab.readable import json_of, shown
from sentilab.training import (
    EpochMetrics,
    Listener,
    Preparation,
    RunFolder,
    RunSettings,
    TrainingDiverged,
    train,
)
from sentilab.training.environment import environment
from sentilab.tune import trials as records
from sentilab.tune.clock import Clock, Stopwatch
from sentilab.tune.proposals import Hopeless, propose
from sentilab.tune.records import TRIALS, Again, Ending, Finalist, Scoring, Tuned, best_of
from sentilab.tune.settings import Budget, Search
from sentilab.tune.trials import Trial, ranked
from sentilab.tune.watching import GivenUp, OutOfTime, Watching

FACTS, OUTCOME, TIME = "tune.json", "outcome.json", "spent.json"

# The most of a time budget that is kept for the finalists and the winner.
MOST_RESERVED = 0.5


class Audience(Protocol):
    """Hears of a search's progress."""

    def begins(self, what: str, settings: RunSettings, chosen: dict[str, Any]) -> Listener:
        """A training, such as "trial 3", begins; ``chosen`` are its settings that were searched."""

    def ended(self, so_far: Tuned) -> None:
        """A training has ended."""


@dataclass
class Tuning:
    """A search over prepared data; ``folder`` holds all that it leaves behind."""

    search: Search
    preparation: Preparation
    folder: Path
    clock: Clock = time.monotonic
    _trials: list[Trial] = field(default_factory=list)
    _finalists: list[Finalist] = field(default_factory=list)
    _scorings: list[Scoring] = field(default_factory=list)
    _ending: Ending = ""

    @classmethod
    def prepare(
        cls, search: Search, preparation: Preparation, runs: Path, *, clock: Clock = time.monotonic
    ) -> "Tuning":
        """The search in a folder of its own under ``runs``, named by the data, model and settings."""
        dataset = preparation.dataset
        mark = search.fingerprint(dataset.fingerprint)[:6]
        tuning = cls(
            search, preparation, runs / f"{dataset.name}-{search.model}-tune-{mark}", clock
        )
        atomic.write_text(
            tuning.folder / FACTS, json.dumps(tuning._facts, indent=1, ensure_ascii=False) + "\n"
        )
        return tuning

    def carry_out(self, budget: Budget, audience: Audience) -> Tuned:
        """Searches until the budget is spent, and scores the winner's test texts.

        What was done before is not done again: a search that was interrupted goes on, also with the
        trial that was under way, one that has finished is returned as it is, and one that is given
        more than before goes on from its last trial.

        Raises ModelCannotTrain, SentilabError if no trial comes to an end or if another process is
        at work on the same folder.
        """
        with atomic.alone(self.folder, "search"):
            self._watch = Stopwatch(self.folder / TIME, self.clock)
            self._budget, self._audience = budget, audience
            self._trials = records.read(self.folder)
            outcome = self._read_outcome()
            if outcome is not None and outcome.get("asked") == asdict(budget):
                return self._so_far(finished=True, spent=outcome["spent"])
            self._search()
            self._rerun()
            self._score()
            return self._finish()

    def _search(self) -> None:
        while True:
            under_way = self._trials[-1] if self._trials and not self._trials[-1].ended else None
            if under_way is None and self._enough():
                return
            trial = under_way or self._next()
            if trial is None:
                self._ending = "exhausted"
                return
            earlier = self._trials[: trial.number]
            # On disk before it begins: what is under way can be seen, and goes on after a kill.
            self._trials = [*earlier, trial]
            records.write(self.folder, self._trials)
            self._trials[-1] = self._try(trial, earlier)
            records.write(self.folder, self._trials)
            self._drop_weights()
            self._heard()
            if self._trials[-1].state == "stopped":
                self._ending = "time"
                return

    def _enough(self) -> bool:
        trials = self._budget.trials
        if trials is not None and len(self._trials) >= trials:
            self._ending = "trials"
            return True
        if self._best() and self._watch.spent + self._typical() > self._deadline():
            self._ending = "time"
            return True
        return False

    def _next(self) -> Trial | None:
        number = len(self._trials)
        chosen = propose(self.search, self._trials, number)
        if chosen is None:
            return None
        return Trial(number, chosen, self._name(self.search.run_settings(chosen)))

    def _try(self, trial: Trial, earlier: Sequence[Trial]) -> Trial:
        settings = self.search.run_settings(trial.settings)
        run = RunFolder(self.folder / TRIALS / trial.run)
        began = self._watch.spent - sum(run.seconds())
        watching = Watching(
            self._audience.begins(f"trial {trial.number + 1}", settings, trial.settings),
            Hopeless(self.search, earlier),
            run.state,
            settings.epochs,
            self._value_of,
            lambda: bool(self._best()) and self._watch.spent > self._deadline(),
        )
        self.preparation.forget_other_than(settings)
        examples = self.preparation.examples(settings)
        try:
            train(settings, examples, run.path, listener=watching)
        except GivenUp:
            run.state.unlink(missing_ok=True)
            ended = replace(trial, state="pruned", values=tuple(watching.values))
        except OutOfTime:
            ended = replace(trial, state="stopped", values=tuple(watching.values))
        except ModelCannotTrain:
            raise
        except SentilabError as error:
            # What is wrong with the defaults is wrong with the model, or with what is fixed.
            if not earlier and not isinstance(error, TrainingDiverged):
                raise
            run.state.unlink(missing_ok=True)
            ended = replace(trial, state="failed", reason=str(error))
        else:
            kept = run.read_json("result.json")["kept"]
            ended = replace(
                trial,
                state="complete",
                values=tuple(map(self._value_of, run.history())),
                accuracy=kept["val_accuracy"],
                loss=kept["val_loss"],
            )
        return replace(ended, seconds=round(self._watch.spent - began, 1))

    def _rerun(self) -> None:
        best = self._best()[: self.search.finalists]
        if not best:
            reasons = "".join(f"\n  {one.reason}" for one in self._trials if one.reason)
            raise SentilabError(f"{self.folder}: no trial came to an end.{reasons}")
        self._finalists = [Finalist(one) for one in best]
        if len(best) == 1:
            return
        for number in range(1, self.search.seeds + 1):
            known = all(self._is_done(self._run_again(one, number)[1]) for one in best)
            if not known and self._too_late_for((len(best) + 1) * self._typical(best)):
                return
            self._finalists = [
                replace(one, again=(*one.again, self._again(one.trial, number)))
                for one in self._finalists
            ]
            if not any(one.moves for one in self._finalists):
                return

    def _again(self, trial: Trial, number: int) -> Again:
        settings, run = self._run_again(trial, number)
        kept: dict[str, Any] = {}
        try:
            self._train(
                f"trial {trial.number + 1} again, seed {settings.seed}", settings, run, trial
            )
            kept = run.read_json("result.json")["kept"]
        except TrainingDiverged:
            run.state.unlink(missing_ok=True)
        for file in (run.weights, run.model):
            file.unlink(missing_ok=True)
        return Again(settings.seed, run.path.name, kept.get("val_accuracy"), kept.get("val_loss"))

    def _run_again(self, trial: Trial, number: int) -> tuple[RunSettings, RunFolder]:
        """A finalist's run in a round, numbered from 1."""
        settings = self.search.run_settings(trial.settings, seed=self.search.seed + number)
        return settings, RunFolder(self.folder / TRIALS / self._name(settings))

    def _score(self) -> None:
        winner = best_of(self._finalists, maximised=self.search.maximised)
        if winner is None:
            raise SentilabError(
                f"{self.folder}: each of the finalists diverged with another seed; nothing was scored."
            )
        if self._scorings and self._scorings[-1].trial == winner.trial.number:
            return
        names: list[str] = []
        for number in range(1, self._final_seeds() + 1):
            settings = self.search.run_settings(
                winner.trial.settings, seed=self.search.seed + number, protocol="holdout"
            )
            run = RunFolder(self.folder / self._name(settings))
            late = self._too_late_for(self._typical([winner.trial]))
            if names and late and not self._is_done(run):
                break
            self._train(f"the winner, seed {settings.seed}", settings, run, winner.trial)
            names.append(run.path.name)
        self._scorings.append(
            Scoring(winner.trial.number, winner.trial.settings, len(self._trials), tuple(names))
        )

    def _final_seeds(self) -> int:
        """How many seeds the winner is scored with: one, if the seed changes nothing."""
        same = any(one.again for one in self._finalists) and not any(
            one.moves for one in self._finalists
        )
        return 1 if same else self.search.seeds

    def _train(self, what: str, settings: RunSettings, run: RunFolder, trial: Trial) -> None:
        """Trains to the end; figures, not weights, are what is asked of runs that are done."""
        if self._is_done(run):
            return
        listener = self._audience.begins(what, settings, trial.settings)
        self.preparation.forget_other_than(settings)
        train(settings, self.preparation.examples(settings), run.path, listener=listener)
        self._heard()

    @staticmethod
    def _is_done(run: RunFolder) -> bool:
        return bool((run.read_json("result.json") or {}).get("status") == "finished")

    def _too_late_for(self, seconds: float) -> bool:
        budget = self._budget.seconds
        return budget is not None and self._watch.spent + seconds > budget

    def _best(self) -> list[Trial]:
        return ranked(self._trials, maximised=self.search.maximised)

    def _typical(self, trials: Sequence[Trial] | None = None) -> float:
        """Seconds of a trial, by the median of ``trials`` or of all."""
        seconds = [one.seconds for one in (self._trials if trials is None else trials)]
        return float(np.median(seconds)) if seconds else 0.0

    def _deadline(self) -> float:
        """The seconds spent from which on no trial is begun: what follows needs the rest."""
        if self._budget.seconds is None:
            return np.inf
        best = self._best()[: self.search.finalists]
        runs = self.search.seeds * (len(best) + 1)
        needed = runs * self._typical(best)
        return self._budget.seconds - min(needed, MOST_RESERVED * self._budget.seconds)

    def _value_of(self, one: EpochMetrics) -> float:
        return one.val_accuracy if self.search.maximised else one.val_loss

    def _name(self, settings: RunSettings) -> str:
        return settings.folder_name(self.preparation.dataset.fingerprint)

    def _drop_weights(self) -> None:
        """Leaves the best trials their weights: all trials' would fill a disk."""
        for one in self._best()[self.search.finalists :]:
            run = RunFolder(self.folder / TRIALS / one.run)
            for file in (run.weights, run.model):
                file.unlink(missing_ok=True)

    def _heard(self) -> None:
        self._watch.save()
        self._audience.ended(self._so_far())

    def _so_far(self, *, finished: bool = False, spent: float | None = None) -> Tuned:
        return Tuned(
            search=self.search,
            budget=self._budget,
            folder=self.folder,
            facts=self._facts,
            trials=tuple(self._trials),
            finalists=tuple(self._finalists),
            scorings=tuple(self._scorings),
            spent=self._watch.spent if spent is None else spent,
            ending=self._ending,
            finished=finished,
        )

    def _finish(self) -> Tuned:
        self._watch.save()
        tuned = self._so_far(finished=True)
        outcome = {
            "asked": asdict(self._budget),
            "ending": self._ending,
            "spent": round(tuned.spent, 1),
            "winner": None if tuned.winner is None else tuned.winner.trial.number,
            "finalists": [
                {"trial": one.trial.number, "again": [asdict(each) for each in one.again]}
                for one in self._finalists
            ],
            "scorings": [asdict(one) for one in self._scorings],
        }
        atomic.write_text(
            self.folder / OUTCOME, json.dumps(outcome, indent=1, ensure_ascii=False) + "\n"
        )
        return tuned

    def _read_outcome(self) -> dict[str, Any] | None:
        path = self.folder / OUTCOME
        if not path.exists():
            return None
        try:
            outcome: dict[str, Any] = json_of(path.read_bytes())
            self._scorings = [
                Scoring(**{**one, "runs": tuple(one["runs"])}) for one in outcome["scorings"]
            ]
            self._finalists = [
                Finalist(self._trials[one["trial"]], tuple(Again(**each) for each in one["again"]))
                for one in outcome["finalists"]
            ]
            self._ending = outcome["ending"]
            float(outcome["spent"])
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise SentilabError(f"{path}: not a search's outcome ({shown(error)}).") from error
        return outcome

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return {
            "search": self.search.to_json(),
            "data": self.preparation.dataset.told(),
            "environment": environment(),
        }
