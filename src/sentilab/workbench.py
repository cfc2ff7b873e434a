"""The command line's main jobs as functions: data and settings in, results out, files on disk."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sentilab import atomic, models, report, studies
from sentilab.bundle import Built, build_bundle
from sentilab.data import Dataset, Unlabelled, leave_out, load
from sentilab.data import unlabelled as load_unlabelled
from sentilab.errors import DataNotFound, ModelCannotTrain, SentilabError, SettingsError
from sentilab.models.ensemble import united
from sentilab.probe import Subject
from sentilab.studies import (
    CrossValidated,
    CrossValidation,
    PlannedRun,
    Question,
    Study,
    StudyResults,
    StudySpec,
)
from sentilab.studies import presets as presets_of
from sentilab.studies.budgeting import Budget, BudgetedStudy
from sentilab.studies.presets import Preset
from sentilab.text import Encoding, cache_folder
from sentilab.training import (
    DEFAULT_SEED,
    Kernels,
    Listener,
    Preparation,
    Pretraining,
    Protocol,
    Reading,
    RunFolder,
    RunSettings,
    Silence,
    Teacher,
    Teaching,
)
from sentilab.training import train as train_run
from sentilab.training.ensembling import (
    ENSEMBLE,
    How,
    ensemble_settings,
    how_of,
    members_of,
    needed_folds,
)
from sentilab.training.folds import Announce, train_folds


def run_study(
    study: str,
    *,
    data: Dataset | None = None,
    protocol: str | None = None,
    seeds: int | None = None,
    only: Sequence[str] = (),
    kernels: Kernels | None = None,
    runs: Path | str = "runs",
) -> StudyResults:
    """Runs a packaged study or a study file, writes its report, and returns what came out.

    ``data`` replaces the study's own; ``protocol`` is "notebook", "holdout", "validation"
    or "both"; ``seeds`` says how many, counted from the study's first; ``only`` names runs (globs);
    ``kernels`` demands "fused" or "keras" LSTMs. What was trained before is not trained again.

    Raises SentilabError for a study file that is not valid or data that cannot be used.
    """
    spec = studies.read(study)
    prepared = prepare_study(
        spec,
        data or load(spec.source, without=spec.without),
        Path(runs),
        protocols=studies.protocols(protocol) if protocol else None,
        seeds=seeds,
        only=only,
        kernels=kernels,
    )
    results = prepared.carry_out(lambda *_: Silence(), lambda _: None)
    report.write(results, prepared.folder)
    return results


def train(
    settings: RunSettings,
    *,
    data: Dataset,
    unlabelled: Unlabelled | None = None,
    teacher: Teacher | None = None,
    runs: Path | str = "runs",
) -> RunFolder:
    """Trains one model on ``data``, writes its run folder and report, and returns the folder.

    ``unlabelled`` are the texts that the settings' pretraining or reading names, or that ``teacher``
    labels: as the settings' teaching says, or, if that is None, with its defaults.

    Raises SentilabError, with the reason, if the model cannot be trained.
    """
    if unlabelled is not None:
        if settings.pretraining is not None and not settings.reading:
            settings = replace(settings, pretraining=settings.pretraining.of(unlabelled))
        settings = _naming(settings, unlabelled)
    if teacher is not None and unlabelled is not None and settings.teaching is None:
        settings = replace(settings, teaching=teacher.teaching(unlabelled))
    prepared = prepare_study(
        single_run(settings, data), data, Path(runs), unlabelled=unlabelled, teacher=teacher
    )
    results = prepared.carry_out(lambda *_: Silence(), lambda _: None)
    report.write(results, prepared.folder)
    only = results.runs[0]
    if only.status == "refused":
        raise ModelCannotTrain(only.reason)
    return RunFolder(only.folder)


def prepare_study(
    spec: StudySpec,
    dataset: Dataset,
    runs: Path,
    *,
    unlabelled: Unlabelled | None = None,
    teacher: Teacher | None = None,
    protocols: Sequence[Protocol] | None = None,
    seeds: int | None = None,
    only: Sequence[str] = (),
    kernels: Kernels | None = None,
) -> Study:
    """The study planned over ``dataset``, in a folder of its own under ``runs``.

    The unlabelled texts that its runs name are loaded, unless they are given.
    """
    first = spec.seeds[0]
    spec, unlabelled = _with_unlabelled(spec, unlabelled)
    return Study.prepare(
        spec,
        Preparation(dataset, cache_folder(), unlabelled, teacher),
        runs / (f"{spec.name}-generated" if dataset.is_generated else spec.name),
        protocols=protocols,
        seeds=range(first, first + seeds) if seeds else None,
        only=only,
        kernels=kernels,
    )


def _with_unlabelled(
    spec: StudySpec, given: Unlabelled | None
) -> tuple[StudySpec, Unlabelled | None]:
    """The study with the unlabelled texts in its runs' settings, and these texts."""
    asked = [asked for one in spec.runs for asked in _read_by(one.settings).values()]
    names = {one.unlabelled for one in asked if not one.unlabelled_fingerprint}
    if not names:
        return spec, given
    if len(names) > 1:
        raise SettingsError(
            f"{spec.name}: its runs name different unlabelled texts ({', '.join(sorted(names))}).\n"
            "  Put them in studies of their own."
        )
    texts = given or load_unlabelled(names.pop())
    runs = (replace(one, settings=_naming(one.settings, texts)) for one in spec.runs)
    return replace(spec, runs=tuple(runs)), texts


def _read_by(settings: RunSettings) -> dict[str, Pretraining | Reading | Teaching]:
    """The options of a run that name unlabelled texts, by the settings' names."""
    options = {
        "pretraining": settings.pretraining,
        "reading": settings.reading,
        "teaching": settings.teaching,
    }
    return {name: one for name, one in options.items() if one is not None and one.unlabelled}


def _naming(settings: RunSettings, texts: Unlabelled) -> RunSettings:
    """The settings, and those of an ensemble's members, with these texts for those that are named."""
    if settings.model == ENSEMBLE:
        members = [_naming(one, texts) for one in members_of(settings)]
        return ensemble_settings(members, how_of(settings))
    known: dict[str, Any] = {
        name: one.of(texts)
        for name, one in _read_by(settings).items()
        if not one.unlabelled_fingerprint
    }
    return replace(settings, **known)


def single_run(settings: RunSettings, dataset: Dataset) -> StudySpec:
    """A study of one run, named so that other settings or data get another folder."""
    models.check_settings(settings.model, settings.model_settings)
    name = settings.model
    return StudySpec(
        name=f"{dataset.name}-{name}-{settings.fingerprint(dataset.fingerprint)[:6]}",
        title=f"{name} on {dataset.name}",
        description=models.describe(name).summary,
        source=dataset.name,
        protocols=(settings.protocol,),
        seeds=(settings.seed,),
        runs=(PlannedRun(name, name, settings),),
        questions=(
            Question("data", "The data", "How are the training data represented?"),
            Question(
                "summary", "The model", "What is it made of, and how well does it do?", (name,)
            ),
        ),
        path=Path(),
    )


def prepare_budget(
    budget: Budget,
    dataset: Dataset,
    runs: Path,
    *,
    seed: int = DEFAULT_SEED,
    began: float | None = None,
    candidates: Sequence[Preset] | None = None,
) -> BudgetedStudy:
    """What a budget is to be spent on, in a folder of its own under ``runs``.

    ``began`` is the time (time.monotonic) at which the budget began to run, by default now;
    ``candidates`` are the packaged presets unless others are named.
    """
    presets = tuple(candidates or presets_of.candidates())
    key = [dataset.fingerprint, seed, *(one.settings.fingerprint(one.name) for one in presets)]
    mark = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:6]
    return BudgetedStudy(
        budget,
        Preparation(dataset, cache_folder()),
        runs / f"{dataset.name}-budget-{budget.text}-{mark}",
        presets,
        seed,
        time.monotonic() if began is None else began,
    )


def train_within(
    budget: str, *, data: Dataset, runs: Path | str = "runs", seed: int = DEFAULT_SEED
) -> RunFolder:
    """The best model that ``budget``, such as "90s", "10m" or "1.5h", can buy; returns its run folder.

    Writes the report beside it. Raises SettingsError for a budget that is no time, SentilabError if
    nothing could be trained.
    """
    study = prepare_budget(Budget.parse(budget), data, Path(runs), seed=seed)
    results = study.carry_out(lambda *_: Silence(), lambda _: None)
    report.write(results, study.folder)
    return RunFolder(study.final_folder)


def several_runs(settings: Mapping[str, RunSettings], dataset: Dataset) -> StudySpec:
    """A study of these runs by name, itself named so that others get another folder."""
    for one in settings.values():
        models.check_settings(one.model, one.model_settings)
    key = [one.fingerprint(dataset.fingerprint) for one in settings.values()]
    mark = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:6]
    first = next(iter(settings.values()))
    return StudySpec(
        name=f"{dataset.name}-{'-'.join(settings)}-{mark}"[:100],
        title=f"{', '.join(settings)} on {dataset.name}",
        description="",
        source=dataset.name,
        protocols=(first.protocol,),
        seeds=(first.seed,),
        runs=tuple(PlannedRun(name, name, one) for name, one in settings.items()),
        questions=(),
        path=Path(),
    )


def cross_validate(
    spec: StudySpec,
    dataset: Dataset,
    runs: Path | str = "runs",
    *,
    folds: int = 10,
    protocol: Protocol | None = None,
    seeds: int | None = None,
    only: Sequence[str] = (),
    announce: Callable[[studies.Training, int, int], Listener] | None = None,
) -> CrossValidated:
    """Trains each run of ``spec`` on all but one fold, for each fold, in a folder of its own.

    ``seeds`` says how many, counted from the study's first. What was trained before is not trained
    again. Raises SentilabError as sentilab.studies.CrossValidation does.
    """
    first = spec.seeds[0]
    prepared = CrossValidation.prepare(
        spec,
        Preparation(dataset, cache_folder()),
        Path(runs) / f"{spec.name}-{folds}-folds",
        folds=folds,
        protocol=protocol,
        seeds=range(first, first + seeds) if seeds else None,
        only=only,
    )
    return prepared.carry_out(announce or (lambda *_: Silence()))


def make_ensemble(
    members: Sequence[RunFolder],
    how: How | None = None,
    *,
    load: Callable[[str], Dataset] = load,
    runs: Path | str = "runs",
    announce: Announce | None = None,
) -> RunFolder:
    """One model of these finished runs, in a run folder of its own under ``runs``.

    Where its weights are learned from folds, those that are missing are trained first, beside it;
    ``announce`` hears of each. ``load`` gets the name of the data that the runs were trained on.

    Raises SentilabError for runs that do not go together, and if the data are not those that they saw.
    """
    settings = ensemble_settings([one.settings() for one in members], how)
    subject = Subjects(load).of(members[0])
    prepared, data = subject.preparation, subject.dataset
    fingerprint = settings.fingerprint(data.fingerprint)
    folder = Path(runs) / f"{data.name}-ensemble-{fingerprint[:6]}"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.alone(folder, "ensemble"):
        train_folds(
            needed_folds(settings),
            prepared,
            folder,
            announce,
            pretrainings=Path(runs) / "pretraining",
        )
        # From the members' files: what they learned it from need not be there any more.
        known = [one.vocabulary() for one in members]
        vocabulary = united(known, Encoding(settings.words, settings.length))
        return train_run(
            settings,
            prepared.examples(settings, vocabulary),
            folder / settings.folder_name(data.fingerprint),
            members=[one.path for one in members],
        )


@dataclass
class Subjects:
    """Finished runs with their data, for probing; ``load`` is asked once for each data set.

    ``load`` gets a data set's name, or a file's path, as sentilab.data.load takes it. What a run's
    data were without is left out here.
    """

    load: Callable[[str], Dataset]
    _prepared: dict[tuple[str, str], Preparation] = field(default_factory=dict)

    def of(self, run: RunFolder) -> Subject:
        """Raises SentilabError if the data that ``load`` gives are not those that the run saw."""
        data = run.data()
        key = (data["name"], data["without"])
        if key not in self._prepared:
            dataset = leave_out(self._loaded(run, data["name"]), data["without"])
            self._prepared[key] = Preparation(dataset, cache_folder())
        prepared = self._prepared[key]
        if prepared.dataset.fingerprint != data["fingerprint"]:
            raise SentilabError(
                f"{run.path}: this run was trained on other data than {prepared.dataset.origin} "
                f"(both are called {data['name']}).\n  Name its own data with --data."
            )
        return Subject(run, prepared.dataset, prepared)

    def _loaded(self, run: RunFolder, name: str) -> Dataset:
        try:
            return self.load(name)
        except DataNotFound as error:
            raise DataNotFound(
                f"{run.path}: the data of this run, {name}, are needed and were not found.\n"
                f"  Name them with --data. ({error})"
            ) from error


def make_bundle(
    run: Path | str,
    path: Path | str,
    *,
    load: Callable[[str], Dataset] = load,
    **making: Any,
) -> Built:
    """Writes the bundle of a finished run to ``path``, a folder or a .zip.

    ``load`` gets the name of the data that the run was trained on; ``making`` is for
    sentilab.bundle.build_bundle: name, threshold, int8, keras, license.

    Raises SentilabError as that does, and if the data are not those that the run saw.
    """
    return build_bundle(Subjects(load).of(finished_run(Path(run))), Path(path), **making)


def finished_run(folder: Path) -> RunFolder:
    """The one finished run that ``folder``, of a run or of a study, holds.

    Raises SentilabError, naming them, if there are several, and if there is none.
    """
    runs = finished_runs([folder])
    if len(runs) > 1:
        names = "".join(f"\n  {one.path}" for one in runs)
        raise SettingsError(f"{folder} holds {len(runs)} finished runs; name one of them:{names}")
    return runs[0]


def finished_runs(folders: Sequence[Path]) -> list[RunFolder]:
    """The finished runs that ``folders``, of runs or of whole studies, hold.

    Raises SentilabError for a folder that holds none.
    """
    found: list[RunFolder] = []
    for folder in folders:
        inside = [folder] if (folder / "config.toml").exists() else sorted(folder.glob("*/"))
        runs = [RunFolder(one) for one in inside if (one / "config.toml").exists()]
        done = [
            one for one in runs if (one.read_json("result.json") or {}).get("status") == "finished"
        ]
        if not done:
            raise SentilabError(f"{folder}: there is no finished run here.")
        found += done
    return list({one.path.resolve(): one for one in found}.values())


def results_of(folders: Sequence[Path]) -> tuple[StudyResults, Path]:
    """What a study's folder, or any number of run folders, tell; and where their report belongs.

    Raises SentilabError for a folder that is neither, and for runs on different data.
    """
    if len(folders) == 1 and studies.is_study(folders[0]):
        return studies.read_results(folders[0]), folders[0]
    runs: list[Path] = []
    for folder in folders:
        inside = [folder] if (folder / "config.toml").exists() else sorted(folder.glob("*/"))
        found = [one for one in inside if (one / "config.toml").exists()]
        if not found:
            raise SentilabError(f"{folder}: no study here, and no run either.")
        runs += found
    return studies.collect(runs), Path()


def study_folders(runs: Sequence[RunFolder]) -> list[Path]:
    """The folders of the studies that these runs belong to."""
    return [one for one in dict.fromkeys(run.path.parent for run in runs) if studies.is_study(one)]


def write_report(folder: Path) -> Path:
    """Writes the report of the study in ``folder`` again; returns the page's path."""
    return report.write(studies.read_results(folder), folder)[0]
