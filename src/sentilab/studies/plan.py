"""What to run, in which order, once each."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from operator import itemgetter
from pathlib import Path

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.studies.records import Recorded
from sentilab.studies.spec import MOST_RUNS, StudySpec
from sentilab.training import Kernels, Protocol, RunSettings
from sentilab.training.ensembling import (
    ENSEMBLE,
    ensemble_settings,
    how_of,
    members_of,
    needed_folds,
)
from sentilab.training.task import Training

# Members and folds that ensembles need are many; they share most of them.
MOST_NEEDED = 10 * MOST_RUNS


@dataclass(frozen=True)
class Named:
    """A run as the report shows it; several may share one folder, and so one training."""

    name: str
    title: str
    settings: RunSettings
    recorded: Recorded | None
    folder: Path


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
    fill = _Filling({one.name: one.settings for one in spec.runs}, data_fingerprint, kernels)
    runs = []
    for protocol in protocols or spec.protocols:
        for seed in seeds or spec.seeds:
            for one in spec.runs:
                if only and not any(fnmatch(one.name, pattern) for pattern in only):
                    continue
                settings = fill.whole(one.settings, protocol, seed)
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
    for settings in needed:  # which grows: what a part is made of is needed too
        needed += fill.parts(settings)
        if len(needed) > MOST_NEEDED:
            raise SettingsError(
                f"{spec.path.name}: its ensembles and their folds need more than {MOST_NEEDED:,} runs."
            )
    folders = {folder / one.folder_name(data_fingerprint): one for one in needed}
    return Plan(tuple(runs), tuple(_trainings(folders, fill)))


@dataclass(frozen=True)
class _Filling:
    """Fills in what a study leaves open: protocol, seed, and whom a teacher's name means."""

    named: Mapping[str, RunSettings]
    data_fingerprint: str
    kernels: Kernels | None
    teachers: dict[str, RunSettings] = field(default_factory=dict)

    def whole(self, settings: RunSettings, protocol: Protocol, seed: int) -> RunSettings:
        """The settings of a run of this protocol and seed."""
        kernels = self.kernels or settings.kernels
        return self._taught(replace(settings, protocol=protocol, seed=seed, kernels=kernels))

    def _taught(self, settings: RunSettings) -> RunSettings:
        if settings.model == ENSEMBLE:
            members = [self._taught(one) for one in members_of(settings)]
            if any(one.teaching for one in members):
                return ensemble_settings(members, how_of(settings))
        asked = settings.teaching
        if asked is None or asked.teacher not in self.named:
            return settings
        teacher = self.whole(self.named[asked.teacher], settings.protocol, settings.seed)
        fingerprint = teacher.fingerprint(self.data_fingerprint)
        self.teachers[fingerprint] = teacher
        return replace(settings, teaching=replace(asked, teacher=fingerprint))

    def teacher(self, settings: RunSettings) -> RunSettings | None:
        """That of a run, if the study knows it."""
        return self.teachers.get(settings.teaching.teacher) if settings.teaching else None

    def parts(self, settings: RunSettings) -> Sequence[RunSettings]:
        """The runs that one needs before it, whether the study names them or not."""
        if settings.model == ENSEMBLE:
            return (*members_of(settings), *needed_folds(settings))
        teacher = self.teacher(settings)
        return () if teacher is None else (teacher,)

    def depth(self, settings: RunSettings) -> int:
        """How many runs stand one upon the other below this one."""
        return max((1 + self.depth(one) for one in self.parts(settings)), default=0)


def _trainings(folders: Mapping[Path, RunSettings], fill: _Filling) -> Iterable[Training]:
    """Seed by seed, so that the first seed's report is soon whole; within a seed, quick runs first.

    Ensembles and those that are taught come after all that they need.
    """
    seeds = {one: at for at, one in enumerate(dict.fromkeys(x.seed for x in folders.values()))}
    where_is = {one.fingerprint(fill.data_fingerprint): where for where, one in folders.items()}

    def turn(settings: RunSettings) -> int:
        # An ensemble's members may have seeds of their own.
        return max(seeds[one.seed] for one in (settings, *fill.parts(settings)))

    ordered = sorted(
        folders.items(), key=lambda item: (turn(item[1]), fill.depth(item[1]), *_effort(item[1]))
    )
    shorter: dict[str, list[tuple[int, Path]]] = {}
    for folder, settings in ordered:
        if settings.early_stopping is None:
            shorter.setdefault(_but_for_its_end(settings), []).append((settings.epochs, folder))
    for alike in shorter.values():
        alike.sort()
    donors: dict[Path, Path] = {}
    for folder, settings in ordered:
        alike = shorter.get(_but_for_its_end(settings), []) if _may_go_on(settings) else []
        if at := bisect_left(alike, settings.epochs, key=itemgetter(0)):
            donors[folder] = alike[at - 1][1]
    continued = set(donors.values())
    for folder, settings in ordered:
        teacher = where_is.get(settings.teaching.teacher) if settings.teaching else None
        donor = donors.get(folder)
        parts = (
            where_is.get(one.fingerprint(fill.data_fingerprint)) for one in fill.parts(settings)
        )
        after = tuple(one for one in (donor, *parts) if one is not None)
        yield Training(settings, folder, donor, folder in continued, teacher, after)


def _but_for_its_end(settings: RunSettings) -> str:
    """Equal for runs whose first epochs are the same, bit for bit."""
    return replace(settings, epochs=1, early_stopping=None).fingerprint("")


def _may_go_on(settings: RunSettings) -> bool:
    """Whether a run may start from where a shorter one has ended."""
    # A schedule falls to 0 at the run's own end.
    if settings.schedule is not None:
        return False
    # A run that is to end with its best weights must have watched them from the start.
    return settings.early_stopping is None or not settings.early_stopping.restore_best


def _effort(settings: RunSettings) -> tuple[bool, int, int]:
    """Models that read word after word take far longer than the others."""
    sequential = models.describe(settings.model).sequential
    return (sequential, settings.epochs, -settings.batch_size)
