"""The best model that a budget of time can buy: candidates from cheap to dear, one of them chosen.

Every candidate is trained under the protocol "validation", so that nothing of the test part is read
while there is a choice. Before one starts, its time is estimated from a few measured batches; it is
left out where that would not leave enough for the last step, and stopped where it takes longer. The
most accurate on the validation texts is taken: the budget says already what it may cost. Its test
texts are then scored once, with the weights that are there.
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from sentilab import atomic
from sentilab.errors import SentilabError, SettingsError
from sentilab.readable import json_of, misfit, printable
from sentilab.studies.plan import Named, Plan
from sentilab.studies.presets import Preset
from sentilab.studies.records import EpochMetrics, Question, StudyResults
from sentilab.studies.spec import PlannedRun, StudySpec
from sentilab.studies.study import Announce, Study, read_results
from sentilab.training import (
    Listener,
    Preparation,
    RunFolder,
    RunSettings,
    Step,
    train,
)
from sentilab.training.ensembling import ensemble_settings
from sentilab.training.pace import Pace, measure
from sentilab.training.progress import LanguageEpoch, LanguageStep
from sentilab.training.rejudging import judge_on_test
from sentilab.training.task import Training

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
LEDGER = "budget.json"
ENSEMBLE = "ensemble"

# Estimates come from a few batches on a machine that may be busier later.
SAFETY = 1.15
# Loading and compiling a model of which nothing is measured yet.
UNMEASURED_SECONDS = 3.0
# Members of the ensemble: so many at most, none further below the best.
MEMBERS, MEMBERS_WITHIN = 3, 0.03

What = Literal["trained", "left out", "stopped", "failed"]


@dataclass(frozen=True)
class Budget:
    """``text`` as it was given, such as "10m", and the ``seconds`` that it means."""

    text: str
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """A number with its unit: 90s, 10m, 1.5h. Raises SettingsError for anything else."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([smh])\s*", text)
        if found is None:
            raise SettingsError(
                f'The budget "{text}" is no time: it must be a number with a unit, s, m or h, '
                "as in 90s, 10m or 1.5h."
            )
        seconds = float(found[1]) * UNITS[found[2]]
        if seconds <= 0:
            raise SettingsError(f'The budget "{text}" leaves no time for anything.')
        return cls(found[1] + found[2], seconds)


@dataclass(frozen=True)
class Outcome:
    """What became of a candidate.

    Seconds: ``estimate`` for training it, ``left`` of the budget when that was decided, ``start`` for
    loading and compiling it again.
    """

    candidate: str
    what: What
    left: float
    estimate: float | None = None
    start: float = UNMEASURED_SECONDS
    reason: str = ""


FORM_OF_LEDGER = {"spent?": float, "outcomes": [dict], "members?": [str], "chosen?": str}


@dataclass
class Ledger:
    """What was spent, tried and chosen; ``budget.json`` in the study's folder."""

    path: Path
    spent: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    chosen: str = ""

    @classmethod
    def read(cls, path: Path) -> "Ledger":
        """As it was left; empty where there is none yet. Raises SentilabError for a damaged file."""
        if not path.exists():
            return cls(path)
        try:
            content = json_of(path.read_bytes())
            if fault := misfit(content, FORM_OF_LEDGER):
                raise ValueError(fault)
            outcomes = [Outcome(**one) for one in content.pop("outcomes")]
            return cls(path, outcomes=outcomes, **content)
        except (OSError, ValueError, TypeError) as error:
            raise SentilabError(
                f"{path}: not what a budget's study left ({printable(str(error))}); remove {path.parent}."
            ) from error

    def write(self) -> None:
        content = {key: value for key, value in asdict(self).items() if key != "path"}
        atomic.write_text(self.path, json.dumps(content, indent=1) + "\n")

    def of(self, candidate: str) -> Outcome | None:
        return next((one for one in self.outcomes if one.candidate == candidate), None)

    @property
    def trained(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.what == "trained"]


class OutOfTime(SentilabError):
    """A candidate takes longer than was estimated, and its training was stopped."""


@dataclass
class BudgetedStudy:
    """``presets`` are the candidates, cheapest first; ``folder`` holds their runs and the report.

    ``began`` is the time at which the budget began to run, by ``clock`` (seconds).
    """

    budget: Budget
    preparation: Preparation
    folder: Path
    presets: Sequence[Preset]
    seed: int
    began: float
    clock: Callable[[], float] = time.monotonic
    _encoding: float = 0.0
    _reporting: float = 0.0
    _measuring: float = 0.0

    def __post_init__(self) -> None:
        self._ledger = Ledger.read(self.folder / LEDGER)
        self._before = self._ledger.spent

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        chosen = self._ledger.chosen
        return bool(chosen) and self._is_finished(self._final(chosen))

    @property
    def final_folder(self) -> Path:
        """The run that was chosen, judged on the test texts. Raises SentilabError before that."""
        if not self.finished:
            raise SentilabError(f"{self.folder}: the budget is not spent yet.")
        return self._folder(self._final(self._ledger.chosen))

    @property
    def left(self) -> float:
        """Seconds of the budget that are not spent yet."""
        return self.budget.seconds - self._before - (self.clock() - self.began)

    def carry_out(
        self, announce: Announce, after_each: Callable[[StudyResults], None]
    ) -> StudyResults:
        """Trains what the budget allows, chooses, scores the test texts of the one chosen.

        ``after_each`` hears the results after each candidate. What was done before is not done again.
        Raises SentilabError if another process is at work on the same folder, or no candidate could
        be trained.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic.alone(self.folder, "study"):
            atomic.sweep(self.folder)
            if not self.finished:
                if not self._ledger.chosen:
                    self._try_all(announce, after_each)
                    self._choose()
                self._score_test()
                self._spend()
                self._study().write_facts()
            return read_results(self.folder)

    def notes(self) -> list[str]:
        """What a person should know of how the budget was spent, in sentences."""
        ledger = self._ledger
        found = [_told(one) for one in ledger.outcomes if one.what != "trained"]
        if len(ledger.trained) == 1 and len(self.presets) > 1:
            found.append(
                f"The budget of {self.budget.text} is too small for more than the cheapest candidate, "
                f"{ledger.trained[0].candidate}. Give it more time for a better model."
            )
        if ledger.spent > self.budget.seconds:
            found.append(
                f"{ledger.spent:.0f} s were used, more than the budget of {self.budget.text}: reading the "
                "data, the cheapest candidate and the report take as long."
            )
        return found

    def _try_all(self, announce: Announce, after_each: Callable[[StudyResults], None]) -> None:
        self._study().write_facts()
        for number, preset in enumerate(self.presets, start=1):
            if self._ledger.of(preset.name) is None:
                self._try(preset, number, announce)
                self._report(after_each)
        if self._ledger.of(ENSEMBLE) is None and len(self._best_members()) > 1:
            self._try_ensemble(announce)
            self._study().write_facts()
            self._report(after_each)

    def _report(self, after_each: Callable[[StudyResults], None]) -> None:
        started = self.clock()
        after_each(read_results(self.folder))
        self._reporting = max(self._reporting, self.clock() - started)
        self._spend()

    def _try(self, preset: Preset, number: int, announce: Announce) -> None:
        settings = self._settings(preset.name)
        started = self.clock()
        examples = self.preparation.examples(settings)
        self._encoding = max(self._encoding, self.clock() - started)
        done = len(RunFolder(self._folder(settings)).history())
        estimate, pace = None, None
        if self._ledger.trained:
            if self.left - self._reserve() <= self._measuring:
                self._decide(Outcome(preset.name, "left out", self.left))
                return
            started = self.clock()
            pace = measure(settings, examples)
            self._measuring = max(self._measuring, self.clock() - started)
            if pace is not None:
                epochs = settings.epochs - done
                work = pace.pretraining + epochs * pace.epoch(settings, examples)
                estimate = SAFETY * (pace.start + work)
                after = max(self._reserve(), self._last_step(pace))
                if estimate + after > self.left:
                    self._decide(Outcome(preset.name, "left out", self.left, estimate))
                    return
        training = Training(settings, self._folder(settings), None, False)
        listener = announce(training, number, len(self.presets))
        self._train(preset.name, training, estimate, pace, listener)

    def _train(
        self,
        name: str,
        training: Training,
        estimate: float | None,
        pace: Pace | None,
        listener: Listener,
    ) -> None:
        left = self.left
        start = pace.start if pace else UNMEASURED_SECONDS
        what, reason = "trained", ""
        try:
            train(
                training.settings,
                self.preparation.examples(training.settings),
                training.folder,
                listener=_Watch(self, listener, training.settings, bool(self._ledger.trained)),
            )
        except OutOfTime:
            what = "stopped"
        except SentilabError as error:  # one that cannot be trained leaves the others their chance
            what, reason = "failed", str(error).partition("\n")[0]
        if what == "stopped":
            RunFolder(training.folder).state.unlink(missing_ok=True)
        self._decide(Outcome(name, what, left, estimate, start, reason))  # type: ignore[arg-type]

    def _try_ensemble(self, announce: Announce) -> None:
        members = self._best_members()
        settings = self._ensemble(members)
        runs = [RunFolder(self._folder(self._settings(one))) for one in members]
        examples = self.preparation.examples(settings)
        texts = len(examples.train.labels) + len(examples.validation.labels)
        a_thousand = sum((one.prediction_ms() or 0.0) / 1e3 for one in runs)
        start = sum(one.start for one in self._ledger.trained if one.candidate in members)
        estimate = SAFETY * (start + a_thousand * texts / 1e3)
        last = start + a_thousand * self._test_texts / 1e3
        if estimate + max(self._reserve(), self._after(last)) > self.left:
            self._decide(Outcome(ENSEMBLE, "left out", self.left, estimate, start))
            return
        self._ledger.members = members
        training = Training(settings, self._folder(settings), None, False)
        pace = Pace(0.0, 0.0, start)
        listener = announce(training, len(self.presets) + 1, len(self.presets) + 1)
        self._train(ENSEMBLE, training, estimate, pace, listener)

    def _best_members(self) -> list[str]:
        """The most accurate candidates of different answers, best first."""
        scores = {
            one.candidate: self._accuracy(one.candidate)
            for one in self._ledger.trained
            if one.candidate != ENSEMBLE and not self._says_one_thing(one.candidate)
        }
        best = max(scores.values(), default=0.0)
        close = [name for name, score in scores.items() if score >= best - MEMBERS_WITHIN]
        return sorted(close, key=lambda name: -scores[name])[:MEMBERS]

    def _says_one_thing(self, candidate: str) -> bool:
        answers = RunFolder(self._folder(self._settings(candidate))).predictions().probabilities
        return len(np.unique(answers.argmax(axis=1))) == 1

    def _choose(self) -> None:
        """The most accurate on validation texts; of equals the one that is cheaper to train."""
        trained = [one.candidate for one in self._ledger.trained]
        if not trained:
            reasons = "; ".join(_told(one) for one in self._ledger.outcomes)
            raise SentilabError(f"No candidate could be trained. {reasons}")
        self._ledger.chosen = max(trained, key=self._accuracy)
        self._spend()

    def _score_test(self) -> None:
        final = self._final(self._ledger.chosen)
        judge_on_test(
            self._folder(self._settings(self._ledger.chosen)),
            self.preparation.examples(final),
            self._folder(final),
        )

    def _accuracy(self, candidate: str) -> float:
        predictions = RunFolder(self._folder(self._settings(candidate))).predictions()
        return float(predictions.correct.mean())

    def _reserve(self) -> float:
        """Seconds that the last step takes, whichever of those trained is chosen."""
        return self._after(
            max(
                one.start
                + (RunFolder(self._folder(self._settings(one.candidate))).prediction_ms() or 0.0)
                * self._test_texts
                / 1e6
                for one in self._ledger.trained
            )
        )

    def _last_step(self, pace: Pace) -> float:
        return self._after(pace.start + pace.scoring * self._test_texts / 256)

    def _after(self, scoring: float) -> float:
        """With the encoding of the texts and the writing of the report."""
        return SAFETY * (scoring + 2 * self._encoding + 2 * self._reporting)

    @property
    def _test_texts(self) -> int:
        """How many texts the test part has, of which nothing else is asked."""
        return len(self.preparation.partition(self._final(self.presets[0].name)).test)

    def _decide(self, outcome: Outcome) -> None:
        self._ledger.outcomes.append(outcome)
        self._spend()

    def _spend(self) -> None:
        self._ledger.spent = self.budget.seconds - self.left
        self._ledger.write()

    def _settings(self, candidate: str) -> RunSettings:
        if candidate == ENSEMBLE:
            return self._ensemble(self._ledger.members)
        preset = next(one for one in self.presets if one.name == candidate)
        return replace(preset.settings, protocol="validation", seed=self.seed)

    def _ensemble(self, members: Sequence[str]) -> RunSettings:
        return ensemble_settings([self._settings(one) for one in members])

    def _final(self, candidate: str) -> RunSettings:
        return replace(self._settings(candidate), protocol="holdout")

    def _folder(self, settings: RunSettings) -> Path:
        return self.folder / settings.folder_name(self.preparation.dataset.fingerprint)

    def _is_finished(self, settings: RunSettings) -> bool:
        result = RunFolder(self._folder(settings)).read_json("result.json")
        return bool(result) and result.get("status") == "finished"

    def _study(self) -> Study:
        """The study as it stands: every candidate while there is a choice, then those trained."""
        ledger = self._ledger
        names = [one.candidate for one in ledger.trained]
        if not ledger.chosen:
            names = [one.name for one in self.presets] + [one for one in names if one == ENSEMBLE]
        runs = [self._named(name, self._settings(name)) for name in names]
        if ledger.chosen:
            runs.append(self._named(ledger.chosen, self._final(ledger.chosen)))
        name = self.preparation.dataset.name
        spec = StudySpec(
            name=self.folder.name,
            title=f"The best model for {name} within {self.budget.text}",
            description=self._description(),
            source=name,
            protocols=("validation", "holdout"),
            seeds=(self.seed,),
            runs=tuple(PlannedRun(name, name, self._settings(name)) for name in names),
            questions=(
                Question(
                    "frontier",
                    "The model to take",
                    f"Which model is the best that {self.budget.text} can buy, and what does accuracy cost?",
                    tuple(names),
                    baseline=ledger.chosen or None,
                ),
                Question("data", "The data", "How are the training data represented?"),
            ),
            path=Path(),
        )
        return Study(spec, Plan(tuple(runs), ()), self.preparation, self.folder)

    def _named(self, name: str, settings: RunSettings) -> Named:
        full = f"{name}@{settings.protocol}-{settings.seed}"
        return Named(full, name, settings, None, self._folder(settings))

    def _description(self) -> str:
        if not self._ledger.chosen:
            return f"A budget of {self.budget.text} is being spent."
        return " ".join(
            [
                f"Of a budget of {self.budget.text}, {self._ledger.spent:.0f} s were used.",
                *self.notes(),
            ]
        )


def _told(one: Outcome) -> str:
    about = "" if one.estimate is None else f"it takes about {one.estimate:.0f} s, and "
    if one.what == "left out":
        few = "" if about else ", too few to begin"
        return f"Left out, {one.candidate}: {about}{max(one.left, 0):.0f} s were left{few}."
    if one.what == "stopped":
        return f"Stopped, {one.candidate}: it takes longer than the {one.estimate:.0f} s estimated."
    return f"Not trained, {one.candidate}: {one.reason}"


class _Watch:
    """A listener that ends a training which would overrun; ``strict`` says whether it may."""

    def __init__(
        self, study: BudgetedStudy, inner: Listener, settings: RunSettings, strict: bool
    ) -> None:
        self._study, self._inner, self._strict = study, inner, strict
        self._epochs = settings.epochs if settings.early_stopping is None else 0

    def on_resume(self, epochs_done: int, source: str) -> None:
        self._inner.on_resume(epochs_done, source)

    def on_language_step(self, step: LanguageStep) -> None:
        self._inner.on_language_step(step)
        self._check(0.0)

    def on_language_epoch(self, measured: LanguageEpoch, epochs: int, seconds: float) -> None:
        self._inner.on_language_epoch(measured, epochs, seconds)
        self._study._spend()

    def on_pass(self, done: int, passes: int) -> None:
        self._inner.on_pass(done, passes)
        self._check(0.0)

    def on_step(self, step: Step) -> None:
        self._inner.on_step(step)
        self._check(0.0)

    def on_validate(self, epoch: int) -> None:
        self._inner.on_validate(epoch)

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        self._inner.on_epoch(metrics, epochs, seconds)
        self._study._spend()
        if metrics.epoch < epochs:
            self._check(max(self._epochs - metrics.epoch, 0) * seconds)

    def _check(self, needed: float) -> None:
        if self._strict and self._study.left < needed + self._study._reserve():
            raise OutOfTime("There is no time left for this candidate.")
