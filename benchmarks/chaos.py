"""A study of many short trainings while faults are injected at random: what survives, and how.

    python -m benchmarks.chaos --minutes 10 --trials 200 --engine ray --write

Every few seconds one fault: a worker or the command itself killed, a node lost or joining, a worker stopped
in its tracks, Ctrl-C, a full disk, a folder that is suddenly read-only, half-written and damaged files, a
clock that jumps, a second command on the same study. Some trainings are planted to fail: they take all memory,
hang, end their process, diverge, or cannot train. In the end every training must be finished, with the bytes
of a calm run, or failed for its planted reason, and none may have been written twice.

Needs Linux, and root for the disk faults: the runs lie on a small file system of their own.
"""

import argparse
import json
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.pages import page, replaced

DISK_MIB = 700
NODE_MEMORY = 3 << 30
HANG_AFTER = 30
PAUSE = (1.5, 4.5)
RARELY = 0.6
RUNS_A_SEED = 4 * 5 + 5

PLANTED = """
import os, time
import keras
from sentilab.models import Task, register


def _planted(how):
    def build(task: Task):
        if how == "memory":
            hoard = [bytearray(b"x" * (256 << 20)) for _ in range(400)]
        if how == "hang":
            time.sleep(3600)
        if how == "exit":
            os._exit(7)
    return build


for _how in ("memory", "hang", "exit"):
    def _make(how):
        @register("planted-" + how, summary="It fails as planned.")
        def build(task: Task) -> keras.Model:
            _planted(how)(task)
    _make(_how)
"""
PLANNED = {
    "memory": ("memory", "killed"),
    "hang": ("sign of life",),
    "exit": ("ended with code 7",),
    "diverging": ("diverged", "no number"),
    "unflattened": ("(None, 16, 1)",),
}
STUDY = """
name = "chaos"
seeds = [{seeds}]
[data]
source = "generated"
words = 500
length = 16
[protocol]
name = "holdout"
[defaults]
model_settings = {{ embedding = 8, units = 8 }}
[[run]]
name = "mlp-{{epochs}}-{{batch_size}}"
model = "mlp"
epochs = [2, 4, 8, 12]
batch_size = [8, 12, 16, 24, 32]
"""
MORE = """
[[run]]
name = "diverging"
model = "mlp"
learning_rate = 1e36
epochs = 3
[[run]]
name = "unflattened"
model = "mlp-unflattened"
"""
HOSTILE = """
[[run]]
name = "{how}"
model = "planted-{how}"
model_settings = {{}}
epochs = 13
"""
SAME = ("metrics.jsonl", "model.keras", "predictions.parquet", "result.json", "weights.safetensors")

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long *shift;
static int (*real)(clockid_t, struct timespec *);
static void begin(void) {
  real = dlsym(RTLD_NEXT, "clock_gettime");
  int file = open(getenv("SHIFTED_CLOCK"), O_RDONLY);
  shift = file < 0 ? 0 : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
}
int clock_gettime(clockid_t clock, struct timespec *t) {
  if (!real) begin();
  int failed = real(clock, t);
  if (!failed && clock == CLOCK_REALTIME && shift && shift != MAP_FAILED) t->tv_sec += *shift;
  return failed;
}
int gettimeofday(struct timeval *t, void *zone) {
  struct timespec now;
  int failed = clock_gettime(CLOCK_REALTIME, &now);
  if (!failed) { t->tv_sec = now.tv_sec; t->tv_usec = now.tv_nsec / 1000; }
  return failed;
}
time_t time(time_t *t) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (t) *t = now.tv_sec;
  return now.tv_sec;
}
"""


# By it the processes of this run are told from others: all that it starts inherit it.
MARK = "SENTILAB_CHAOS"


def workers() -> list[int]:
    """The numbers of this run's worker processes."""
    mine = f"{MARK}={os.environ[MARK]}".encode()
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_worker = b"sentilab.engines.worker" in (one / "cmdline").read_bytes()
            if is_worker and mine in (one / "environ").read_bytes():
                found.append(int(one.name))
    return found


class Chaos:
    """The command under attack, in ``home``."""

    def __init__(self, home: Path, engine: str, seed: int) -> None:
        self.home, self.engine = home, engine
        self.random = random.Random(seed)
        self.injected: Counter[str] = Counter()
        self.impossible: dict[str, str] = {}
        self.restarts = 0
        self.disk = home / "disk"
        self.study = self.disk / "runs" / "chaos-generated"
        self.cluster: Any = None
        self.nodes: list[Any] = []
        self.written: dict[str, set[tuple[int, int]]] = {}
        self.command: subprocess.Popen[bytes] | None = None
        self.is_over = threading.Event()
        self._make_clock()

    def __enter__(self) -> "Chaos":
        self.disk.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "chaos", str(self.disk)], check=True
        )
        if self.engine == "ray":
            from ray.cluster_utils import Cluster

            # The head has no core of its own, so that any node may be lost.
            self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
            self.nodes = [self.cluster.add_node(num_cpus=1, memory=NODE_MEMORY) for _ in range(3)]
        threading.Thread(target=self._note_results, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        if self.command is not None and self.command.poll() is None:
            self.command.kill()
            self.command.wait()
        if self.cluster is not None:
            self.cluster.shutdown()
        for _ in range(50):
            if not subprocess.run(["umount", str(self.disk)], capture_output=True).returncode:
                return
            time.sleep(0.2)

    def start(self) -> None:
        """The command, in a session of its own."""
        call = [sys.executable, "-m", "sentilab", "study", "chaos.toml", "--runs", "disk/runs"]
        call += ["--models-from", "planted.py", "--hang-after", f"{HANG_AFTER}s"]
        if self.engine == "ray":
            call += ["--engine", "ray", "--address", self.cluster.address]
        else:
            call += ["--workers", "3", "--threads", "1"]
        log = (self.home / "log.txt").open("ab")
        self.command = subprocess.Popen(
            call,
            cwd=self.home,
            env=self.environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "LD_PRELOAD": str(self.home / "clock.so"),
            "SHIFTED_CLOCK": str(self.home / "clock"),
            "JAX_PLATFORMS": "cpu",
            "PYTHONFAULTHANDLER": "1",
        }

    def _make_clock(self) -> None:
        (self.home / "clock").write_bytes(bytes(8))
        (self.home / "clock.c").write_text(CLOCK)
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", "clock.so", "clock.c", "-ldl"],
            cwd=self.home,
            check=True,
        )

    def _note_results(self) -> None:
        """Each result.json by its file's number: one that is written again gets another."""
        while not self.is_over.wait(0.1):
            for one in self.study.glob("*-*/result.json"):
                with suppress(OSError):
                    found = one.stat()
                    key = (found.st_ino, found.st_mtime_ns)
                    self.written.setdefault(one.parent.name, set()).add(key)

    # The faults. Each returns whether it could be done now.

    def kill_worker(self) -> bool:
        for pid in self.random.sample(found := workers(), min(1, len(found))):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def stop_worker(self) -> bool:
        for pid in self.random.sample(found := workers(), min(1, len(found))):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                return True
        return False

    def kill_command(self) -> bool:
        assert self.command is not None
        self.command.kill()
        return True

    def interrupt(self) -> bool:
        assert self.command is not None
        self.command.send_signal(signal.SIGINT)
        try:
            self.command.wait(60)
        except subprocess.TimeoutExpired:
            self.command.send_signal(signal.SIGABRT)  # where it hangs goes into the log
            self.command.wait()
            raise
        return True

    def fill_disk(self) -> bool:
        ballast = self.disk / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
        time.sleep(self.random.uniform(1, 4))
        ballast.unlink(missing_ok=True)
        return True

    def read_only(self) -> bool:
        # The same files, mounted once more in their own place, for reading: files that are open for
        # writing would forbid it otherwise.
        where = str(self.disk)
        for options in (["--bind", where, where], ["-o", "remount,bind,ro", where]):
            subprocess.run(["mount", *options], check=True)
        time.sleep(self.random.uniform(1, 4))
        subprocess.run(["umount", "--lazy", where], check=True)
        return True

    def half_written(self) -> bool:
        for run in self._runs(lambda run: not (run / "result.json").exists()):
            (run / ".abcd1234.partial.result.json").write_text('{"status": "fini')
            return True
        return False

    def damaged_state(self) -> bool:
        return any(map(self._damage, self.study.glob("*-*/state.safetensors")))

    def damaged_cache(self) -> bool:
        found = [*(self.home / "cache").rglob("*.safetensors"), *self.study.glob(".share/*.npy")]
        return bool(found) and self._damage(self.random.choice(found))

    def second_command(self) -> bool:
        assert self.command is not None
        call = [*self.command.args, "--only", "mlp-2-8"]  # type: ignore[misc]
        second = subprocess.run(
            call, cwd=self.home, env=self.environment(), capture_output=True, timeout=120
        )
        refused = b"another sentilab is at work" in second.stderr
        if not refused and self.command.poll() is None and second.returncode:
            raise AssertionError(second.stderr.decode())
        return refused

    def jump(self) -> bool:
        with (self.home / "clock").open("r+b") as file, mmap.mmap(file.fileno(), 8) as clock:
            clock[:8] = struct.pack(
                "q", self.random.choice([-1, 1]) * self.random.randint(60, 10**7)
            )
        return True

    def lose_node(self) -> bool:
        if self.cluster is None or len(self.nodes) < 2:
            return False
        node = self.nodes.pop(self.random.randrange(len(self.nodes)))
        self.cluster.remove_node(node, allow_graceful=False)
        return True

    def join_node(self) -> bool:
        if self.cluster is None or len(self.nodes) > 2:
            return False
        self.nodes.append(self.cluster.add_node(num_cpus=1, memory=NODE_MEMORY))
        return True

    def _runs(self, which: Callable[[Path], bool]) -> list[Path]:
        runs = [one for one in self.study.glob("*-*/") if which(one)]
        self.random.shuffle(runs)
        return runs

    def _damage(self, path: Path) -> bool:
        with suppress(OSError):
            content = bytearray(path.read_bytes())
            if content:
                content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
                # In place, as a disk does it.
                with path.open("r+b") as file:
                    file.write(content)
                return True
        return False

    def faults(self) -> dict[str, Callable[[], bool]]:
        return {
            "a worker killed (SIGKILL)": self.kill_worker,
            "a worker stopped (SIGSTOP)": self.stop_worker,
            "the command killed (SIGKILL)": self.kill_command,
            "Ctrl-C": self.interrupt,
            "the disk full, for 1 to 4 s": self.fill_disk,
            "the folder read-only, for 1 to 4 s": self.read_only,
            "a half-written file": self.half_written,
            "a bit flipped in a run's saved state": self.damaged_state,
            "a bit flipped in a cache": self.damaged_cache,
            "a second command on the study": self.second_command,
            "the clock set, by up to 115 days": self.jump,
            "a node lost": self.lose_node,
            "a node joining": self.join_node,
        }

    def go(self, minutes: float) -> float:
        """Faults until the time is over, then calm until the study has ended; gives the seconds."""
        began = time.monotonic()
        self.start()
        assert self.command is not None
        while True:
            time.sleep(self.random.uniform(*PAUSE))
            is_time_over = time.monotonic() - began > 60 * minutes
            if self.command.poll() is not None:
                if self.command.returncode == 0 and self._is_finished():
                    return time.monotonic() - began
                if self.command.returncode not in (0, 1, 130, -2, -9):
                    raise AssertionError(f"the command ended with {self.command.returncode}")
                self.restarts += 1
                self.start()
                continue
            if is_time_over:
                while self.join_node():
                    pass
                continue
            faults = list(self.faults().items())
            for name, fault in self.random.sample(faults, len(faults)):
                # To begin again takes long, and nothing else can go wrong meanwhile.
                is_rare = fault in (self.kill_command, self.interrupt)
                if not (is_rare and self.random.random() < RARELY) and fault():
                    self.injected[name] += 1
                    break

    def _is_finished(self) -> bool:
        plan = json.loads((self.study / "study.json").read_text())["runs"]
        return all((self.study / one["folder"] / "result.json").exists() for one in plan)


def calm(home: Path, environment: dict[str, str]) -> Path:
    """The same study in peace, without what is planted to break its worker."""
    call = [sys.executable, "-m", "sentilab", "study", "calm.toml", "--runs", "calm"]
    subprocess.run(
        [*call, "--workers", "2", "--threads", "1"],
        cwd=home,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return home / "calm" / "chaos-generated"


def judged(chaos: Chaos, reference: Path, trainings: int) -> tuple[Counter[str], list[str]]:
    """How the trainings ended, of which there must be so many, and what is wrong."""
    ended: Counter[str] = Counter()
    wrong = []
    runs = json.loads((chaos.study / "study.json").read_text())["runs"]
    if len(runs) != trainings:
        wrong.append(f"study.json has {len(runs)} trainings, not {trainings}")
    for run in runs:
        folder, name = chaos.study / run["folder"], run["name"].partition("@")[0]
        try:
            result = json.loads((folder / "result.json").read_text())
        except (OSError, ValueError) as error:
            wrong.append(f"{run['name']}: lost ({error})")
            continue
        times = len(chaos.written.get(folder.name, ()))
        if times > 1:
            wrong.append(f"{run['name']}: written {times} times")
        planned = PLANNED.get(name)
        if planned is None:
            if result["status"] != "finished":
                wrong.append(f"{run['name']}: {result['status']}, {result.get('reason')}")
                continue
            ended["finished"] += 1
            for file in SAME:
                calmly = reference / run["folder"] / file
                if (folder / file).read_bytes() != calmly.read_bytes():
                    wrong.append(f"{run['name']}: {file} differs from a calm run's")
        elif result["status"] == "finished" or not any(one in result["reason"] for one in planned):
            wrong.append(f"{run['name']}: {result}")
        else:
            ended[f"failed as planted: {name}"] += 1
    return ended, wrong


def main() -> None:
    """Runs it, prints what happened, and fails if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--seed", type=int, default=297)
    parser.add_argument("--write", action="store_true", help="put the table into docs/engines.md")
    asked = parser.parse_args()
    # In the background of a shell it would be ignored, and so by all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seeds = max(1, round(asked.trials / RUNS_A_SEED))
    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    os.environ[MARK] = home.name
    text = STUDY.format(seeds=", ".join(map(str, range(1, seeds + 1)))) + MORE
    (home / "calm.toml").write_text(text)
    hostile = "".join(HOSTILE.format(how=how) for how in ("memory", "hang", "exit"))
    (home / "chaos.toml").write_text(text + hostile)
    (home / "planted.py").write_text(PLANTED)
    try:
        with Chaos(home, asked.engine, asked.seed) as chaos:
            seconds = chaos.go(asked.minutes)
            reference = calm(home, chaos.environment())
            ended, wrong = judged(chaos, reference, seeds * RUNS_A_SEED)
    except BaseException:
        print(f"left for inspection: {home}")
        raise
    lines = [f"| {name} | {times} |" for name, times in chaos.injected.most_common()]
    lines.append(f"| **all faults** | **{chaos.injected.total()}** |")
    total = sum(ended.values())
    said = "; ".join(f"{times} {how}" for how, times in ended.most_common())
    table = "\n".join(
        [
            f"{total} trainings, engine {asked.engine}, seed {asked.seed}, {seconds / 60:.1f} minutes; the "
            f"command was started {chaos.restarts + 1} times.",
            "",
            "| fault | times |",
            "| --- | ---: |",
            *lines,
            "",
            f"In the end: {said}; none lost, none written twice, and all that finished has the bytes of a "
            "calm run."
            if not wrong
            else "In the end something was wrong.",
        ]
    )
    print(table)
    for one in wrong:
        print("WRONG:", one)
    if wrong:
        print(f"left for inspection: {home}")
        sys.exit(1)
    shutil.rmtree(home, ignore_errors=True)
    if asked.write:
        written = page("engines.md")
        written.write_text(replaced(written.read_text(), "chaos", table))


if __name__ == "__main__":
    main()
