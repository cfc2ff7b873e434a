"""How far a study is, in a file that other processes read: ``progress.json`` in its folder."""

import json
import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sentilab import atomic
from sentilab.engines import Outcome, Scheduler, Status, Told
from sentilab.errors import SentilabError
from sentilab.studies.plan import Plan
from sentilab.training import RunFolder, RunSettings
from sentilab.training.task import Training

FILE = "progress.json"
WRITE_SECONDS = 1.0
SHOWN_FAILURES = 100


@dataclass
class Running:
    """A training under way: ``share`` of it is done (0 to 1), as far as is known."""

    run: str
    model: str
    seed: int
    worker: str
    attempt: int
    epochs: int
    epoch: int = 0
    share: float = 0.0
    loss: float | None = None
    accuracy: float | None = None
    seconds: float = 0.0
    silent: float = 0.0


@dataclass
class Snapshot:
    """A study's progress at one moment.

    ``seconds`` is how long this command has been at it, ``left`` how long it may yet take (None: not known).
    ``spoilt`` counts attempts that came to nothing and were, or will be, made again, by how they ended.
    ``best`` is the best validation accuracy of a finished training, with its run.
    """

    engine: str = ""
    host: str = ""
    pid: int = 0
    trainings: int = 0
    finished: int = 0
    refused: int = 0
    failed: int = 0
    workers: int = 0
    seconds: float = 0.0
    left: float | None = None
    best: dict[str, Any] | None = None
    running: list[Running] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    spoilt: dict[str, int] = field(default_factory=dict)
    is_live: bool = False

    @property
    def waiting(self) -> int:
        return self.trainings - self.finished - self.refused - self.failed - len(self.running)


class Progress:
    """Keeps the file of one study up to date while it is carried out."""

    def __init__(self, folder: Path, engine: str) -> None:
        self._folder = folder
        self.snapshot = Snapshot(engine=engine, host=socket.gethostname(), pid=os.getpid())
        self._began = time.monotonic()
        self._next = 0.0
        self._running: dict[str, Running] = {}
        self._times: dict[str, tuple[float, float]] = {}
        self._settings: dict[str, RunSettings] = {}
        self._work_done: list[tuple[str, float]] = []

    def begin(self, missing: Iterable[Training], plan: Plan) -> None:
        """``missing`` are to be done, of all that the ``plan`` has."""
        self._settings = {one.folder.name: one.settings for one in missing}
        self.snapshot.trainings = len(plan.trainings)
        for one in plan.trainings:
            if one.folder.name not in self._settings:
                self._count(RunFolder(one.folder))
        self._write()

    def started(self, key: str, status: Status) -> None:
        settings = self._settings[key]
        self._running[key] = Running(
            key, settings.model, settings.seed, status.worker, status.attempts, settings.epochs
        )
        now = time.monotonic()
        self._times[key] = (now, now)

    def told(self, key: str, told: Told) -> None:
        running = self._running.get(key)
        if running is None:
            return
        self._times[key] = (self._times[key][0], time.monotonic())
        for name, said in told.items():
            if name == "on_resume":
                running.epoch, running.share = said[0], said[0] / running.epochs
            elif name == "on_step":
                running.epoch = said["epoch"]
                done = said["epoch"] - 1 + said["batch"] / said["batches"]
                running.share = done / running.epochs
                running.loss, running.accuracy = said["loss"], said["accuracy"]
            elif name == "on_epoch":
                running.epoch = said[0]["epoch"]
                running.share = running.epoch / running.epochs
                running.accuracy = said[0]["val_accuracy"]

    def spoilt(self, key: str, outcome: Outcome) -> None:
        self._running.pop(key, None)
        spoilt = self.snapshot.spoilt
        spoilt[outcome.ending] = spoilt.get(outcome.ending, 0) + 1
        self._write()

    def ended(self, key: str, run: RunFolder, outcome: Outcome) -> None:
        self._running.pop(key, None)
        self._work_done.append((key, time.monotonic() - self._times[key][0]))
        self._count(run, outcome)
        self._write()

    def tick(self, scheduler: Scheduler) -> None:
        """Writes the file, once a second at most."""
        self.snapshot.workers = scheduler.workers
        if time.monotonic() >= self._next:
            self._write()

    def end(self) -> None:
        """Nothing runs any more."""
        self._running.clear()
        self._write()

    def _count(self, run: RunFolder, outcome: Outcome | None = None) -> None:
        result = run.read_json("result.json") or {}
        status = result.get("status", "failed")
        if status == "finished":
            self.snapshot.finished += 1
            accuracy = result["kept"]["val_accuracy"]
            best = self.snapshot.best
            if best is None or accuracy > best["val_accuracy"]:
                self.snapshot.best = {"run": run.path.name, "val_accuracy": accuracy}
            return
        if status == "refused":
            self.snapshot.refused += 1
        else:
            self.snapshot.failed += 1
        if len(self.snapshot.failures) < SHOWN_FAILURES:
            reason = result.get("reason") or ("" if outcome is None else outcome.reason)
            self.snapshot.failures.append(
                {"run": run.path.name, "status": status, "reason": reason}
            )

    def _left(self, now: float) -> float | None:
        """What is left over all workers, by the seconds an epoch took of trainings of the same model."""
        rates: dict[str, list[float]] = {}
        for key, seconds in self._work_done:
            settings = self._settings[key]
            rates.setdefault(settings.model, []).append(seconds / settings.epochs)
        for key, one in self._running.items():
            if one.share > 0.05:
                took = now - self._times[key][0]
                rates.setdefault(one.model, []).append(took / (one.share * one.epochs))
        if not rates:
            return None
        typical = {model: float(np.median(each)) for model, each in rates.items()}
        usual = float(np.mean(list(typical.values())))
        over = {key for key, _ in self._work_done}
        ahead = [
            settings.epochs
            * typical.get(settings.model, usual)
            * (1 - (self._running[key].share if key in self._running else 0.0))
            for key, settings in self._settings.items()
            if key not in over
        ]
        return max([sum(ahead) / max(1, self.snapshot.workers), *ahead], default=0.0)

    def _write(self) -> None:
        now = time.monotonic()
        self._next = now + WRITE_SECONDS
        self.snapshot.seconds = round(now - self._began, 1)
        left = self._left(now)
        self.snapshot.left = None if left is None else round(left, 1)
        for key, one in self._running.items():
            began, heard = self._times[key]
            one.seconds, one.silent = round(now - began, 1), round(now - heard, 1)
        self.snapshot.running = list(self._running.values())
        # A full disk must not end what still computes.
        with suppress(OSError):
            atomic.write_text(
                self._folder / FILE, json.dumps(asdict(self.snapshot), indent=1) + "\n"
            )


def read_progress(folder: Path) -> Snapshot:
    """How far the study in ``folder`` is: as its command says while one is at it, else as its run folders do.

    Raises SentilabError if there is no study, and for a damaged file.
    """
    path = folder / FILE
    live = atomic.is_held(folder)
    if live and path.exists():
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            running = [Running(**one) for one in content.pop("running")]
            return Snapshot(**{**content, "is_live": True}, running=running)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SentilabError(f"{path}: not a study's progress ({error}); remove it.") from error
    return _counted(folder, live)


def _counted(folder: Path, live: bool) -> Snapshot:
    from sentilab.studies.study import read_results

    snapshot = Snapshot(is_live=live)
    for one in {run.folder: run for run in read_results(folder).runs}.values():
        snapshot.trainings += 1
        if one.status == "finished":
            snapshot.finished += 1
            accuracy = one.history[(one.chosen_epoch or len(one.history)) - 1].val_accuracy
            if snapshot.best is None or accuracy > snapshot.best["val_accuracy"]:
                snapshot.best = {"run": one.folder.name, "val_accuracy": accuracy}
        elif one.status in ("refused", "failed"):
            name = one.status
            setattr(snapshot, name, getattr(snapshot, name) + 1)
            snapshot.failures.append(
                {"run": one.folder.name, "status": one.status, "reason": one.reason}
            )
        snapshot.seconds += one.training_seconds
    return snapshot
