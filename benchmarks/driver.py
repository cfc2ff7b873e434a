"""Starts contenders' processes, lets them work in turns, and keeps what they report."""

import json
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parent.parent

# A request may compile a model that takes half a minute a step; one that hangs must still end.
LONGEST_REQUEST = 1200.0

# Settings of one machine's making that would slow NumPy's BLAS down.
NOT_INHERITED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class ContenderFailed(Exception):
    """A contender answered with an error, or its process ended; ``absent``: its library is missing."""

    def __init__(self, message: str, absent: bool = False) -> None:
        super().__init__(message)
        self.absent = absent


class Asked(Protocol):
    """Whatever answers requests: a process, or a fake in a test."""

    def ask(self, **request: Any) -> dict[str, Any]: ...


class Worker:
    """A process that speaks the protocol of benchmarks.worker; it ends when the block does."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        inherited = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**inherited, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to one request; raises ContenderFailed if it is an error or does not come."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watch = threading.Timer(LONGEST_REQUEST, self.process.kill)
        watch.start()
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            last = self.log.read_text(errors="replace").strip().splitlines()[-3:]
            raise ContenderFailed("its process ended: " + " / ".join(last or ["without a word"]))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContenderFailed(answer["error"], answer["absent"])
        return answer


@dataclass
class Measured:
    """One contender's times for one quantity.

    ``seconds`` has one number a repeat, each over ``count`` steps; ``others`` says how many cores
    were busy meanwhile with anything else on this machine.
    """

    count: int
    seconds: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    def turn(self, worker: Asked, quantity: str) -> None:
        """Lets ``worker`` take its steps and adds what they took."""
        busy, started = busy_seconds(), time.perf_counter()
        answer = worker.ask(do=quantity, count=self.count)
        elapsed = time.perf_counter() - started
        self.seconds.append(answer["seconds"])
        others = (busy_seconds() - busy - answer["cpu"]) / elapsed
        self.others.append(max(0.0, others) if busy else 0.0)

    def to_json(self) -> dict[str, Any]:
        each = [one / self.count for one in self.seconds]
        return {
            "median": statistics.median(each),
            "each": each,
            "count": self.count,
            "others_cores": statistics.median(self.others),
        }


def start_all(
    names: Sequence[str],
    start: Callable[[str], Worker],
    prepare: Callable[[Worker], dict[str, Any]],
    at_once: int,
) -> tuple[dict[str, Worker], dict[str, dict[str, Any]], dict[str, str]]:
    """Starts and prepares a worker for each name, ``at_once`` at a time; nothing is measured yet.

    Importing and compiling use one core each for most of the time. Returns the workers, what
    ``prepare`` returned for them, and why the others failed.
    """

    def begin(name: str) -> tuple[Worker, dict[str, Any]] | str:
        worker = start(name)
        try:
            return worker, prepare(worker)
        except BaseException as error:
            worker.__exit__()
            if isinstance(error, ContenderFailed):
                return str(error)
            raise

    with ThreadPoolExecutor(at_once) as pool:
        outcomes = list(zip(names, pool.map(begin, names), strict=True))
    failed = {name: one for name, one in outcomes if isinstance(one, str)}
    ready = {name: one for name, one in outcomes if not isinstance(one, str)}
    workers = {name: worker for name, (worker, _) in ready.items()}
    return workers, {name: details for name, (_, details) in ready.items()}, failed


def take_turns(
    workers: Mapping[str, Asked], quantity: str, seconds: float, repeats: int, most: int
) -> tuple[dict[str, Measured], dict[str, str]]:
    """Measures ``quantity`` of every worker, A B C D A B C D ..., never two at once.

    Each gets about ``seconds`` in all and up to ``repeats`` turns of at most ``most`` steps; a
    single step that takes longer is measured once all the same. Returns the times, and why
    contenders that failed have none.
    """
    failed: dict[str, str] = {}
    plans: dict[str, tuple[int, int]] = {}
    for name, worker in workers.items():
        try:
            plans[name] = plan(pace(worker, quantity, most), seconds, repeats, most)
        except ContenderFailed as error:
            failed[name] = str(error)
    measured = {name: Measured(count) for name, (_, count) in plans.items()}
    for turn in range(max((turns for turns, _ in plans.values()), default=0)):
        for name, (turns, _) in plans.items():
            if turn >= turns or name in failed:
                continue
            try:
                measured[name].turn(workers[name], quantity)
            except ContenderFailed as error:
                failed[name] = str(error)
    return {name: one for name, one in measured.items() if name not in failed}, failed


def epochs_in_turns(
    workers: Mapping[str, Asked], repeats: int
) -> tuple[dict[str, Measured], dict[str, str]]:
    """Whole epochs in turns, after one of the last two batches alone: the last may be smaller."""
    failed: dict[str, str] = {}
    measured = {name: Measured(1) for name in workers}
    for turn in range(repeats + 1):
        for name, worker in workers.items():
            if name in failed:
                continue
            try:
                if turn:
                    measured[name].turn(worker, "epoch")
                else:
                    worker.ask(do="epoch", count=0)
            except ContenderFailed as error:
                failed[name] = str(error)
    return {name: one for name, one in measured.items() if name not in failed}, failed


def pace(worker: Asked, quantity: str, most: int) -> float:
    """Seconds a step of a worker that is warm already, from a step or a few."""
    seconds: float = worker.ask(do=quantity, count=1)["seconds"]
    if seconds < 0.3:
        count = max(1, min(most, round(0.3 / max(seconds, 1e-4))))
        seconds = worker.ask(do=quantity, count=count)["seconds"] / count
    return seconds


def plan(step: float, seconds: float, repeats: int, most: int) -> tuple[int, int]:
    """(turns, steps a turn) for steps of ``step`` seconds within about ``seconds`` in all."""
    turns = max(1, min(repeats, int(seconds / step)))
    return turns, max(1, min(most, round(seconds / turns / step)))


def busy_seconds() -> float:
    """Processor time that this machine has spent at work since it started; 0 where it is unknown."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _, _, irq, softirq, *_ = map(
        int, stat.read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / float(os.sysconf("SC_CLK_TCK"))


def share(left: float, cases_left: int, overhead: float, weights: float) -> float:
    """Seconds for one contender's steps in the next case.

    ``left`` seconds are shared evenly by the cases; each loses ``overhead`` to starting up, and
    ``weights`` is how many shares (contenders times quantities) the rest falls into.
    """
    return min(20.0, max(1.0, (left / cases_left - overhead) / weights))
