"""Workers on a Ray cluster: the same processes as on one machine, each kept by an actor.

An actor reserves a worker's cores and passes on what it says; nodes may come and go. The shared data of a
study go through Ray's object store to nodes that do not see the folder they lie in.
"""

import hashlib
import json
import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray

from sentilab import atomic
from sentilab.engines import machine
from sentilab.engines.local import LocalPool
from sentilab.engines.tasks import Ended, Event, Heard, Joined, Left, Needs, Outcome, Task
from sentilab.errors import SentilabError

# How often the driver looks for nodes that have joined.
LOOK_SECONDS = 1.0
# What workers tell of their progress is passed on together, so often; ends are passed on at once.
GATHER_SECONDS = 0.25
# An actor answers at least so often, which shows that it lives.
ANSWER_SECONDS = 5.0
MARK = "facts.json"


class RayPool:
    """A worker of ``threads`` cores on every so many of the cluster's, ``most`` at most.

    ``address`` is that of a running cluster ("auto" for the one of this machine); None starts one here.
    ``share`` is the folder of the tasks' shared data, and ``witness`` a file of the folder they write to, by
    which nodes tell that they see that folder. Use as a context manager.

    Raises SentilabError if the cluster cannot be reached.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        threads: int = 1,
        most: int | None = None,
        share: Path | None = None,
        witness: Path | None = None,
    ) -> None:
        self._address, self._threads, self._most = address, threads, most
        # Nodes work in folders of their own.
        self._share = None if share is None else share.absolute()
        self._witness = None if witness is None else witness.absolute()
        self._seats: dict[str, Any] = {}
        self._asked: dict[Any, str] = {}
        self._seat_of: dict[str, tuple[str, str]] = {}
        self._ready: dict[str, Joined] = {}
        self._told: list[Event] = []
        self._made = 0
        self._next_look = 0.0
        self._files: dict[str, Any] = {}
        self._digest = ""

    def __enter__(self) -> "RayPool":
        self._connection = connected(self._address)
        self._connection.__enter__()
        self._seat_class = ray.remote(num_cpus=self._threads, max_restarts=0, max_concurrency=3)(
            Seat
        )
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._seats.values():
            ray.kill(one)
        self._seats.clear()
        self._files.clear()
        self._connection.__exit__(None, None, None)

    @property
    def told(self) -> str:
        """What the cluster is, in words."""
        nodes = [one for one in ray.nodes() if one["Alive"]]
        cores = sum(int(one["Resources"].get("CPU", 0)) for one in nodes)
        many = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
        threads = "1 thread" if self._threads == 1 else f"{self._threads} threads"
        where = self._address or "on this machine"
        return f"Ray {ray.__version__} {where}: {many}, {cores} cores, {threads} a worker"

    def muster(self) -> None:
        """Has ``events`` tell anew of the workers that are ready, for who has not heard of them."""
        self._told = list(self._ready.values())

    def start(self, worker: str, task: Task) -> None:
        """Has a worker, which must be ready, do a task."""
        seat, inner = self._seat_of[worker]
        if seat not in self._seats:
            return
        files = self._shipped() if "share" in task.payload else {}
        order = json.dumps({"call": task.call, "payload": task.payload, "key": task.key})
        # Wrapped, so that Ray hands over the references and not what they refer to.
        self._seats[seat].start.remote(inner, order, [files], self._digest, self._seen())

    def kill(self, worker: str, why: Outcome) -> None:
        """Ends a worker at once; ``events`` tells when it is gone."""
        seat, inner = self._seat_of[worker]
        if seat in self._seats:
            self._seats[seat].kill.remote(inner, json.dumps(asdict(why)))

    def events(self, timeout: float) -> Sequence[Event]:
        """What has happened; waits for something for at most ``timeout`` seconds."""
        self._look_for_nodes()
        if self._told:
            told, self._told = self._told, []
            return told
        if not self._asked:
            time.sleep(timeout)
            return []
        ready, _ = ray.wait(list(self._asked), num_returns=1, timeout=timeout)
        if ready:  # and whatever else is there by now
            ready, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        told = []
        for one in ready:
            seat = self._asked.pop(one)
            try:
                told.extend(self._event(seat, said) for said in json.loads(ray.get(one)))
            except ray.exceptions.RayError as error:
                told += self._lost(seat, error)
                continue
            self._ask(seat)
        return told

    def _look_for_nodes(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        places = sum(
            int(one["Resources"].get("CPU", 0)) // self._threads
            for one in ray.nodes()
            if one["Alive"]
        )
        wanted = places if self._most is None else min(places, self._most)
        while len(self._seats) < wanted:
            self._made += 1
            name = f"seat {self._made}"
            self._seats[name] = self._seat_class.options(scheduling_strategy="SPREAD").remote(
                self._threads
            )
            self._ask(name)

    def _ask(self, seat: str) -> None:
        self._asked[self._seats[seat].events.remote()] = seat

    def _event(self, seat: str, said: Mapping[str, Any]) -> Event:
        worker = f"{seat}.{said['worker'].rpartition(' ')[2]}"
        if said["kind"] == "joined":
            self._seat_of[worker] = (seat, said["worker"])
            joined = Joined(worker, Needs(**said["capacity"]), said["place"])
            self._ready[worker] = joined
            return joined
        if said["kind"] == "heard":
            return Heard(worker, said["told"])
        if said["kind"] == "left":
            self._ready.pop(worker, None)
            return Left(worker, Outcome(**said["outcome"]))
        return Ended(worker, Outcome(**said["outcome"]))

    def _lost(self, seat: str, error: Exception) -> list[Event]:
        actor = self._seats.pop(seat, None)
        if actor is not None:
            with suppress(ray.exceptions.RayError):  # out of reach it may yet be alive
                ray.kill(actor)
        first = str(error).strip().partition("\n")[0]
        why = Outcome("lost", reason=f"Its node or its actor is gone ({first}).")
        gone = [name for name, (where, _) in self._seat_of.items() if where == seat]
        for name in gone:
            del self._seat_of[name]
            self._ready.pop(name, None)
        return [Left(name, why) for name in gone]

    def _shipped(self) -> dict[str, Any]:
        """The shared data's files in the object store, put there when they are first needed."""
        if not self._files and self._share is not None:
            import numpy as np

            self._digest = hashlib.sha256((self._share / MARK).read_bytes()).hexdigest()
            for one in sorted(self._share.iterdir()):
                if not one.name.startswith("."):
                    self._files[one.name] = ray.put(np.fromfile(one, np.uint8))
        return self._files

    def _seen(self) -> list[str] | None:
        if self._witness is None:
            return None
        return [str(self._witness), hashlib.sha256(self._witness.read_bytes()).hexdigest()]


class Seat:
    """An actor that keeps one worker process; it passes JSON both ways."""

    def __init__(self, threads: int) -> None:
        # Ray says how many cores a worker has, not which: several nodes may be on one machine.
        self._pool = LocalPool(1, threads, memory=_share_of_memory(threads), pinned=False)
        self._pool.__enter__()
        self._place = f"{socket.gethostname()} {ray.get_runtime_context().get_node_id()[:6]}"
        self._refused: list[Event] = []
        self._is_in_doubt = False

    def events(self) -> str:
        """What has happened, as JSON; waits for something, but not for long."""
        until = time.monotonic() + ANSWER_SECONDS
        told: list[Event] = []
        while time.monotonic() < until:
            some = [*self._pool.events(GATHER_SECONDS), *self._refused]
            self._refused.clear()
            told += some
            if any(isinstance(one, Ended) and one.outcome.ending == "trouble" for one in some):
                self._is_in_doubt = True
            if any(not isinstance(one, Heard) for one in some):
                break
            if told:
                until = min(until, time.monotonic() + GATHER_SECONDS)
        return json.dumps([self._plain(one) for one in told])

    def start(
        self, worker: str, order: str, files: list[dict[str, Any]], digest: str, seen: Any
    ) -> None:
        """Has the worker do a task, with its shared data at a place that it sees."""
        given = json.loads(order)
        payload = given["payload"]
        if seen is not None and not _sees(*seen):
            reason = (
                f"The node {self._place} does not see {Path(seen[0]).parent}, where the results belong.\n"
                "  Put them where all nodes see them, with --runs."
            )
            self._refused.append(Ended(worker, Outcome("trouble", reason=reason)))
            return
        if files[0]:
            payload["share"] = str(self._share(Path(payload["share"]), files[0], digest))
        if worker not in self._pool.pids():
            return  # it has just died, as ``events`` tells
        self._pool.start(worker, Task(given["key"], given["call"], payload))

    def kill(self, worker: str, why: str) -> None:
        """Ends the worker."""
        self._pool.kill(worker, Outcome(**json.loads(why)))

    def pids(self) -> dict[str, int]:
        """The process number of the worker."""
        return self._pool.pids()

    def _share(self, original: Path, files: Mapping[str, Any], digest: str) -> Path:
        """The shared data's folder: the original if this node sees it, else a copy of the node's.

        The copy is made anew where a task has met trouble, which may be damaged data.
        """
        if _sees(str(original / MARK), digest):
            return original
        copy = Path(tempfile.gettempdir()) / f"sentilab-share-{digest[:16]}"
        copy.mkdir(exist_ok=True)
        with atomic.alone(copy, "copy", waiting=lambda: None):
            if self._is_in_doubt or not _sees(str(copy / MARK), digest):
                for name in sorted(files, key=lambda one: one == MARK):  # the mark last
                    atomic.write_bytes(copy / name, ray.get(files[name]).tobytes())
                self._is_in_doubt = False
        return copy

    def _plain(self, event: Event) -> dict[str, Any]:
        if isinstance(event, Joined):
            kind: dict[str, Any] = {
                "kind": "joined",
                "capacity": asdict(event.capacity),
                "place": self._place,
            }
        elif isinstance(event, Heard):
            kind = {"kind": "heard", "told": event.told}
        else:
            name = "left" if isinstance(event, Left) else "ended"
            kind = {"kind": name, "outcome": asdict(event.outcome)}
        return {**kind, "worker": event.worker}


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Reaches the cluster at ``address``, or starts one here, unless Ray is connected already.

    Raises SentilabError if there is none.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _connect(address)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(address: str | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init("local", num_cpus=len(machine.cores()), include_dashboard=False, **quiet)
        else:
            _require_listening(address)
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        first = str(error).strip().partition("\n")[0]
        raise SentilabError(
            f"No Ray cluster is reached at {address or 'this machine'}: {first}\n"
            "  `ray start --head` starts one, and prints its address for --address. If it asks for a token, "
            "set\n  RAY_AUTH_MODE=token and RAY_AUTH_TOKEN."
        ) from error


def _require_listening(address: str) -> None:
    """Raises OSError at once where Ray would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _share_of_memory(threads: int) -> int:
    """What a worker of so many cores may have of its node's memory, as Ray counts it; 0: not known."""
    here = ray.get_runtime_context().get_node_id()
    for one in ray.nodes():
        if one["NodeID"] == here:
            told = one["Resources"]
            return int(told.get("memory", 0) * min(1.0, threads / max(1.0, told.get("CPU", 1.0))))
    return 0


def _sees(path: str, digest: str) -> bool:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest
    except OSError:
        return False
