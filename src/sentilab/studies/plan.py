"""What to run, in which order, once each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.studies.records import Recorded
from sentilab.studies.spec import StudySpec
from sentilab.training import Kernels, Protocol, RunSettings
from sentilab.training.ensembling import ENSEMBLE, members_of, needed_folds


@dataclass(frozen=True)
class Named:
    """A run as the report shows it; several may share one folder, and so one training."""

    name: str
    title: str
    settings: RunSettings
    recorded: Recorded | None
    folder: Path


@dataclass(frozen=True)
class Training:
    """One training to do. ``continues`` is the folder of a shorter run that it goes on from;

    ``keep_state`` says that a later training goes on from this one.
    """

    settings: RunSettings
    folder: Path
    continues: Path | None
    keep_state: bool


@dataclass(frozen=True)
class Plan:
    """``runs`` in the study's order; ``trainings`` in the order in which to do them."""

    runs: tuple[Named, ...]
    trainings: tuple[Training, ...]


def plan(
    spec: StudySpec,
    folder: Path,
    data_fingerprint: str,
    *,
    protocols: Sequence[Protocol] | None = None,
    seeds: Sequence[int] | None = None,
    only: Sequence[str] = (),
    kernels: Kernels | None = None,
) -> Plan:
    """Every (run, protocol, seed) of the study; ``only`` keeps the runs whose name matches a glob.

    ``kernels`` takes the place of what the study says of it.

    Raises SettingsError if a pattern of ``only`` matches nothing.
    """
    for pattern in only:
        if not any(fnmatch(one.name, pattern) for one in spec.runs):
            raise SettingsError(
                f'--only "{pattern}" matches no run; runs are '
                + ", ".join(one.name for one in spec.runs)
                + "."
            )
    runs = []
    for protocol in protocols or spec.protocols:
        for seed in seeds or spec.seeds:
            for one in spec.runs:
                if only and not any(fnmatch(one.name, pattern) for pattern in only):
                    continue
                settings = replace(
                    one.settings,
                    protocol=protocol,
                    seed=seed,
                    kernels=kernels or one.settings.kernels,
                )
                runs.append(
                    Named(
                        name=f"{one.name}@{protocol}-{seed}",
                        title=one.title,
                        settings=settings,
                        recorded=one.recorded,
                        folder=folder / settings.folder_name(data_fingerprint),
                    )
                )
    needed = [one.settings for one in runs]
    needed += [part for one in needed if one.model == ENSEMBLE for part in _parts(one)]
    folders = {folder / one.folder_name(data_fingerprint): one for one in needed}
    return Plan(tuple(runs), tuple(_trainings(folders)))


def _parts(ensemble: RunSettings) -> Sequence[RunSettings]:
    """The runs that an ensemble is made of, whether the study names them or not."""
    return (*members_of(ensemble), *needed_folds(ensemble))


def _trainings(folders: Mapping[Path, RunSettings]) -> Iterable[Training]:
    """Seed by seed, so that the first seed's report is soon whole; within a seed, quick runs first.

    Ensembles come last: all that they are made of is there then.
    """
    seeds = list(dict.fromkeys(one.seed for one in folders.values()))

    def turn(settings: RunSettings) -> int:
        # An ensemble's members may have seeds of their own.
        parts = _parts(settings) if settings.model == ENSEMBLE else ()
        return max(seeds.index(one.seed) for one in (settings, *parts))

    ordered = sorted(folders.items(), key=lambda item: (turn(item[1]), *_effort(item[1])))
    donors: dict[Path, Path] = {}
    for folder, settings in ordered:
        shorter = [
            (other.epochs, where)
            for where, other in ordered
            if other.epochs < settings.epochs and _same_start(other, settings)
        ]
        if shorter:
            donors[folder] = max(shorter, key=lambda pair: pair[0])[1]
    for folder, settings in ordered:
        yield Training(settings, folder, donors.get(folder), folder in donors.values())


def _same_start(shorter: RunSettings, longer: RunSettings) -> bool:
    """Whether the longer run's first epochs are the shorter one's, bit for bit."""
    # A schedule falls to 0 at the run's own end.
    if shorter.early_stopping is not None or shorter.schedule is not None:
        return False
    # A run that is to end with its best weights must have watched them from the start.
    if longer.early_stopping is not None and longer.early_stopping.restore_best:
        return False
    return replace(longer, epochs=shorter.epochs, early_stopping=None) == shorter


def _effort(settings: RunSettings) -> tuple[bool, bool, int, int]:
    """Models that read word after word take far longer than the others."""
    sequential = models.describe(settings.model).sequential
    return (settings.model == ENSEMBLE, sequential, settings.epochs, -settings.batch_size)
