"""Judging hostile inputs in a process with bounds on time and memory. Linux only: it reads /proc.

A fuzzer's own module makes an input from a kind and a number and judges it; what is here runs that in a
worker, which is started anew when an input has brought it down, and counts what came of it.
"""

import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.driver import ROOT

# Of a processor, so that what else the machine does is not held against an input; and for an answer.
SECONDS = 10.0
ANSWER = 60.0
# Above what the process has before it reads the input: resident, and address space.
MOST_RESIDENT = 512 << 20
MOST_ADDRESSES = 4 << 30
LONGEST_MESSAGE = 1_500


@dataclass(frozen=True)
class Outcome:
    """``verdict`` is "refused", "FINDING" or what the fuzzer calls a right answer; ``said`` is the
    message, or what went wrong.
    """

    kind: str
    seed: int
    verdict: str
    said: str
    seconds: float = 0.0
    mebibytes: float = 0.0


def unclear(said: str, path: Path, names: Sequence[str]) -> str:
    """What is wrong with an error's message about ``path``, which must say one of ``names``, or nothing."""
    try:
        said.encode()
    except UnicodeEncodeError:
        return f"a message that cannot be written: {ascii(said)[:300]}"
    plain = said.replace(str(path), "", 1)
    if not any(one in plain for one in names):
        return f"a message that does not name the file: {said[:300]}"
    if len(plain) > LONGEST_MESSAGE or any(ord(one) < 32 and one != "\n" for one in plain):
        return f"a message too long, or with control characters: {ascii(said)[:300]}"
    return ""


def serve(
    make: Callable[[str, int], Path], judge: Callable[[str, int, Path], tuple[str, str]]
) -> None:
    """A worker: a kind and a number a line on standard input, an outcome a line on standard output.

    ``make`` makes the input and says where it lies; ``judge`` gives the verdict and what was said.
    """
    limit = status("VmSize") + MOST_ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print("ready", flush=True)
    for line in sys.stdin:
        kind, seed = json.loads(line)
        try:
            path = make(kind, seed)
        except Exception as error:
            said = f"it could not be made: {type(error).__name__}: {error}"[:300]
            print(json.dumps(asdict(Outcome(kind, seed, "UNMADE", said))), flush=True)
            continue
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        before, start = status("VmRSS"), time.process_time()
        verdict, said = judge(kind, seed, path)
        seconds, memory = time.process_time() - start, status("VmHWM") - before
        if memory > MOST_RESIDENT:
            verdict, said = "FINDING", f"{memory >> 20} MiB of memory; {verdict} {said}"
        remove(path)
        found = Outcome(kind, seed, verdict, said, seconds, memory / (1 << 20))
        print(json.dumps(asdict(found)), flush=True)


def status(key: str) -> int:
    """Bytes that /proc says of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) << 10
    raise LookupError(key)


def remove(path: Path) -> None:
    """Whatever stands there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Worker:
    """A process of ``module`` that judges inputs, made of what lies in ``folder``."""

    def __init__(self, module: str, folder: Path) -> None:
        self._command = [sys.executable, "-m", module, "--work", str(folder)]
        self._start()

    def _start(self) -> None:
        # Coverage would be counted into an input's seconds: five times as many for walking a pickle.
        untraced = {
            key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")
        }
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=untraced,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self._line(120) != b"ready\n":
            raise SystemExit("The worker cannot read the inputs that were not damaged.")

    def judge(self, kind: str, seed: int) -> Outcome:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([kind, seed]).encode() + b"\n")
        self._process.stdin.flush()
        line = self._line(ANSWER)  # making the input takes time too
        if line:
            found = Outcome(**json.loads(line))
            if found.seconds > SECONDS:
                return replace(found, verdict="FINDING", said="too slow")
            return found
        self.stop()
        code = self._process.returncode
        how = "no answer in time" if code == -signal.SIGKILL else f"the process ended with {code}"
        self._start()
        return Outcome(kind, seed, "FINDING", how)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def _line(self, seconds: float) -> bytes:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        if not ready:
            return b""
        line: bytes = self._process.stdout.readline()
        if not line:
            self._process.wait()
        return line


def table(outcomes: Sequence[Outcome], inputs: str, right: str) -> str:
    """A row a kind and one of all; ``inputs`` and ``right`` are what these and right answers are called."""
    kinds = list(dict.fromkeys(one.kind for one in outcomes))
    lines = [
        f"| kind | {inputs} | refused | {right} | findings | slowest (s) | most memory (MiB) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in (*kinds, "all"):
        of_kind = [one for one in outcomes if kind in (one.kind, "all")]
        counts = Counter(one.verdict for one in of_kind)
        slowest = max(one.seconds for one in of_kind)
        most = max(one.mebibytes for one in of_kind)
        lines.append(
            f"| {kind.replace('_', ' ')} | {len(of_kind):,} | {counts['refused']:,} | "
            f"{counts[right]:,} | {counts['FINDING']:,} | {slowest:.2f} | {most:.0f} |"
        )
    return "\n".join(lines)
