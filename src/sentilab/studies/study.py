"""A study from plan to results: trains what is missing, and says what is known."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sentilab import atomic, models
from sentilab.errors import ModelCannotTrain, SentilabError, SettingsError
from sentilab.readable import json_of, misfit, printable, shown
from sentilab.studies import many
from sentilab.studies.plan import Named, Plan, plan
from sentilab.studies.progress import Snapshot
from sentilab.studies.records import Question, Recorded, StudyResults
from sentilab.studies.spec import StudySpec
from sentilab.studies.store import read_run, write_index
from sentilab.text import portrait
from sentilab.training import (
    Examples,
    Kernels,
    Listener,
    Preparation,
    Protocol,
    RunFolder,
    RunSettings,
    TrainingDiverged,
    train,
)
from sentilab.training.environment import environment
from sentilab.training.task import Crew, Training, examples_of

FACTS = "study.json"
FORM_OF_FACTS = {
    "name": str,
    "title": str,
    "description": str,
    "questions": [
        {
            "kind": str,
            "title": str,
            "asks": str,
            "runs": [str],
            "axis?": (str, None),
            "baseline?": (str, None),
            "notebook_says?": str,
        }
    ],
    "protocols": [str],
    "seeds": [int],
    "runs": [
        {
            "name": str,
            "title": str,
            "settings": dict,
            "folder": str,
            "recorded": (dict, None),
        }
    ],
    "data": {
        "name": str,
        "origin": str,
        "label_names": [str],
        "is_generated": bool,
        "notices": [str],
        "portrait": dict,
        "duplicates": dict,
    },
    "environment": dict,
}

Announce = Callable[[Training, int, int], Listener]
"""Called before a training with its number (from 1) and how many there are."""


@dataclass(frozen=True)
class Study:
    """A planned study over prepared data; ``folder`` holds its run folders and report."""

    spec: StudySpec
    plan: Plan
    preparation: Preparation
    folder: Path

    @classmethod
    def prepare(
        cls,
        spec: StudySpec,
        preparation: Preparation,
        folder: Path,
        *,
        protocols: Sequence[Protocol] | None = None,
        seeds: Sequence[int] | None = None,
        only: Sequence[str] = (),
        kernels: Kernels | None = None,
    ) -> "Study":
        """Plans the study; nothing is written yet."""
        planned = plan(
            spec,
            folder,
            preparation.dataset.fingerprint,
            protocols=protocols,
            seeds=seeds,
            only=only,
            kernels=kernels,
        )
        if any(one.settings.kernels == "fused" for one in planned.trainings):
            models.require_fused_kernel()
        return cls(spec, planned, preparation, folder)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Has the folder for this process alone, with study.json as this study is planned.

        Raises SentilabError, and changes nothing, if another process is at work on the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic.alone(self.folder, "study"):
            atomic.sweep(self.folder)
            self.write_facts()
            yield

    def write_facts(self) -> None:
        """Writes study.json, from which ``read_results`` works without data."""
        facts = json.dumps(self._facts(), indent=1, ensure_ascii=False)
        atomic.write_text(self.folder / FACTS, facts)

    def unfinished(self) -> tuple[Training, ...]:
        """The trainings that have not ended yet, one way or another."""
        return tuple(one for one in self.plan.trainings if not _ended(one.folder))

    def carry_out(
        self,
        announce: Announce,
        after_each: Callable[[StudyResults], None],
        crew: Crew | None = None,
        watch: Callable[[Snapshot], None] = lambda _: None,
        *,
        is_alone: bool = False,
    ) -> StudyResults:
        """Does what is left to do; ``after_each`` hears the results after every training.

        With a ``crew`` trainings are done by its workers, several at once, results may be heard of less
        often, and ``watch`` hears several times a second how far all is; else one after the other in this
        process. A model that cannot train or a run that diverges is recorded and does not stop the others.
        ``is_alone``: the caller is within ``alone`` already.

        Raises SentilabError as ``alone`` and ``many.carry_out`` do.
        """
        with nullcontext() if is_alone else self.alone():
            if crew is not None:
                many.carry_out(self, crew, announce, after_each, watch)
            else:
                self._one_by_one(announce, after_each)
            self.drop_spent_states()
            return read_results(self.folder)

    def _one_by_one(self, announce: Announce, after_each: Callable[[StudyResults], None]) -> None:
        missing = self.unfinished()
        for number, training in enumerate(missing, start=1):
            listener = announce(training, number, len(missing))
            donor = training.continues
            # train() writes the reason to the run folder, from where the report shows it.
            with suppress(ModelCannotTrain, TrainingDiverged):
                train(
                    training.settings,
                    self._examples(training),
                    training.folder,
                    listener=listener,
                    continue_from=RunFolder(donor).state if donor else None,
                    keep_state=training.keep_state,
                    pretrainings=self.folder.parent / "pretraining",
                )
            self.drop_spent_states()
            after_each(read_results(self.folder))

    def _examples(self, training: Training) -> Examples:
        run = RunFolder(training.folder)
        return examples_of(training.settings, self.preparation, run, training.teacher)

    def drop_spent_states(self) -> None:
        """Removes the states that no training continues from any more."""
        needed = {one.continues for one in self.unfinished()}
        for one in self.plan.trainings:
            if _ended(one.folder) and one.folder not in needed:
                RunFolder(one.folder).state.unlink(missing_ok=True)

    def _facts(self) -> dict[str, Any]:
        dataset, runs = self.preparation.dataset, self.plan.runs
        protocols = list(dict.fromkeys(one.settings.protocol for one in runs))
        by_protocol = {
            name: next(one.settings for one in runs if one.settings.protocol == name)
            for name in protocols
        }
        first = runs[0].settings
        # What was recorded on the study's own data says nothing about others.
        own_data = dataset.name == self.spec.source
        # Runs judged on validation texts say nothing of the test part; one that was chosen may.
        shown = by_protocol.get("holdout", first) if first.protocol == "validation" else first
        rows = self.preparation.partition(shown)
        # Nobody may be there yet to teach it; its vocabulary is the same without.
        examples = self.preparation.examples(replace(first, teaching=None))
        return {
            "name": self.spec.name,
            "title": self.spec.title,
            "description": self.spec.description,
            "questions": [
                asdict(one if own_data else replace(one, notebook_says=""))
                for one in self.spec.questions
                if _answerable(one, self.plan)
            ],
            "protocols": protocols,
            "seeds": list(dict.fromkeys(one.settings.seed for one in runs)),
            "runs": [
                {
                    "name": one.name,
                    "title": one.title,
                    "settings": one.settings.to_dict(),
                    "recorded": asdict(one.recorded) if one.recorded and own_data else None,
                    "folder": one.folder.name,
                }
                for one in runs
            ],
            "data": {
                **dataset.told(),
                "rejected": dataset.rejected.count,
                "duplicates": {
                    name: self.preparation.partition(settings).duplicates
                    for name, settings in by_protocol.items()
                },
                "portrait": portrait(
                    dataset, self.preparation.tokens, examples.vocabulary, rows.train, rows.test
                ).to_json(),
            },
            "environment": environment(),
        }


def read_results(folder: Path) -> StudyResults:
    """What a study's folder tells, finished or not.

    Raises SentilabError if it is no study's folder.
    """
    path = folder / FACTS
    if not path.exists():
        raise SentilabError(f"{folder}: no study here ({FACTS} is missing).")
    try:
        facts = json_of(path.read_bytes())
        if fault := misfit(facts, FORM_OF_FACTS):
            raise ValueError(fault)
        runs = tuple(
            read_run(
                Named(
                    name=one["name"],
                    title=one["title"],
                    settings=RunSettings.from_dict(one["settings"]),
                    recorded=Recorded(**one["recorded"]) if one["recorded"] else None,
                    folder=folder / _inside(one["folder"]),
                )
            )
            for one in facts["runs"]
        )
        data = facts["data"]
        results = StudyResults(
            name=facts["name"],
            title=facts["title"],
            description=facts["description"],
            questions=tuple(
                Question(**{**one, "runs": tuple(one["runs"])}) for one in facts["questions"]
            ),
            runs=runs,
            protocols=tuple(facts["protocols"]),
            seeds=tuple(facts["seeds"]),
            portrait=data["portrait"],
            data_name=data["name"],
            data_origin=data["origin"],
            label_names=tuple(data["label_names"]),
            is_generated=data["is_generated"],
            notices=tuple(data["notices"]),
            duplicates=data["duplicates"],
            environment=facts["environment"],
            finished=all(_ended(one.folder) for one in runs),
        )
    except SettingsError as error:
        raise SentilabError(f"{path}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SentilabError(f"{path}: not a study's facts ({printable(shown(error))}).") from error
    # It says nothing that the folders do not; these may be somebody's whom one only asks.
    with suppress(OSError):
        write_index(runs, folder / "runs.csv")
    return results


def run_names(folder: Path) -> dict[str, str]:
    """The names of a study's runs by those of their folders; of several in one folder, the first.

    Raises SentilabError if it is no study's folder.
    """
    path = folder / FACTS
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
        names: dict[str, str] = {}
        for one in runs:
            names.setdefault(Path(one["folder"]).name, str(one["name"]))
        return names
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SentilabError(f"{path}: not a study's facts ({error!r}).") from error


def _inside(name: str) -> str:
    """A folder's name; raises ValueError for one that leads elsewhere."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise ValueError(f"{printable(name)} is no run's folder")
    return name


def is_study(folder: Path) -> bool:
    """Whether ``read_results`` would find a study there."""
    return (folder / FACTS).exists()


def _ended(folder: Path) -> bool:
    return (folder / "result.json").exists()


def _answerable(question: Question, planned: Plan) -> bool:
    """Whether any of its runs is in the plan; questions about the data always are."""
    names = {one.name.partition("@")[0] for one in planned.runs}
    return not question.runs or bool(names & {*question.runs, question.baseline})
