"""Workers on this machine: processes, each on cores of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import IO, Any, cast

from sentilab.engines import machine
from sentilab.engines.tasks import Ended, Event, Heard, Joined, Left, Needs, Outcome, Task
from sentilab.errors import SentilabError

# So many workers in a row may end before they are ready.
STILLBORN = 3
SHOWN_OF_LOG = 2_000
# What a process brings upon itself; other signals come from outside.
OWN_DOING = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)


@dataclass
class _Process:
    popen: subprocess.Popen[bytes]
    connection: Connection
    log: IO[bytes]
    seat: int
    ready: bool = False
    killed: Outcome | None = None
    said: Outcome | None = None


class LocalPool:
    """``processes`` workers of ``threads`` cores and ``memory`` bytes (0: no bound) each.

    Use as a context manager. A worker that ends is replaced. ``pinned`` gives each cores of its own;
    ``environment`` is added to theirs.
    """

    def __init__(
        self,
        processes: int,
        threads: int,
        *,
        memory: int = 0,
        pinned: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.processes, self.threads, self.memory = processes, threads, memory
        self._shares = _shares(machine.cores(), processes, threads) if pinned else None
        self._environment = {**os.environ, **settings_of(threads), **(environment or {})}
        self._workers: dict[str, _Process] = {}
        self._made = 0
        self._stillborn = 0
        self._events: list[Event] = []
        self._kills = machine.kills_for_memory()

    def __enter__(self) -> "LocalPool":
        for seat in range(self.processes):
            self._spawn(seat)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._workers.values():
            one.popen.kill()
        for one in self._workers.values():
            one.popen.wait()
            one.connection.close()
            one.log.close()
        self._workers.clear()

    def muster(self) -> None:
        """Has ``events`` tell anew of the workers that are ready, for who has not heard of them."""
        self._events = [
            Joined(name, Needs(self.threads, self.memory), "here")
            for name, one in self._workers.items()
            if one.ready
        ]

    def start(self, worker: str, task: Task) -> None:
        """Has a worker, which must be ready, do a task."""
        order = {"call": task.call, "payload": task.payload}
        with suppress(OSError):  # it has just ended, which ``events`` will tell
            self._workers[worker].connection.send_bytes(json.dumps(order).encode())

    def kill(self, worker: str, why: Outcome) -> None:
        """Ends a worker at once; ``events`` tells when it is gone."""
        if worker in self._workers:
            process = self._workers[worker]
            if why.ending == "hung" and machine.is_stopped(process.popen.pid):
                # Whoever did that, it was not the task.
                why = Outcome("lost", reason=f"{why.reason} Its worker had been stopped (SIGSTOP).")
            process.killed = why
            process.popen.send_signal(signal.SIGKILL)

    def pids(self) -> dict[str, int]:
        """The workers' process numbers."""
        return {name: one.popen.pid for name, one in self._workers.items()}

    def events(self, timeout: float) -> Sequence[Event]:
        """What has happened; waits for something for at most ``timeout`` seconds.

        Raises SentilabError if no worker comes to be.
        """
        if self._events:
            timeout = 0.0
        by_connection = {one.connection: name for name, one in self._workers.items()}
        for ready in wait(list(by_connection), timeout):
            connection = cast(Connection, ready)
            name = by_connection[connection]
            try:
                while connection.poll():
                    self._receive(name, json.loads(connection.recv_bytes()))
            except (EOFError, OSError):
                self._bury(name)
        told, self._events = self._events, []
        return told

    def _receive(self, name: str, message: dict[str, Any]) -> None:
        process = self._workers[name]
        if "ready" in message:
            process.ready, self._stillborn = True, 0
            self._events.append(Joined(name, Needs(self.threads, self.memory), "here"))
        elif "told" in message:
            self._events.append(Heard(name, message["told"]))
        else:
            outcome = Outcome(**message["ended"])
            if outcome.ending == "starved":
                process.said = outcome  # what it holds is not given back while it lives
                process.popen.kill()
            else:
                self._events.append(Ended(name, outcome))

    def _bury(self, name: str) -> None:
        process = self._workers.pop(name)
        code = process.popen.wait()
        process.connection.close()
        log = _end_of(process.log)
        if not process.ready:
            self._stillborn += 1
            if self._stillborn >= STILLBORN:
                raise SentilabError(
                    f"No worker process comes to be: {STILLBORN} in a row ended at once "
                    f"({_said(code)}).\n{log}"
                )
        if process.ready:
            self._events.append(
                Left(name, process.killed or process.said or self._cause(code, log))
            )
        self._spawn(process.seat)

    def _cause(self, code: int, log: str) -> Outcome:
        kills = machine.kills_for_memory()
        starved = code == -signal.SIGKILL and kills > self._kills
        self._kills = kills
        if starved:
            return Outcome("starved", reason="The system killed it, as memory had run out.")
        last = log.strip().splitlines()[-1:] or [""]
        more = f" Its last words: {last[0]}" if last[0] and code != -signal.SIGKILL else ""
        by_itself = code >= 0 or -code in OWN_DOING
        return Outcome(
            "crashed" if by_itself else "lost", reason=f"Its worker {_said(code)}.{more}"
        )

    def _spawn(self, seat: int) -> None:
        self._made += 1
        ours, theirs = Pipe()
        log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the worker
        settings = {
            "cores": self._shares[seat] if self._shares else [],
            "memory": self.memory,
        }
        popen = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sentilab.engines.worker",
                str(theirs.fileno()),
                json.dumps(settings),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs.fileno(),),
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for the engine
        )
        theirs.close()
        self._workers[f"worker {self._made}"] = _Process(popen, ours, log, seat)


def settings_of(threads: int) -> dict[str, str]:
    """The environment in which a process computes with so many threads, on whatever cores it runs.

    XLA's sums, and so a run's last bits, may depend on how many there are: they are part of what a run
    is asked to do, and not left to the machine.
    """
    number = str(threads)
    return {
        "NPROC": number,  # XLA's pool
        "SENTILAB_THREADS": number,
        "OMP_NUM_THREADS": number,
        "OPENBLAS_NUM_THREADS": number,
    }


def _shares(cores: Sequence[int], processes: int, threads: int) -> list[list[int]]:
    """Cores for each process; with more processes than cores, round about."""
    return [
        [cores[(seat * threads + number) % len(cores)] for number in range(threads)]
        for seat in range(processes)
    ]


def _end_of(log: IO[bytes]) -> str:
    with log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - SHOWN_OF_LOG))
        return log.read().decode("utf-8", "replace")


def _said(code: int) -> str:
    if code < 0:
        try:
            return f"was killed ({signal.Signals(-code).name})"
        except ValueError:
            return f"was killed (signal {-code})"
    return f"ended with code {code}"
