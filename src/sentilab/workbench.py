"""The command line's main jobs as functions: data and settings in, results out, files on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentilab import models, report, studies
from sentilab.bundle import Built, build_bundle
from sentilab.data import Dataset, leave_out, load
from sentilab.errors import DataNotFound, ModelCannotTrain, SentilabError, SettingsError
from sentilab.probe import Subject
from sentilab.studies import PlannedRun, Question, Study, StudyResults, StudySpec
from sentilab.text import cache_folder
from sentilab.training import Kernels, Preparation, Protocol, RunFolder, RunSettings, Silence


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

    ``data`` replaces the study's own; ``protocol`` is "notebook", "holdout" or "both"; ``seeds``
    says how many, counted from the study's first; ``only`` names runs (globs); ``kernels`` demands
    "fused" or "keras" LSTMs. What was trained before is not trained again.

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


def train(settings: RunSettings, *, data: Dataset, runs: Path | str = "runs") -> RunFolder:
    """Trains one model on ``data``, writes its run folder and report, and returns the folder.

    Raises SentilabError, with the reason, if the model cannot be trained.
    """
    prepared = prepare_study(single_run(settings, data), data, Path(runs))
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
    protocols: Sequence[Protocol] | None = None,
    seeds: int | None = None,
    only: Sequence[str] = (),
    kernels: Kernels | None = None,
) -> Study:
    """The study planned over ``dataset``, in a folder of its own under ``runs``."""
    first = spec.seeds[0]
    return Study.prepare(
        spec,
        Preparation(dataset, cache_folder()),
        runs / (f"{spec.name}-generated" if dataset.is_generated else spec.name),
        protocols=protocols,
        seeds=range(first, first + seeds) if seeds else None,
        only=only,
        kernels=kernels,
    )


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
