"""One training as an engine's task: plain values in, a run folder and plain values out."""

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from sentilab import atomic, models
from sentilab.engines import MILESTONE, Needs, Pool, Report, Task
from sentilab.errors import ModelCannotTrain
from sentilab.training.examples import Examples, Preparation
from sentilab.training.folder import RunFolder
from sentilab.training.progress import LanguageEpoch, LanguageStep, Listener, Step
from sentilab.training.run import TrainingDiverged, train
from sentilab.training.settings import RunSettings
from sentilab.training.shared import DamagedShare
from sentilab.training.stopping import EpochMetrics
from sentilab.training.storage import Storage
from sentilab.training.teaching import Teacher

SHARE = ".share"
CALL = "sentilab.training.task:carry_out"
# In a run's folder: its attempts in vain, so that who is killed does not forget them.
ATTEMPTS = "attempts.json"

# Compiling, and fitting a linear model to many texts, are silent for a while.
SILENCE = 900.0
# A worker that its cluster has lost sight of ends within a minute, as Ray has it by default; until then it
# may write.
LONGEST_WAIT = 150.0
# A person sees no more of it.
REPORTS_A_SECOND = 4


@dataclass(frozen=True)
class Training:
    """One training to do. ``continues`` is the folder of a shorter run that it goes on from;

    ``keep_state`` says that a later training goes on from this one. ``teacher`` is the folder of the run
    that teaches this one, where the study names it. ``after`` are the folders of all runs that it needs: these,
    and an ensemble's members.
    """

    settings: RunSettings
    folder: Path
    continues: Path | None
    keep_state: bool
    teacher: Path | None = None
    after: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Crew:
    """What carries trainings out: a ``pool`` of workers, and what each training is given.

    ``silence`` is for how many seconds one may give no sign of life; ``models_from`` are the files of the
    user's own models; ``storage`` is where runs are put that are not computed in their place; ``told`` says
    in words what the pool is, for whoever watches.
    """

    pool: Pool
    needs: Needs = field(default_factory=Needs)
    silence: float = SILENCE
    models_from: tuple[Path, ...] = ()
    told: str = ""
    storage: Storage | None = None


def task_of(
    training: Training,
    crew: Crew,
    *,
    share: Path,
    pretrainings: Path,
    teacher: Path | None = None,
    after: tuple[str, ...] = (),
) -> Task:
    """The task that does ``training``, with the data that lie in ``share``.

    ``teacher`` stands in where the training names none itself; ``after`` are the keys of tasks before it.
    """
    return Task(
        key=training.folder.name,
        call=CALL,
        payload={
            "settings": training.settings.to_dict(),
            "folder": str(training.folder.absolute()),
            "continues": _text(training.continues),
            "keep_state": training.keep_state,
            "teacher": _text(training.teacher or teacher),
            "share": str(share.absolute()),
            "pretrainings": str(pretrainings.absolute()),
            "storage": None if crew.storage is None else crew.storage.address,
            "parts": [one.name for one in training.after],
            "models_from": [str(one.absolute()) for one in crew.models_from],
        },
        needs=crew.needs,
        after=after,
        silence=crew.silence,
        spoilt=RunFolder(training.folder).read_json(ATTEMPTS) or {},
    )


def carry_out(payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Trains, or goes on training, and says how the run ended: its "status", and a "reason" if in vain.

    Whatever was trained before is not trained again, so that this may be called any number of times; while
    another process is at the run, waits for it.

    Raises SentilabError for settings that cannot be meant, OSError where the machine refuses.
    """
    settle(payload)
    settings = RunSettings.from_dict(payload["settings"])
    storage = None if payload["storage"] is None else Storage(payload["storage"])
    place = _places(payload, storage)
    run, donor = RunFolder(place["folder"]), place["continues"]
    began = time.monotonic()
    run.path.mkdir(parents=True, exist_ok=True)
    try:
        with (
            prepared(payload["share"]) as preparation,
            atomic.alone(run.path, "run", waiting=_patiently(run.path, report)),
        ):
            train(
                settings,
                examples_of(settings, preparation, run, place["teacher"]),
                run.path,
                listener=Telling(report),
                continue_from=RunFolder(donor).state if donor else None,
                keep_state=payload["keep_state"],
                pretrainings=place["pretrainings"],
            )
    except (ModelCannotTrain, TrainingDiverged) as error:
        status = "refused" if isinstance(error, ModelCannotTrain) else "failed"
        ended = {"status": status, "reason": str(error)}
    else:
        ended = {"status": "finished"}
    if storage is not None:
        storage.put(run.path)
    return {**ended, "seconds": time.monotonic() - began}


def _patiently(folder: Path, report: Report) -> Callable[[], None]:
    """Gives signs of life while another process is at ``folder``, but not for ever."""
    until = time.monotonic() + LONGEST_WAIT

    def wait() -> None:
        if time.monotonic() > until:
            why = "another process has long been at work on this run"
            raise BlockingIOError(errno.EWOULDBLOCK, why, str(folder))
        report({})

    return wait


def _places(payload: Mapping[str, Any], storage: Storage | None) -> dict[str, Any]:
    """Where the task's folders are on this machine; what it needs of other runs is fetched."""
    names = ("folder", "continues", "teacher", "pretrainings")
    places = {name: None if payload[name] is None else Path(payload[name]) for name in names}
    if storage is None:
        return places
    here = storage.scratch
    storage.get_all((Path(payload["folder"]).name, *payload["parts"]), here)
    moved = {name: here / place.name for name, place in places.items() if place is not None}
    return {**places, **moved}


def examples_of(
    settings: RunSettings, preparation: Preparation, run: RunFolder, teacher: str | Path | None
) -> Examples:
    """The run's examples, with its teacher's answers if it has one.

    Raises ModelCannotTrain, and says so in the run's folder, if its teacher could not train.
    """
    if teacher is not None and settings.teaching is not None:
        teaching = RunFolder(Path(teacher))
        result = teaching.read_json("result.json") or {}
        if result.get("status") in ("refused", "failed"):
            reason = f"{teaching.path.name}: the run that teaches it was {result['status']}."
            run.write_json("result.json", {"status": "refused", "reason": reason})
            raise ModelCannotTrain(reason)
        preparation.teacher = Teacher(teaching)
    return preparation.examples(settings)


@contextmanager
def prepared(share: str) -> Iterator[Preparation]:
    """What lies in a share; a worker's next task mostly has the same.

    Raises DamagedShare for a file that is not what was written, and then reads all anew the next time.
    """
    try:
        yield _prepared(share)
    except DamagedShare:
        _prepared.cache_clear()
        raise


@lru_cache(maxsize=1)
def _prepared(share: str) -> Preparation:
    return Preparation.shared(Path(share))


def settle(payload: Mapping[str, Any]) -> None:
    """What a process that only trains does first: see ``own_process``; and the user's own models."""
    _settled()
    for file in payload.get("models_from", ()):
        _load_models(file)


@lru_cache
def _settled() -> None:
    from sentilab import own_process

    own_process.settle()


@lru_cache
def _load_models(file: str) -> None:
    models.load_models_from(Path(file))


class Telling:
    """A listener that turns what it hears into plain values; see ``tell``."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._next = 0.0

    def on_resume(self, epochs_done: int, source: str) -> None:
        self._report({"on_resume": [epochs_done, source]})

    def on_language_step(self, step: LanguageStep) -> None:
        self._at_times({"on_language_step": asdict(step)})

    def on_language_epoch(self, measured: LanguageEpoch, epochs: int, seconds: float) -> None:
        told = [asdict(measured), epochs, seconds]
        self._report({"on_language_epoch": told, MILESTONE: True})

    def on_pass(self, done: int, passes: int) -> None:
        self._at_times({"on_pass": [done, passes]})

    def on_step(self, step: Step) -> None:
        self._at_times({"on_step": asdict(step)})

    def on_validate(self, epoch: int) -> None:
        self._report({"on_validate": [epoch]})

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        self._report({"on_epoch": [asdict(metrics), epochs, seconds], MILESTONE: True})

    def _at_times(self, told: dict[str, Any]) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1 / REPORTS_A_SECOND
            self._report(told)


def tell(listener: Listener, told: Mapping[str, Any]) -> None:
    """Has ``listener`` hear what a ``Telling`` in another process heard."""
    for name, values in told.items():
        if name == "on_step":
            listener.on_step(Step(**values))
        elif name == "on_language_step":
            listener.on_language_step(LanguageStep(**values))
        elif name == "on_epoch":
            listener.on_epoch(EpochMetrics(**values[0]), *values[1:])
        elif name == "on_language_epoch":
            listener.on_language_epoch(LanguageEpoch(**values[0]), *values[1:])
        elif name in ("on_resume", "on_pass", "on_validate"):
            getattr(listener, name)(*values)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
