"""Tasks to their ends, on any pool of workers."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sentilab import interrupts
from sentilab.engines.scheduler import BEGAN_ANEW, Kill, Patience, Scheduler, Start, Status
from sentilab.engines.tasks import Event, Heard, Joined, Left, Outcome, Task, Told
from sentilab.errors import SentilabError

# What a task tells beside its progress, once another attempt would go on from here.
MILESTONE = "milestone"
# So often, at least, whoever watches is told, though nothing has happened.
TICK = 0.5


class MachineTrouble(SentilabError):
    """Every task meets the same kind of refusal: a full disk, a folder that cannot be written."""


class Pool(Protocol):
    """Workers, wherever they are."""

    def muster(self) -> None: ...
    def start(self, worker: str, task: Task) -> None: ...
    def kill(self, worker: str, why: Outcome) -> None: ...
    def events(self, timeout: float) -> Sequence[Event]: ...


class Watcher(Protocol):
    """Hears how tasks come along. Every method may do nothing."""

    def started(self, status: Status) -> None:
        """An attempt at a task begins."""

    def told(self, status: Status, told: Told) -> None:
        """A running task reports."""

    def spoilt(self, status: Status, outcome: Outcome) -> None:
        """An attempt came to nothing; the task will be tried again, or ``ended`` follows."""

    def ended(self, status: Status) -> None:
        """A task has ended; ``status.outcome`` says how."""

    def tick(self, scheduler: Scheduler) -> None:
        """Time passes."""


@dataclass
class Silent:
    """A watcher that ignores everything."""

    def started(self, status: Status) -> None: ...
    def told(self, status: Status, told: Told) -> None: ...
    def spoilt(self, status: Status, outcome: Outcome) -> None: ...
    def ended(self, status: Status) -> None: ...
    def tick(self, scheduler: Scheduler) -> None: ...


def carry_out(
    tasks: Iterable[Task],
    pool: Pool,
    watcher: Watcher | None = None,
    *,
    patience: Patience | None = None,
    more: Callable[[Scheduler], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Outcome]:
    """Has all tasks done; gives how each ended, "done" or "failed", by its key.

    ``more`` may add tasks to the scheduler; it is asked at the start and whenever one has ended.

    Raises MachineTrouble, once what runs has ended, if the machine refuses task after task; all that was
    done stays done.
    """
    watcher = watcher or Silent()
    scheduler = Scheduler(tasks, patience)
    pool.muster()
    if more is not None:
        more(scheduler)
    while not scheduler.finished:
        for decided in scheduler.decide(clock()):
            if isinstance(decided, Kill):
                pool.kill(decided.worker, decided.why)
            else:
                _start(decided, pool, watcher, scheduler)
        if scheduler.blocked_by is not None and not scheduler.running:
            raise MachineTrouble(
                f"{scheduler.blocked_by.reason}\n  What was trained is kept; once that is mended, the "
                "same command goes on."
            )
        wakeup = scheduler.wakeup()
        wait = TICK if wakeup is None else min(TICK, max(0.0, wakeup - clock()))
        for event in pool.events(wait):
            _hear(event, scheduler, watcher, clock(), more)
        watcher.tick(scheduler)
        interrupts.raise_if_lost()
    return {
        key: status.outcome
        for key, status in scheduler.statuses.items()
        if status.outcome is not None
    }


def _start(decided: Start, pool: Pool, watcher: Watcher, scheduler: Scheduler) -> None:
    watcher.started(scheduler.statuses[decided.task.key])
    pool.start(decided.worker, decided.task)


def _hear(
    event: Event,
    scheduler: Scheduler,
    watcher: Watcher,
    now: float,
    more: Callable[[Scheduler], None] | None,
) -> None:
    if isinstance(event, Heard):
        scheduler.heard(event.worker, now, milestone=MILESTONE in event.told)
        task = scheduler.task_of(event.worker)
        if task:
            watcher.told(scheduler.statuses[task], event.told)
        return
    if isinstance(event, Joined):
        outcome = BEGAN_ANEW
        key = scheduler.joined(event.worker, event.capacity, now)
    else:
        outcome = event.outcome
        tell = scheduler.left if isinstance(event, Left) else scheduler.ended
        key = tell(event.worker, outcome, now)
    if not key:
        return
    status = scheduler.statuses[key]
    if outcome.ending not in ("done", "failed"):
        watcher.spoilt(status, outcome)
    if status.outcome is not None:
        watcher.ended(status)
        if more is not None:
            more(scheduler)
