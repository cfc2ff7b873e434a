"""A search from its first trial to the test score.

The test texts are read once: by the winner's runs, after everything has been chosen. All other
runs are under the protocol "validation", which does not hand them out.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sentilab import atomic
from sentilab.engines import Outcome, Scheduler, Silent, Status, Told, carry_out
from sentilab.errors import ModelCannotTrain, SentilabError
from sentilab.readable import json_of, shown
from sentilab.training import (
    Crew,
    Listener,
    Preparation,
    RunFolder,
    RunSettings,
    Training,
    TrainingDiverged,
    train,
)
from sentilab.training.environment import environment
from sentilab.training.task import SHARE, task_of, tell
from sentilab.tune import task as tasks
from sentilab.tune import trials as records
from sentilab.tune.clock import Clock, Stopwatch
from sentilab.tune.proposals import propose
from sentilab.tune.records import TRIALS, Again, Ending, Finalist, Scoring, Tuned, best_of
from sentilab.tune.settings import Budget, Search
from sentilab.tune.trials import Trial, ranked

FACTS, OUTCOME, TIME = "tune.json", "outcome.json", "spent.json"

# The most of a time budget that is kept for the finalists and the winner.
MOST_RESERVED = 0.5


class Audience(Protocol):
    """Hears of a search's progress."""

    def begins(self, what: str, settings: RunSettings, chosen: dict[str, Any]) -> Listener:
        """A training, such as "trial 3", begins; ``chosen`` are its settings that were searched."""

    def ended(self, so_far: Tuned, trial: Trial | None) -> None:
        """A training has ended: that of ``trial``, or, if it is None, of a finalist or the winner."""


@dataclass(frozen=True)
class _Rerun:
    """A training of a trial's settings with another seed, or for the test texts."""

    what: str
    trial: Trial
    settings: RunSettings
    run: RunFolder


@dataclass
class _Together(Silent):
    """Passes on what workers tell of trainings, by their runs."""

    announce: Callable[[str], Listener]
    over: Callable[[str, Outcome], None]
    mend: Callable[[], None]
    _listeners: dict[str, Listener] = field(default_factory=dict)

    def started(self, status: Status) -> None:
        self._listeners[status.task.key] = self.announce(status.task.key)

    def told(self, status: Status, told: Told) -> None:
        tell(self._listeners[status.task.key], told)

    def spoilt(self, status: Status, outcome: Outcome) -> None:
        if outcome.ending == "trouble":  # of damaged data, it may be
            with suppress(OSError):
                self.mend()

    def ended(self, status: Status) -> None:
        self._listeners.pop(status.task.key, None)
        assert status.outcome is not None
        self.over(status.task.key, status.outcome)


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
    _crew: Crew | None = None

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

    def carry_out(self, budget: Budget, audience: Audience, crew: Crew | None = None) -> Tuned:
        """Searches until the budget is spent, and scores the winner's test texts.

        With a ``crew`` trainings are done by its workers, as many at once as the search allows. What was done
        before is not done again: a search that was interrupted goes on, also with the trials that were under
        way, one that has finished is returned as it is, and one that is given more than before goes on
        from its last trial.

        Raises ModelCannotTrain, SentilabError if no trial comes to an end or if another process is
        at work on the same folder.
        """
        with atomic.alone(self.folder, "search"):
            self._watch = Stopwatch(self.folder / TIME, self.clock)
            self._budget, self._audience, self._crew = budget, audience, crew
            self._trials = records.read(self.folder)
            outcome = self._read_outcome()
            if outcome is not None and outcome.get("asked") == asdict(budget):
                return self._so_far(finished=True, spent=outcome["spent"])
            self._ending = ""
            share = self.folder / SHARE
            try:
                if crew is not None:
                    self.preparation.write_shared(share)
                    self._search_together(crew)
                else:
                    self._search()
                self._rerun()
                self._score()
            finally:
                shutil.rmtree(share, ignore_errors=True)
            return self._finish()

    def _search(self) -> None:
        while (trial := self._begun()) is not None:
            self._ended(self._try(trial))

    def _search_together(self, crew: Crew) -> None:
        """The same, with several trials under way."""
        begun: dict[str, tuple[Trial, float]] = {}

        def more(scheduler: Scheduler) -> None:
            while (trial := self._begun(begun)) is not None:
                run = RunFolder(self.folder / TRIALS / trial.run)
                begun[trial.run] = (trial, self._watch.spent - sum(run.seconds()))
                left = self._deadline() - self._watch.spent if self._best() else None
                task = tasks.task_of(
                    self.search,
                    trial,
                    self._known(trial.number),
                    crew,
                    run.path,
                    self.folder / SHARE,
                    None if left is None or left == np.inf else max(0.0, left),
                )
                scheduler.add(task)

        def ended(run: str, outcome: Outcome) -> None:
            trial, began = begun[run]
            result = outcome.result
            if result is None:
                if not self._known(trial.number):
                    raise SentilabError(outcome.reason)
                done = replace(trial, state="failed", reason=outcome.reason)
            elif "cannot_train" in result:
                raise ModelCannotTrain(result["cannot_train"])
            else:
                done = tasks.trial_of(result)
            self._ended(replace(done, seconds=round(self._watch.spent - began, 1)))

        settings = {one.run: one for one in self._trials}

        def announce(run: str) -> Listener:
            trial = begun[run][0] if run in begun else settings[run]
            return self._announced(trial)

        carry_out([], crew.pool, _Together(announce, ended, self._mend_share), more=more)

    def _begun(self, under_way: Mapping[str, Any] | None = None) -> Trial | None:
        """The next trial to be made, on disk already; None if it must wait for others, or there is none.

        ``under_way`` are those of this command that have begun, by their runs.
        """
        if self._ending in ("time", "exhausted"):
            return None
        known = under_way or {}
        for one in self._trials:
            if not one.ended and one.run not in known:
                return one
        number = len(self._trials)
        if any(not one.ended for one in self._known(number)) or self._enough():
            return None
        trial = self._next()
        if trial is None:
            self._ending = "exhausted"
            return None
        # On disk before it begins: what is under way can be seen, and goes on after a kill.
        self._trials = [*self._trials, trial]
        records.write(self.folder, self._trials)
        return trial

    def _known(self, number: int) -> list[Trial]:
        """The trials that one of this number is proposed and judged by."""
        return self._trials[: max(0, number - self.search.parallel + 1)]

    def _ended(self, trial: Trial) -> None:
        self._trials[trial.number] = trial
        records.write(self.folder, self._trials)
        self._drop_weights()
        self._heard(trial)
        if trial.state == "stopped":
            self._ending = "time"

    def _announced(self, trial: Trial) -> Listener:
        settings = self.search.run_settings(trial.settings)
        return self._audience.begins(f"trial {trial.number + 1}", settings, trial.settings)

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
        known = self._known(number)
        chosen = propose(self.search, known, number, self._trials[len(known) :])
        if chosen is None:
            return None
        return Trial(number, chosen, self._name(self.search.run_settings(chosen)))

    def _try(self, trial: Trial) -> Trial:
        run = RunFolder(self.folder / TRIALS / trial.run)
        began = self._watch.spent - sum(run.seconds())
        ended = tasks.attempt(
            self.search,
            trial,
            self._known(trial.number),
            self.preparation,
            run,
            self._announced(trial),
            lambda: bool(self._best()) and self._watch.spent > self._deadline(),
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
            self._train(
                _Rerun(
                    f"trial {one.number + 1} again, seed {self.search.seed + number}",
                    one,
                    *self._run_again(one, number),
                )
                for one in best
            )
            self._finalists = [
                replace(one, again=(*one.again, self._again(one.trial, number)))
                for one in self._finalists
            ]
            if not any(one.moves for one in self._finalists):
                return

    def _again(self, trial: Trial, number: int) -> Again:
        settings, run = self._run_again(trial, number)
        kept = (run.read_json("result.json") or {}).get("kept", {})
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
        together = self.search.parallel
        asked = [self._final(winner.trial, number + 1) for number in range(self._final_seeds())]
        for some in (asked[at : at + together] for at in range(0, len(asked), together)):
            late = self._too_late_for(self._typical([winner.trial]))
            if names and late and not all(self._is_done(one.run) for one in some):
                break
            self._train(some)
            for one in some:
                result = one.run.read_json("result.json") or {}
                if result.get("status") != "finished":
                    raise TrainingDiverged(result.get("reason", f"{one.what} did not end."))
                names.append(one.run.path.name)
        self._scorings.append(
            Scoring(winner.trial.number, winner.trial.settings, len(self._trials), tuple(names))
        )

    def _final(self, trial: Trial, number: int) -> "_Rerun":
        """One of the winner's runs, numbered from 1, whose test texts are scored."""
        seed = self.search.seed + number
        settings = self.search.run_settings(trial.settings, seed=seed, protocol="holdout")
        run = RunFolder(self.folder / self._name(settings))
        return _Rerun(f"the winner, seed {seed}", trial, settings, run)

    def _final_seeds(self) -> int:
        """How many seeds the winner is scored with: one, if the seed changes nothing."""
        same = any(one.again for one in self._finalists) and not any(
            one.moves for one in self._finalists
        )
        return 1 if same else self.search.seeds

    def _train(self, several: Iterable["_Rerun"]) -> None:
        """Trains to the end what is not done; one that diverges says so in its folder."""
        missing = [one for one in several if not self._is_done(one.run)]
        if self._crew is not None:
            self._train_together(missing, self._crew)
            return
        for one in missing:
            listener = self._audience.begins(one.what, one.settings, one.trial.settings)
            self.preparation.forget_other_than(one.settings)
            with suppress(TrainingDiverged):
                examples = self.preparation.examples(one.settings)
                train(one.settings, examples, one.run.path, listener=listener)
            self._heard()

    def _train_together(self, missing: Sequence["_Rerun"], crew: Crew) -> None:
        by_run = {one.run.path.name: one for one in missing}

        def announce(run: str) -> Listener:
            one = by_run[run]
            return self._audience.begins(one.what, one.settings, one.trial.settings)

        def ended(run: str, outcome: Outcome) -> None:
            if outcome.result is None:
                by_run[run].run.write_json(
                    "result.json", {"status": "failed", "reason": outcome.reason}
                )
            self._heard()

        carry_out(
            [
                task_of(
                    Training(one.settings, one.run.path, None, False),
                    crew,
                    share=self.folder / SHARE,
                    pretrainings=one.run.path.parent / "pretraining",
                )
                for one in missing
            ],
            crew.pool,
            _Together(announce, ended, self._mend_share),
        )

    def _mend_share(self) -> None:
        self.preparation.mend_shared(self.folder / SHARE)

    @staticmethod
    def _is_done(run: RunFolder) -> bool:
        return bool((run.read_json("result.json") or {}).get("status") == "finished")

    def _too_late_for(self, seconds: float) -> bool:
        budget = self._budget.seconds
        return budget is not None and self._watch.spent + seconds > budget

    def _best(self) -> list[Trial]:
        return ranked(self._trials, maximised=self.search.maximised)

    def _typical(self, trials: Sequence[Trial] | None = None) -> float:
        """Seconds of a trial, by the median of ``trials`` or of all that have ended."""
        over = [one for one in self._trials if one.state != "running"]
        seconds = [one.seconds for one in (over if trials is None else trials)]
        return float(np.median(seconds)) if seconds else 0.0

    def _deadline(self) -> float:
        """The seconds spent from which on no trial is begun: what follows needs the rest."""
        if self._budget.seconds is None:
            return np.inf
        best = self._best()[: self.search.finalists]
        runs = self.search.seeds * (len(best) + 1)
        needed = runs * self._typical(best)
        return self._budget.seconds - min(needed, MOST_RESERVED * self._budget.seconds)

    def _name(self, settings: RunSettings) -> str:
        return settings.folder_name(self.preparation.dataset.fingerprint)

    def _drop_weights(self) -> None:
        """Leaves the best trials their weights: all trials' would fill a disk."""
        for one in self._best()[self.search.finalists :]:
            run = RunFolder(self.folder / TRIALS / one.run)
            for file in (run.weights, run.model):
                file.unlink(missing_ok=True)

    def _heard(self, trial: Trial | None = None) -> None:
        self._watch.save()
        self._audience.ended(self._so_far(), trial)

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
