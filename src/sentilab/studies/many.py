"""A study's trainings on an engine's workers, several at once."""

import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentilab.engines import MILESTONE, Outcome, Scheduler, Silent, Status, Told
from sentilab.engines import carry_out as engine_carry_out
from sentilab.errors import SentilabError
from sentilab.studies.progress import Progress, Snapshot
from sentilab.studies.records import StudyResults
from sentilab.training import Listener, RunFolder
from sentilab.training.storage import Storage
from sentilab.training.task import ATTEMPTS, SHARE, Crew, Training, task_of, tell

if TYPE_CHECKING:
    from sentilab.studies.study import Announce, Study

# Reading all results costs more the more there are: no more than this share of the time goes to it.
SHARE_OF_TIME = 0.05
# Seconds that nobody minds.
TOO_SHORT = 0.05


def carry_out(
    study: "Study",
    crew: Crew,
    announce: "Announce",
    after_each: Callable[[StudyResults], None],
    watch: Callable[[Snapshot], None],
) -> None:
    """Does what is left of ``study``, whose folder must be locked.

    A training that fails, by its own doing or after too many attempts, is recorded as failed with its
    reason, and the others go on. ``watch`` hears several times a second how far all is.

    With a storage what is there already is fetched, and not done again.

    Raises MachineTrouble where the disk or the like refuses, SentilabError, at the end, for settings that
    could not be meant.
    """
    if crew.storage is None:
        _carry_out(study, crew, announce, after_each, watch)
        return
    with crew.storage.alone():
        crew.storage.get_all((one.folder.name for one in study.unfinished()), study.folder)
        _carry_out(study, crew, announce, after_each, watch)


def _carry_out(
    study: "Study",
    crew: Crew,
    announce: "Announce",
    after_each: Callable[[StudyResults], None],
    watch: Callable[[Snapshot], None],
) -> None:
    missing = study.unfinished()
    if not missing:
        return
    share = study.folder / SHARE
    study.preparation.write_shared(share)
    keys = {one.folder.name for one in missing}
    teacher = study.preparation.teacher
    tasks = [
        task_of(
            one,
            crew,
            share=share,
            pretrainings=study.folder.parent / "pretraining",
            teacher=None if teacher is None else teacher.run.path,
            after=tuple(each.name for each in one.after if each.name in keys),
        )
        for one in missing
    ]
    progress = Progress(study.folder, crew.told)
    onlooker = _Onlooker(study, missing, announce, after_each, progress, watch, crew.storage)
    try:
        engine_carry_out(tasks, crew.pool, onlooker)
    finally:
        onlooker.progress.end()
        shutil.rmtree(share, ignore_errors=True)
    if onlooker.unmeant:
        raise SentilabError("\n".join(onlooker.unmeant))


@dataclass
class _Onlooker(Silent):
    """Passes on what the workers tell, and writes down what came of each training."""

    study: "Study"
    missing: tuple[Training, ...]
    announce: "Announce"
    after_each: Callable[[StudyResults], None]
    progress: Progress
    watch: Callable[[Snapshot], None]
    storage: Storage | None
    unmeant: list[str] = field(default_factory=list)
    _listeners: dict[str, Listener] = field(default_factory=dict)
    _next_results: float = 0.0
    _continued: Counter[Path] = field(default_factory=Counter)
    _counted: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._continued.update(one.continues for one in self.missing if one.continues)
        self._numbers = {one.folder.name: at for at, one in enumerate(self.missing, start=1)}
        self.progress.begin(self.missing, self.study.plan)

    def started(self, status: Status) -> None:
        key = status.task.key
        number = self._numbers[key]
        training = self.missing[number - 1]
        self._listeners[key] = self.announce(training, number, len(self.missing))
        self._counted.setdefault(key, dict(status.task.spoilt))  # as an earlier command wrote it
        self.progress.started(key, status)

    def told(self, status: Status, told: Told) -> None:
        self.progress.told(status.task.key, told)
        if MILESTONE in told and self._counted[status.task.key]:
            self._count(status)
        tell(self._listeners[status.task.key], told)

    def spoilt(self, status: Status, outcome: Outcome) -> None:
        self.progress.spoilt(status.task.key, outcome)
        _say(self._listeners.get(status.task.key), "on_spoilt", outcome, status)
        if outcome.ending == "trouble":  # of damaged data, it may be
            with suppress(OSError):
                self.study.preparation.mend_shared(self.study.folder / SHARE)
        self._count(status)

    def ended(self, status: Status) -> None:
        key, outcome = status.task.key, status.outcome
        assert outcome is not None
        run = RunFolder(self.study.folder / key)
        with suppress(OSError):
            (run.path / ATTEMPTS).unlink(missing_ok=True)
        if self.storage is not None and outcome.ending == "done":
            self.storage.get(key, self.study.folder)
        if outcome.ending == "failed":
            self._record_failure(run, status, outcome)
        result = {} if outcome.result is None else outcome.result
        self.progress.ended(key, run, outcome)
        _say(self._listeners.pop(key, None), "on_end", result, outcome)
        self._drop_spent_states(self.missing[self._numbers[key] - 1])
        self._show()

    def tick(self, scheduler: Scheduler) -> None:
        self.progress.tick(scheduler)
        self.watch(self.progress.snapshot)

    def _count(self, status: Status) -> None:
        """Writes down the attempts in vain that count, for a command that goes on after this one."""
        key = status.task.key
        counted = {how: times for how, times in status.spoilt.items() if how != "trouble"}
        if counted != self._counted[key]:
            with suppress(OSError):
                RunFolder(self.study.folder / key).write_json(ATTEMPTS, counted)
                self._counted[key] = counted

    def _record_failure(self, run: RunFolder, status: Status, outcome: Outcome) -> None:
        if status.spoilt:
            # Of the workers' doing: "failed_by" lets the command try it again on demand.
            record = {"status": "failed", "reason": outcome.reason, "failed_by": "engine"}
            try:
                run.write_json("result.json", record)
                return
            except OSError:  # then it is said at the end, and tried again by the next command
                pass
        self.unmeant.append(f"{run.path.name}: {outcome.reason}")

    def _drop_spent_states(self, ended: Training) -> None:
        """Removes those of the training, and of what it went on from, unless another goes on from them."""
        if ended.continues is not None:
            self._continued[ended.continues] -= 1
        for one in (ended.folder, ended.continues):
            if one is not None and not self._continued[one]:
                RunFolder(one).state.unlink(missing_ok=True)

    def _show(self) -> None:
        from sentilab.studies.study import read_results

        began = time.monotonic()
        if began < self._next_results:
            return
        with suppress(OSError):  # a report that cannot be written now is written later
            self.after_each(read_results(self.study.folder))
        now = time.monotonic()
        self._next_results = now + (now - began) / SHARE_OF_TIME if now - began > TOO_SHORT else now


def _say(listener: Listener | None, name: str, *values: Any) -> None:
    """Calls a method that not every listener has."""
    method = getattr(listener, name, None)
    if method is not None:
        method(*values)


def forget_failures(study: "Study") -> int:
    """Lets the runs be tried again that failed by no doing of their own; says how many there are."""
    runs = [RunFolder(one.folder) for one in study.plan.trainings]
    failed = [
        one for one in runs if (one.read_json("result.json") or {}).get("failed_by") == "engine"
    ]
    for one in failed:
        (one.path / "result.json").unlink()
    return len(failed)
