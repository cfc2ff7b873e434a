"""Which trackers there are, and several of them beside a study that they must not disturb."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from sentilab import studies
from sentilab.errors import SentilabError, SettingsError
from sentilab.studies import StudyResults
from sentilab.tracking.recording import status_of
from sentilab.training import RunFolder

_LONGEST = 300  # letters of what a library says went wrong

# A user and a password in an address.
_SECRET = re.compile(r"(?<=//)[^/@\s]+(?=@)")


class Tracker(Protocol):
    """Somewhere that runs are recorded. ``spec`` is what the user named it by."""

    spec: str

    def record(self, run: RunFolder, name: str, study: str) -> bool:
        """Records a run that has ended, unless it is there already; whether it was not.

        ``name`` is the run's as people read it; ``study`` the name of what it belongs to. Interrupted
        anywhere, it leaves nothing that the next call takes for a whole record.

        Raises SentilabError for a run that has not ended, and whatever the store raises.
        """

    def shown_by(self, runs: Path) -> str:
        """A command or an address that shows what is recorded of the runs in that folder."""


def open_tracker(spec: str) -> Tracker:
    """The tracker that ``spec`` means: mlflow, mlflow=URI, tensorboard or tensorboard=FOLDER.

    Raises SettingsError for another, ModuleNotFoundError where its package is not installed.
    """
    kind, separator, place = spec.partition("=")
    if separator and not place:
        raise SettingsError(f'"{spec}": nothing is named after "=".')
    if kind == "mlflow":
        from sentilab.tracking.mlflow_runs import MLflow

        return MLflow(spec, place)
    if kind == "tensorboard":
        from sentilab.tracking.tensorboard import TensorBoard

        return TensorBoard(spec, Path(place) if place else None)
    raise SettingsError(
        f'"{spec}" is no tracker; there are mlflow, mlflow=URI, tensorboard and tensorboard=FOLDER.'
    )


class Trackers:
    """Records a study's runs as they end; one that fails is left out from then on, and said once."""

    def __init__(self, trackers: Sequence[Tracker], say: Callable[[str], None]) -> None:
        """``say`` hears, in words, of a tracker that failed."""
        self._trackers, self._say = list(trackers), say
        self._done: set[tuple[str, Path, str]] = set()

    def record_new(self, results: StudyResults) -> None:
        """Records the runs that have ended and are not recorded yet. Raises nothing."""
        for tracker in tuple(self._trackers):
            try:
                for one in results.runs:
                    key = (tracker.spec, one.folder, one.status)
                    if one.status in ("finished", "refused", "failed") and key not in self._done:
                        run = RunFolder(one.folder)
                        tracker.record(run, one.name, study_name(one.folder))
                        self._done.add(key)
            except Exception as error:  # a library's, of any kind: training is worth more
                self._trackers.remove(tracker)
                home = results.runs[0].folder.parent
                self._say(
                    f"{without_secrets(tracker.spec)}: runs are no longer recorded there "
                    f"({said(error)}).\n  The study goes on. Once that is mended:  "
                    f"sentilab track {home} --to {without_secrets(tracker.spec)}"
                )


def ended_runs(folder: Path) -> tuple[list[tuple[RunFolder, str]], int]:
    """The runs in ``folder`` that have ended, with their names, and how many have not.

    ``folder`` is a run's, a study's, which stands for the runs of its report, or one that holds
    run folders. A run's name is the one that its study gives it, or else its folder's.

    Raises SentilabError where there is no run.
    """
    if (folder / "config.toml").exists():
        beside = folder.resolve().parent
        names = studies.run_names(beside) if studies.is_study(beside) else {}
        named = {folder: names.get(folder.resolve().name, folder.resolve().name)}
    elif studies.is_study(folder):
        named = {folder / key: name for key, name in studies.run_names(folder).items()}
    else:
        inside = [one.parent for one in sorted(folder.glob("*/config.toml"))]
        named = {one: one.name for one in inside}
    if not named:
        raise SentilabError(f"{folder}: no study here, and no run either.")
    ended = [(RunFolder(one), name) for one, name in named.items() if status_of(RunFolder(one))]
    return ended, len(named) - len(ended)


def study_name(run: Path) -> str:
    """What runs beside this one are recorded under: their folder's name."""
    return run.resolve().parent.name


def said(error: Exception) -> str:
    """What went wrong, on one line, without passwords."""
    text = " ".join(str(error).split()) or type(error).__name__
    return without_secrets(text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ...")


def without_secrets(text: str) -> str:
    """The text with neither users nor passwords in its addresses."""
    return _SECRET.sub("...", text)
