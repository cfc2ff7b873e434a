"""A cluster that is computed instead of run: a pool of workers for the engine, with a clock of its own.

Workers join late, die alone or with their node, hang, are slow; storage and driver take time for all they
are asked. Everything is drawn from the seed, and no draw depends on what happens elsewhere.
"""

import heapq
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sentilab.engines import MILESTONE, Needs, Outcome, Silent, Status, Task
from sentilab.engines.tasks import Ended, Event, Heard, Joined, Left

GIB = 2**30
MEMORY = 2 * GIB
# Storage is watched in spans of so many seconds.
SPAN = 10.0
# A running task gives a sign of life at least so often.
BEAT = 120.0


@dataclass(frozen=True)
class Trial:
    """What one training takes: seconds before, in each epoch and after; bytes of its state and results."""

    kind: str
    start: float
    epochs: tuple[float, ...]
    finish: float
    state: float
    results: float

    @property
    def seconds(self) -> float:
        return self.start + sum(self.epochs) + self.finish

    def times(self, factor: float) -> "Trial":
        """The same with so many times the computing."""
        epochs = tuple(factor * one for one in self.epochs)
        return replace(self, epochs=epochs, finish=factor * self.finish)


@dataclass(frozen=True)
class Work:
    """A trial of the plan. Some are ill-fated: "fails" of its own doing, "kills" its worker each time."""

    key: str
    trial: Trial
    fate: str = ""


@dataclass(frozen=True)
class Storage:
    """``rate`` operations and ``bandwidth`` bytes a second for all; ``latency`` seconds for each alone."""

    rate: float = 10_000.0
    bandwidth: float = 2e9
    latency: float = 0.001


# Asked of the file server for one file that is written (sentilab.atomic): its folder looked up, the
# temporary file created, flushed, renamed, and looked up once more to be removed.
OPERATIONS_A_FILE = 5
# Files written before the first epoch, after each (state, metrics, timings), and at the end.
FILES_BEFORE, FILES_AN_EPOCH, FILES_AFTER = 6, 3, 6
# Opening and reading the shared data; bytes only once a node, which keeps them.
READS, SHARED = 25, 100e6


@dataclass(frozen=True)
class Driver:
    """Seconds that the driver needs to hear a worker's message, and to start a task.

    Measured on one machine (AMD EPYC) through Ray 2.60, with four actors: 0.7 ms of processor time for one
    answer of an actor, asking again included. The pool of one machine needs 0.1 ms (``--measure``).
    """

    message: float = 0.7e-3
    start: float = 0.7e-3
    messages_a_second: float = 0.2


@dataclass(frozen=True)
class Cluster:
    """``mtbf``: hours between the deaths of a worker, in the mean; None: nothing goes wrong.

    With it go deaths of nodes (each a tenth as often), hanging (a twentieth), and attempts that starve or
    meet a refusal (one in a thousand each). ``late`` of the workers join minutes after the others. During
    ``outage``, from and to, storage refuses everything.
    """

    workers: int
    mtbf: float | None = None
    node: int = 16
    joining: float = 60.0
    late: float = 0.1
    uneven: float = 0.1
    stragglers: float = 0.02
    straggling: float = 2.0
    outage: tuple[float, float] = (0.0, 0.0)
    storage: Storage = field(default_factory=Storage)
    driver: Driver = field(default_factory=lambda: Driver())

    def slowness(self, seed: int, seat: int) -> float:
        """How many times as long everything takes on this worker."""
        draw = random.Random(f"{seed} slow {seat}")
        usual = math.exp(draw.gauss(0, self.uneven))
        return usual * (self.straggling if draw.random() < self.stragglers else 1)


@dataclass
class _Attempt:
    work: Work
    worker: str
    saved: float
    began: float
    steps: list[tuple[str, float, float, float]]
    """What is still to come: its name, seconds, storage operations, bytes."""
    spoilt: str = ""


@dataclass
class _Life:
    seat: int
    number: int
    slowness: float
    attempt: _Attempt | None = None
    hangs: bool = False

    @property
    def name(self) -> str:
        return f"worker {self.seat}.{self.number}"


class SimulatedPool:
    """An engine's pool whose workers are entries in a queue of times."""

    def __init__(self, works: Sequence[Work], cluster: Cluster, seed: int) -> None:
        self.cluster, self.seed, self.now = cluster, seed, 0.0
        self.works = {one.key: one for one in works}
        self.epochs_done: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()
        self.worked = self.lost = self.busy = 0.0
        self.done: Counter[str] = Counter()
        self.operations: Counter[int] = Counter()
        self.bytes: Counter[int] = Counter()
        self.storage_free = self.longest_wait = 0.0
        self.own_seconds = 0.0
        self.most_running = self.events_told = 0
        self._at_work = 0
        self._attempts: Counter[str] = Counter()
        self._running: dict[str, str] = {}
        self._lives: dict[str, _Life] = {}
        self._numbers: Counter[int] = Counter()
        self._nodes_read: set[int] = set()
        self._outbox: list[Event] = []
        self._queue: list[tuple[float, int, str, Any]] = []
        self._pushed = 0
        draw = random.Random(f"{seed} join")
        for seat in range(cluster.workers):
            late = draw.random() < cluster.late
            after = draw.uniform(120, 600) if late else draw.uniform(0, cluster.joining)
            self._push(after, "join", seat)
        if cluster.mtbf is not None:
            for node in range(math.ceil(cluster.workers / cluster.node)):
                self._push(self._node_lives(node, 0), "node", (node, 1))

    # What the engine asks of a pool.

    def muster(self) -> None:
        """Nobody has joined yet."""

    def start(self, worker: str, task: Task) -> None:
        begun = time.process_time()
        self._cost(self.cluster.driver.start)
        life = self._lives.get(worker)
        if life is not None:
            assert life.attempt is None, f"{worker} has two tasks"
            assert task.key not in self._running, f"{task.key} is done twice at once"
            assert task.key not in self.done, f"{task.key} is done again"
            self._begin(life, self.works[task.key])
        self.own_seconds += time.process_time() - begun

    def kill(self, worker: str, why: Outcome) -> None:
        if worker in self._lives:
            self._die(self.now, worker, why, 1.0, 10.0)

    def events(self, timeout: float) -> Sequence[Event]:
        begun = time.process_time()
        limit = self.now + timeout
        while self._queue:
            at = self._queue[0][0]
            if at > (self.now if self._outbox else limit):
                break
            at, _, kind, about = heapq.heappop(self._queue)
            self.now = max(self.now, at)
            getattr(self, f"_{kind}")(at, about)
        if not self._outbox:
            self.now = limit
        told, self._outbox = self._outbox, []
        self.events_told += len(told)
        self._cost(len(told) * self.cluster.driver.message)
        self.own_seconds += time.process_time() - begun
        return told

    # What happens.

    def _join(self, at: float, seat: int) -> None:
        number = self._numbers[seat] = self._numbers[seat] + 1
        life = _Life(seat, number, self.cluster.slowness(self.seed, seat))
        self._lives[life.name] = life
        self._outbox.append(Joined(life.name, Needs(1, MEMORY)))
        if self.cluster.mtbf is not None:
            draw = random.Random(f"{self.seed} life {life.name}")
            mean = 3600 * self.cluster.mtbf
            self._push(at + draw.expovariate(1 / mean), "death", life.name)
            self._push(at + draw.expovariate(1 / (20 * mean)), "hang", life.name)

    def _death(self, at: float, name: str) -> None:
        if name in self._lives:
            self.deaths["worker"] += 1
            reason = Outcome("lost", reason="Its worker was killed (SIGKILL).")
            self._die(at, name, reason, 1.0, self._replaced(name))

    def _node(self, at: float, about: tuple[int, int]) -> None:
        node, number = about
        self.deaths["node"] += 1
        self._push(at + self._node_lives(node, number), "node", (node, number + 1))
        self._nodes_read.discard(node)
        for name in [
            one for one in self._lives if self._lives[one].seat // self.cluster.node == node
        ]:
            reason = Outcome("lost", reason="Its node is gone.")
            self._die(at, name, reason, 30.0, self._replaced(f"node {node} {number}"))

    def _hang(self, at: float, name: str) -> None:
        life = self._lives.get(name)
        if life is not None and life.attempt is not None:
            self.deaths["hung"] += 1
            life.hangs = True

    def _step(self, at: float, attempt: _Attempt) -> None:
        """A task has computed something, and has storage write it down."""
        if not self._goes_on(attempt):
            return
        _, _, operations, size = attempt.steps[0]
        begin, end = self.cluster.outage
        if operations and begin <= at < end:
            self._end(at, attempt, Outcome("trouble", reason="runs: Input/output error"))
        elif operations:
            self._push(self._store(at, operations, size), "stored", attempt)
        else:
            self._advance(at, attempt)

    def _advance(self, at: float, attempt: _Attempt) -> None:
        name = attempt.steps.pop(0)[0]
        if name == "epoch":
            self.epochs_done[attempt.work.key] += 1
            attempt.saved = at
        if attempt.spoilt and name == ("start" if attempt.spoilt == "kills" else "epoch"):
            self._spoil(at, attempt)
        elif attempt.steps:
            saved = {MILESTONE: True} if name == "epoch" else {}
            self._outbox.append(Heard(attempt.worker, {name: 1} | saved))
            self._push(at + attempt.steps[0][1], "step", attempt)
        else:
            self.done[attempt.work.key] += 1
            self._end(at, attempt, Outcome("done"))

    def _spoil(self, at: float, attempt: _Attempt) -> None:
        worker, how = attempt.worker, attempt.spoilt
        if how == "fails":
            self.done[attempt.work.key] += 1
            self._end(at, attempt, Outcome("failed", reason="Training has diverged."))
        elif how == "trouble":
            self._end(at, attempt, Outcome("trouble", reason="Stale file handle"))
        elif how == "starved":
            self._die(at, worker, Outcome("starved", reason="Memory had run out."), 1.0, 10.0)
        else:
            reason = Outcome("lost", reason="Its worker was killed (SIGSEGV).")
            self._die(at, worker, reason, 1.0, 10.0)

    def _tell(self, _: float, event: Event) -> None:
        self._outbox.append(event)

    def _stored(self, at: float, attempt: _Attempt) -> None:
        if self._goes_on(attempt):
            self._advance(at, attempt)

    # Steps of these.

    def _begin(self, life: _Life, work: Work) -> None:
        number = self._attempts[work.key] = self._attempts[work.key] + 1
        trial, done = work.trial, self.epochs_done[work.key]
        node = life.seat // self.cluster.node
        first = node not in self._nodes_read
        self._nodes_read.add(node)
        read = (SHARED if first else 0.0) + (trial.state if done else 0.0)
        steps: list[tuple[str, float, float, float]] = []
        steps.append(("start", trial.start, READS + OPERATIONS_A_FILE * FILES_BEFORE, read))
        for seconds in trial.epochs[done:]:
            beats = int(seconds // BEAT)
            steps += [("beat", BEAT, 0, 0.0)] * beats
            left = seconds - beats * BEAT
            steps.append(("epoch", left, OPERATIONS_A_FILE * FILES_AN_EPOCH, trial.state))
        beats = int(trial.finish // BEAT)
        steps += [("beat", BEAT, 0, 0.0)] * beats
        left = trial.finish - beats * BEAT
        steps.append(("finish", left, OPERATIONS_A_FILE * FILES_AFTER + 1, trial.results))
        steps = [(name, life.slowness * took, asked, size) for name, took, asked, size in steps]
        attempt = _Attempt(work, life.name, self.now, self.now, steps, work.fate)
        if self.cluster.mtbf is not None and not work.fate:
            chance = random.Random(f"{self.seed} {work.key} {number}").random()
            attempt.spoilt = "starved" if chance < 0.001 else "trouble" if chance < 0.002 else ""
        life.attempt = attempt
        self._running[work.key] = life.name
        self._at_work += 1
        self.most_running = max(self.most_running, self._at_work)
        self._push(self.now + steps[0][1], "step", attempt)

    def _goes_on(self, attempt: _Attempt) -> bool:
        life = self._lives.get(attempt.worker)
        return life is not None and life.attempt is attempt and not life.hangs

    def _end(self, at: float, attempt: _Attempt, outcome: Outcome) -> None:
        life = self._lives[attempt.worker]
        life.attempt = None
        self._close(at, attempt)
        self._outbox.append(Ended(life.name, outcome))

    def _close(self, at: float, attempt: _Attempt) -> None:
        del self._running[attempt.work.key]
        self._at_work -= 1
        self.worked += at - attempt.began
        if attempt.work.key not in self.done:
            self.lost += at - attempt.saved

    def _die(self, at: float, name: str, why: Outcome, noticed: float, replaced: float) -> None:
        life = self._lives.pop(name)
        if life.attempt is not None:
            self._close(at, life.attempt)
        self._push(at + noticed, "tell", Left(name, why))
        self._push(at + noticed + replaced, "join", life.seat)

    def _store(self, at: float, operations: float, size: float) -> float:
        """When storage has done what is asked of it at ``at``; it does one thing after another."""
        storage = self.cluster.storage
        self.operations[int(at // SPAN)] += int(operations)
        self.bytes[int(at // SPAN)] += int(size)
        takes = max(operations / storage.rate, size / storage.bandwidth)
        self.storage_free = max(self.storage_free, at) + takes
        self.longest_wait = max(self.longest_wait, self.storage_free - takes - at)
        return self.storage_free + operations * storage.latency

    def _cost(self, seconds: float) -> None:
        """The driver is busy; what it hears of running tasks' progress takes a share of its time."""
        self.busy += seconds
        self.now += seconds / max(0.05, 1 - self.progress_share(self._at_work))

    def progress_share(self, running: float) -> float:
        """The share of the driver's time that messages of so many tasks take."""
        driver = self.cluster.driver
        return running * driver.messages_a_second * driver.message

    def _replaced(self, what: str) -> float:
        return random.Random(f"{self.seed} replaced {what}").uniform(120, 300)

    def _node_lives(self, node: int, number: int) -> float:
        assert self.cluster.mtbf is not None
        draw = random.Random(f"{self.seed} node {node} {number}")
        return draw.expovariate(1 / (10 * 3600 * self.cluster.mtbf))

    def _push(self, at: float, kind: str, about: Any) -> None:
        self._pushed += 1
        heapq.heappush(self._queue, (at, self._pushed, kind, about))


class Counting(Silent):
    """Counts what the engine says of tasks; each must end once."""

    def __init__(self) -> None:
        self.attempts = 0
        self.in_vain: Counter[str] = Counter()
        self.endings: dict[str, str] = {}

    def started(self, status: Status) -> None:
        self.attempts += 1

    def spoilt(self, status: Status, outcome: Outcome) -> None:
        self.in_vain[outcome.ending] += 1

    def ended(self, status: Status) -> None:
        assert status.task.key not in self.endings, f"{status.task.key} ended twice"
        assert status.outcome is not None
        self.endings[status.task.key] = status.outcome.ending
