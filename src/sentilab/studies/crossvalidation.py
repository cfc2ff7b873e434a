"""Cross-validation: every text is answered by models that were trained on the other folds.

The runs are ordinary run folders, one for each setting, seed and fold; crossvalidation.json holds what
they tell together, and out-of-fold/ their answers to all texts in the data's order.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sentilab import atomic
from sentilab.compare import (
    Difference,
    Interval,
    accuracy_interval,
    accuracy_over_seeds,
    difference_of,
)
from sentilab.errors import ModelCannotTrain, SentilabError, SettingsError
from sentilab.studies.plan import Plan, plan
from sentilab.studies.spec import StudySpec
from sentilab.training import (
    Listener,
    Predictions,
    Preparation,
    Protocol,
    RunFolder,
    TrainingDiverged,
    seconds_of,
    train,
)
from sentilab.training.folds import gathered
from sentilab.training.task import Training

FACTS = "crossvalidation.json"
ANSWERS = "out-of-fold"


@dataclass(frozen=True)
class Validated:
    """One setting over all folds: the mean accuracy of its seeds on all texts, and its interval.

    With one seed the interval is Wilson's, over the choice of texts; with more it covers new seeds too.
    Neither covers another choice of training texts: any two models share most of theirs, which also
    leaves their answers not quite independent. For the variance that this hides no unbiased estimate
    exists (Bengio and Grandvalet 2004).

    ``by_fold`` has the accuracy on each fold, the mean of the seeds; ``seconds`` is all training.
    """

    name: str
    title: str
    accuracy: float
    interval: Interval
    by_fold: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class CrossValidated:
    """``texts`` were answered with ``seeds``; ``differences`` are the others less the first setting.

    ``failed`` has the reason of each setting that could not be trained.
    """

    folds: int
    seeds: tuple[int, ...]
    protocol: Protocol
    texts: int
    settings: tuple[Validated, ...]
    differences: Mapping[str, Difference]
    failed: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class CrossValidation:
    """The runs of ``spec`` on each of ``folds`` folds; ``plans`` has one plan a fold."""

    spec: StudySpec
    preparation: Preparation
    folder: Path
    protocol: Protocol
    seeds: tuple[int, ...]
    plans: tuple[Plan, ...]

    @classmethod
    def prepare(
        cls,
        spec: StudySpec,
        preparation: Preparation,
        folder: Path,
        *,
        folds: int = 10,
        protocol: Protocol | None = None,
        seeds: Sequence[int] | None = None,
        only: Sequence[str] = (),
    ) -> "CrossValidation":
        """``protocol`` is by default "holdout" if a run stops early, for which it needs validation texts.

        Else it is "notebook": nothing is chosen, and all of the other folds trains.

        Raises SettingsError for early stopping under "notebook", which would watch the fold that is
        tested, and as ``plan`` does.
        """
        watching = [one.name for one in spec.runs if _watches(one.settings.to_dict())]
        chosen = protocol or ("holdout" if watching else "notebook")
        if chosen == "validation":
            raise SettingsError("A cross-validation tests on folds; take notebook or holdout.")
        if chosen == "notebook" and watching:
            raise SettingsError(
                f"{watching[0]} stops early, and under the notebook protocol would watch the very texts "
                "that it is tested on.\n  Take the holdout protocol."
            )
        plans = []
        for fold in range(1, folds + 1):
            runs = tuple(
                replace(one, settings=replace(one.settings, folds=folds, fold=fold))
                for one in spec.runs
            )
            plans.append(
                plan(
                    replace(spec, runs=runs),
                    folder,
                    preparation.dataset.fingerprint,
                    protocols=(chosen,),
                    seeds=seeds,
                    only=only,
                )
            )
        return cls(spec, preparation, folder, chosen, tuple(seeds or spec.seeds), tuple(plans))

    def unfinished(self) -> tuple[Training, ...]:
        """The trainings that have not ended yet, one way or another, fold by fold."""
        return tuple(one for each in self.plans for one in each.trainings if not _ended(one.folder))

    def carry_out(self, announce: Callable[[Training, int, int], Listener]) -> CrossValidated:
        """Trains what is missing, and says what all runs tell together.

        A setting that cannot be trained is left out, with its reason. Raises SentilabError if another
        process is at work on the same folder, or no setting could be trained.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic.alone(self.folder, "cross-validation"):
            atomic.sweep(self.folder)
            missing = self.unfinished()
            for number, training in enumerate(missing, start=1):
                donor = training.continues
                with suppress(ModelCannotTrain, TrainingDiverged):
                    train(
                        training.settings,
                        self.preparation.examples(training.settings),
                        training.folder,
                        listener=announce(training, number, len(missing)),
                        continue_from=RunFolder(donor).state if donor else None,
                        keep_state=training.keep_state,
                        pretrainings=self.folder.parent / "pretraining",
                    )
                needed = {one.continues for one in missing[number:]}
                for one in missing[:number]:
                    if one.folder not in needed:
                        RunFolder(one.folder).state.unlink(missing_ok=True)
            found = self._results()
            atomic.write_text(self.folder / FACTS, json.dumps(found.to_json(), indent=1) + "\n")
            return found

    def _results(self) -> CrossValidated:
        partitions = [self.preparation.partition(one.runs[0].settings) for one in self.plans]
        rows = np.sort(np.concatenate([one.test for one in partitions]))
        ids = [self.preparation.dataset.ids[row] for row in rows]
        settings, answers, failed = [], {}, {}
        for name, title in dict.fromkeys(
            (one.name.partition("@")[0], one.title) for one in self.plans[0].runs
        ):
            # By seed, and then by fold.
            runs = [
                [
                    RunFolder(one.folder)
                    for each in self.plans
                    for one in each.runs
                    if one.name == full
                ]
                for full in (f"{name}@{self.protocol}-{seed}" for seed in self.seeds)
            ]
            reason = _reason([one for each in runs for one in each])
            if reason:
                failed[name] = reason
                continue
            answers[name] = [gathered(each, ids) for each in runs]
            for seed, pooled in zip(self.seeds, answers[name], strict=True):
                plain = re.sub(r"[^\w.+-]", "-", name)
                kept = RunFolder(self.folder / ANSWERS / f"{plain}-{seed}")
                kept.write_predictions(pooled, self.preparation.dataset.label_names)
            settings.append(_validated(name, title, answers[name], runs))
        if not settings:
            name, reason = next(iter(failed.items()))
            raise SentilabError(f"No setting could be trained on every fold. {name}: {reason}")
        first, *others = answers.items()
        return CrossValidated(
            folds=len(self.plans),
            seeds=self.seeds,
            protocol=self.protocol,
            texts=len(ids),
            settings=tuple(settings),
            differences={name: difference_of(first[1], one) for name, one in others},
            failed=failed,
        )


def _validated(
    name: str,
    title: str,
    pooled: Sequence[Predictions],
    runs: Sequence[Sequence[RunFolder]],
) -> Validated:
    correct = np.stack([one.correct for one in pooled])
    interval = (
        accuracy_interval(int(correct.sum()), correct.shape[1])
        if len(correct) == 1
        else accuracy_over_seeds(correct)
    )
    by_fold = np.asarray([[one.predictions().correct.mean() for one in each] for each in runs])
    return Validated(
        name,
        title,
        float(correct.mean()),
        interval,
        tuple(by_fold.mean(axis=0).tolist()),
        seconds_of(one for each in runs for one in each),
    )


def _reason(runs: Sequence[RunFolder]) -> str:
    """Why the first of these that could not be trained could not; "" if there is none."""
    for one in runs:
        result = one.read_json("result.json") or {"status": "missing"}
        if result["status"] != "finished":
            return str(result.get("reason", result["status"]))
    return ""


def _watches(settings: Any) -> bool:
    """Whether a run, or a member of an ensemble, stops early."""
    if isinstance(settings, Mapping):
        return "early_stopping" in settings or any(map(_watches, settings.values()))
    return isinstance(settings, list | tuple) and any(map(_watches, settings))


def _ended(folder: Path) -> bool:
    return (folder / "result.json").exists()
