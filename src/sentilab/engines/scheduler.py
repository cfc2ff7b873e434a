"""Which task runs next, where, and what becomes of one whose attempt came to nothing.

Decisions alone: no clock, no process, no file. It is told of events and of the time (seconds on any
clock that only goes forward), and says what to start and what to kill. So the same code runs studies,
clusters, and the simulation of a thousand workers.
"""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from sentilab.engines.tasks import Needs, Outcome, Task

State = Literal["waiting", "running", "done", "failed"]

BEGAN_ANEW = Outcome("lost", reason="Its worker began anew.")


@dataclass(frozen=True)
class Patience:
    """How often an attempt may come to nothing, by how it ended, before the task counts as failed.

    Workers that are ``lost`` count from a task's last milestone on. After the machine's refusals a task is
    tried again after ``pause`` seconds, doubled each time and at most ``longest_pause``. When there were
    ``troubles`` refusals in a row, whichever tasks they met, over ``lasting`` seconds and with no success
    between, the machine is at fault, and nothing more is begun.
    """

    lost: int = 5
    hung: int = 2
    starved: int = 3
    crashed: int = 2
    trouble: int = 20
    troubles: int = 8
    lasting: float = 60.0
    pause: float = 1.0
    longest_pause: float = 30.0

    def allowed(self, ending: str) -> int:
        """How many attempts may end so."""
        return int(getattr(self, ending))


@dataclass(frozen=True)
class Start:
    """Have ``worker`` do ``task``."""

    worker: str
    task: Task


@dataclass(frozen=True)
class Kill:
    """Kill ``worker``, which is silent; tell ``left`` when it is gone, with ``why`` unless more is known."""

    worker: str
    why: Outcome


@dataclass
class Status:
    """A task's way so far. ``attempts`` counts those that were begun, ``spoilt`` those in vain."""

    task: Task
    order: int
    state: State = "waiting"
    worker: str = ""
    attempts: int = 0
    spoilt: dict[str, int] = field(default_factory=dict)
    outcome: Outcome | None = None
    began: float = 0.0


@dataclass
class _Worker:
    capacity: Needs
    task: str = ""
    heard: float = 0.0
    doomed: bool = False


class Scheduler:
    """Tasks in their given order, each begun as soon as all it comes after have ended."""

    def __init__(self, tasks: Iterable[Task] = (), patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self.statuses: dict[str, Status] = {}
        self._followers: dict[str, list[str]] = {}
        self._blocked: dict[str, int] = {}
        self._ready: dict[tuple[Needs, bool], list[tuple[int, str]]] = {}
        self._paused: list[tuple[float, str]] = []
        self._workers: dict[str, _Worker] = {}
        self._idle: dict[Needs, dict[str, None]] = {}
        self._unfinished = 0
        self._troubles = 0
        self._refused_since = self._held_until = 0.0
        self._silences: list[tuple[float, str, str]] = []
        self.blocked_by: Outcome | None = None
        for one in tasks:
            self.add(one)

    def add(self, task: Task) -> None:
        """One more task; those it comes after must be known. Raises ValueError if one is not."""
        if task.key in self.statuses:
            raise ValueError(f"{task.key}: there is such a task already")
        unknown = [one for one in task.after if one not in self.statuses]
        if unknown:
            raise ValueError(f"{task.key}: it comes after {unknown[0]}, which is not known")
        self.statuses[task.key] = Status(task, len(self.statuses), spoilt=dict(task.spoilt))
        self._unfinished += 1
        before = [one for one in dict.fromkeys(task.after) if not self._is_over(one)]
        self._blocked[task.key] = len(before)
        for one in before:
            self._followers.setdefault(one, []).append(task.key)
        if not before:
            self._make_ready(task.key)

    @property
    def finished(self) -> bool:
        """Whether every task has ended."""
        return not self._unfinished

    @property
    def running(self) -> list[Status]:
        return [self.statuses[one.task] for one in self._workers.values() if one.task]

    @property
    def workers(self) -> int:
        return len(self._workers)

    def task_of(self, worker: str) -> str:
        """The key of what a worker is doing, or ""."""
        known = self._workers.get(worker)
        return known.task if known else ""

    def joined(self, worker: str, capacity: Needs, now: float) -> str:
        """A worker is ready. One that was known already has begun anew; gives the key of what it did, or ""."""
        lost = self.left(worker, BEGAN_ANEW, now)
        self._workers[worker] = _Worker(capacity, heard=now)
        self._make_idle(worker)
        return lost

    def heard(self, worker: str, now: float, *, milestone: bool = False) -> None:
        """A worker gave a sign of life, of the task that it does.

        At a ``milestone`` something is on disk that another attempt goes on from: what was lost before no
        longer counts against the task.
        """
        known = self._workers.get(worker)
        if known is None:
            return
        known.heard = now
        if milestone and known.task:
            self.statuses[known.task].spoilt.pop("lost", None)

    def left(self, worker: str, outcome: Outcome, now: float) -> str:
        """A worker is gone; gives the key of what it was doing, or ""."""
        known = self._workers.pop(worker, None)
        if known is None:
            return ""
        if not known.task:
            self._make_busy(worker, known.capacity)
            return ""
        self._spoilt(known.task, outcome, now)
        return known.task

    def ended(self, worker: str, outcome: Outcome, now: float) -> str:
        """A worker's task ended, and the worker is ready for another; gives the task's key."""
        known = self._workers.get(worker)
        if known is None or not known.task:
            return ""
        key, known.task, known.heard = known.task, "", now
        if not known.doomed:
            self._make_idle(worker)
        if outcome.ending in ("done", "failed"):
            self._over(key, outcome)
        else:
            self._spoilt(key, outcome, now)
        return key

    def decide(self, now: float) -> list[Start | Kill]:
        """What to do now; the scheduler takes it as done."""
        decided: list[Start | Kill] = list(self._silent(now))
        while self._paused and self._paused[0][0] <= now:
            self._make_ready(heapq.heappop(self._paused)[1])
        if self.blocked_by is not None or now < self._held_until:
            return decided
        while (found := self._next()) is not None:
            key, worker = found
            status, known = self.statuses[key], self._workers[worker]
            known.task, known.heard = key, now
            status.state, status.worker, status.began = "running", worker, now
            status.attempts += 1
            heapq.heappush(self._silences, (now + status.task.silence, worker, key))
            decided.append(Start(worker, status.task))
        return decided

    def wakeup(self) -> float | None:
        """When ``decide`` should be asked though nothing has happened; None: not before something does."""
        times = [queue[0][0] for queue in (self._paused, self._silences) if queue]
        if self._ready and self._held_until:
            times.append(self._held_until)
        return min(times, default=None)

    def _next(self) -> tuple[str, str] | None:
        """The first ready task that an idle worker can do, and the worker; both are taken.

        Tasks are kept by what they need and workers by what they have, of which there are few kinds, so
        that no search is longer than these are many.
        """
        if not self._idle:
            return None
        best: tuple[int, tuple[Needs, bool], Needs, Needs] | None = None
        for kind, queue in self._ready.items():
            if best is not None and best[0] < queue[0][0]:
                continue
            needs = self._at_most_the_largest(kind[0]) if kind[1] else kind[0]
            able = [one for one in self._idle if _can_do(one, needs)]
            if able:
                best = queue[0][0], kind, needs, min(able, key=_size)
        if best is None:
            return None
        _, kind, needs, capacity = best
        _, key = heapq.heappop(self._ready[kind])
        if not self._ready[kind]:
            del self._ready[kind]
        status = self.statuses[key]
        status.task = replace(status.task, needs=needs)
        worker = next(iter(self._idle[capacity]))
        self._make_busy(worker, capacity)
        return key, worker

    def _make_idle(self, worker: str) -> None:
        self._idle.setdefault(self._workers[worker].capacity, {})[worker] = None

    def _make_busy(self, worker: str, capacity: Needs) -> None:
        idle = self._idle.get(capacity, {})
        idle.pop(worker, None)
        if not idle:
            self._idle.pop(capacity, None)

    def _silent(self, now: float) -> Iterable[Kill]:
        while self._silences and self._silences[0][0] <= now:
            _, worker, key = heapq.heappop(self._silences)
            known = self._workers.get(worker)
            if known is None or known.task != key or known.doomed:
                continue
            allowed = self.statuses[key].task.silence
            if known.heard + allowed > now:
                heapq.heappush(self._silences, (known.heard + allowed, worker, key))
                continue
            known.doomed = True
            why = f"It gave no sign of life for {allowed:.0f} s."
            yield Kill(worker, Outcome("hung", reason=why))

    def _spoilt(self, key: str, outcome: Outcome, now: float) -> None:
        status = self.statuses[key]
        times = status.spoilt[outcome.ending] = status.spoilt.get(outcome.ending, 0) + 1
        status.state, status.worker = "waiting", ""
        if outcome.ending == "trouble":
            if not self._troubles:
                self._refused_since = now
            self._troubles += 1
            lasting = now - self._refused_since >= self._patience.lasting
            if self._troubles >= self._patience.troubles and lasting:
                self.blocked_by = outcome
            if self._troubles > len(self._workers):
                # Whoever asks is refused: to ask on behalf of every task would only spoil them all.
                self._held_until = now + self._pause(self._troubles - len(self._workers))
        if times >= self._patience.allowed(outcome.ending):
            many = "" if times == 1 else f" (tried {times} times)"
            self._over(key, Outcome("failed", reason=outcome.reason + many))
            return
        if outcome.ending == "trouble":
            heapq.heappush(self._paused, (now + self._pause(times), key))
            return
        if outcome.ending == "starved":
            # With more to itself it has fewer neighbours, where workers differ in size.
            needs = status.task.needs
            status.task = replace(status.task, needs=replace(needs, memory=2 * needs.memory))
        self._make_ready(key)

    def _pause(self, times: int) -> float:
        """Seconds to wait after so many refusals."""
        return float(
            min(self._patience.pause * 2 ** min(times - 1, 20), self._patience.longest_pause)
        )

    def _at_most_the_largest(self, needs: Needs) -> Needs:
        """No more memory than the largest worker has: else a task that starved would wait for ever."""
        there = [one.capacity for one in self._workers.values()]
        able = [one.memory for one in there if one.cores >= needs.cores]
        if not able or not all(able):
            return needs
        return replace(needs, memory=min(needs.memory, max(able)))

    def _over(self, key: str, outcome: Outcome) -> None:
        status = self.statuses[key]
        status.state = "done" if outcome.ending == "done" else "failed"
        status.worker, status.outcome = "", outcome
        self._unfinished -= 1
        if outcome.ending == "done":
            self._troubles, self._held_until = 0, 0.0
        for one in self._followers.pop(key, ()):
            self._blocked[one] -= 1
            if not self._blocked[one]:
                self._make_ready(one)

    def _make_ready(self, key: str) -> None:
        status = self.statuses[key]
        kind = status.task.needs, "starved" in status.spoilt
        heapq.heappush(self._ready.setdefault(kind, []), (status.order, key))

    def _is_over(self, key: str) -> bool:
        return self.statuses[key].state in ("done", "failed")


def _can_do(capacity: Needs, needs: Needs) -> bool:
    """Memory that is not known suffices."""
    memory = not needs.memory or not capacity.memory or needs.memory <= capacity.memory
    return needs.cores <= capacity.cores and memory


def _size(capacity: Needs) -> tuple[int, float]:
    return capacity.cores, capacity.memory or math.inf
