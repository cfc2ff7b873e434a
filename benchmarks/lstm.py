"""Measures Sentilab's LSTM models against stock Keras and torch, side by side.

    .venv/bin/python -m benchmarks.lstm                     the acceptance cases, some 12 minutes
    .venv/bin/python -m benchmarks.lstm --grid full         every case that fits into 30 minutes
    .venv/bin/python -m benchmarks.lstm --grid full --resume --minutes 60      those still missing
    .venv/bin/python -m benchmarks.lstm --case 'bilstm2-h64-*-b32' --epoch

TensorFlow and torch come from .venv-peers (`make bench-peers`). For each case every contender is
started in a process of its own and warmed up; then they take turns, one at a time, while the others
sleep. What is reported is the median over the turns; benchmarks.render shows it.
"""

import argparse
import json
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import batches, cases, driver, floors
from benchmarks.cases import Case
from benchmarks.contenders import TITLES
from sentilab.training.environment import environment as sentilab_environment

RESULTS = driver.ROOT / "benchmarks" / "results" / "lstm.json"
MINUTES = {"small": 12.0, "full": 30.0}

# A batch of inference takes a fifth to a third of a training step and settles as fast.
WEIGHTS = {"step": 1.0, "predict": 0.5, "epoch": 0.0}


class Benchmark:
    """One run over cases; ``results`` is what the file of results will hold."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.began = time.monotonic()
        # In seconds: what a contender's step takes for each of its FLOPs, and what a start takes.
        self.pace: dict[str, float] = {}
        self.overhead = 30.0
        self.results: dict[str, Any] = {
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "environment": environment(options.threads),
            "contenders": {},
            "absent": {},
            "floors": {},
            "cases": [],
            "left_out": [],
        }

    @property
    def left(self) -> float:
        """Seconds left of the time that was given."""
        return float(self.options.minutes * 60 - (time.monotonic() - self.began))

    def worker(self, name: str) -> driver.Worker:
        """A new process of the contender ``name``."""
        python = sys.executable
        if name in ("keras-tensorflow", "torch"):
            python = str(self.options.peers / "bin" / "python")
            if not Path(python).exists():
                raise driver.ContenderFailed(f"there is no {python}; run `make bench-peers`", True)
        command = [python, "-m", "benchmarks.worker", name, str(self.options.threads)]
        return driver.Worker(command, self.folder / f"{name}.log", {"PYTHONUNBUFFERED": "1"})

    def roll_call(self) -> None:
        """Notes versions, and by name who is absent."""
        for name in self.options.contenders:
            try:
                with self.worker(name) as worker:
                    found = worker.ask(do="versions")["versions"]
            except driver.ContenderFailed as error:
                self.results["absent"][name] = str(error)
                say(f"  {TITLES[name]}: ABSENT: {error}")
                continue
            self.results["contenders"][name] = {"title": TITLES[name], "versions": found}
            say(f"  {TITLES[name]}: " + ", ".join(f"{k} {v}" for k, v in found.items()))

    def run(self, todo: Sequence[Case]) -> None:
        """Measures the cases in order, as many as fit into the time, and saves after each."""
        names = list(self.results["contenders"])
        with self.worker("floors") as machine:
            self.results["environment"] |= machine.ask(do="versions")["versions"]
            for number, case in enumerate(todo):
                needed = self.expected(case, names)
                if needed > self.left:
                    self.leave_out(case, needed)
                    continue
                say(f"[{number + 1}/{len(todo)}] {case.title}")
                self.results["cases"].append(self.measure(case, names, machine, len(todo) - number))
                self.save()
        self.save()

    def expected(self, case: Case, names: Sequence[str]) -> float:
        """Seconds that the case needs at the very least, by the pace seen so far."""
        # Two to warm up, one to find the pace, one measured; and as many batches of inference.
        steps = 5.5
        work = cases.flops(case, training=True)
        return self.overhead + steps * work * sum(self.pace.get(name, 0.0) for name in names)

    def leave_out(self, case: Case, needed: float) -> None:
        reason = f"needs {needed / 60:.1f} minutes where {max(0, self.left) / 60:.1f} were left"
        self.results["left_out"].append({"key": case.key, "title": case.title, "reason": reason})
        say(f"  left out: {case.title}: {reason}")

    def measure(
        self, case: Case, names: Sequence[str], machine: driver.Worker, cases_left: int
    ) -> dict[str, Any]:
        """One case: start, warm up, take turns, end."""
        options = self.options
        wanted = [
            one
            for one in cases.quantities(case, options.grid, options.epoch)
            if not options.quantity or one in options.quantity
        ]
        x = np.load(self.folder / f"x-{case.length}.npy", mmap_mode="r")
        distinct = batches.mean_distinct(x, case.batch) if case.layers else None
        most = len(x) // case.batch
        record: dict[str, Any] = case.to_json() | {
            "flops": {
                "step": cases.flops(case, training=True),
                "predict": cases.flops(case, training=False),
            },
            "parameters": case.parameters,
            "distinct_tokens": distinct,
            "quantities": {one: {} for one in wanted},
            "failed": {},
            "peak_memory_mb": {},
        }

        def prepare(worker: driver.Worker) -> dict[str, Any]:
            built = worker.ask(do="build", case=case.to_json(), data=str(self.folder))
            for one in wanted:
                # Two: JAX compiles a second time if a variable's type has changed in the first.
                worker.ask(do="step" if one == "epoch" else one, count=min(2, most))
            return built

        began = time.monotonic()
        workers, built, failed = driver.start_all(names, self.worker, prepare, options.threads)
        started = time.monotonic() - began
        record["failed"] |= failed
        record["lstm_path"] = {name: one["lstm_path"] for name, one in built.items()}
        try:
            record["floors"] = machine.ask(do="floors", case=case.to_json(), distinct=distinct)
            weights = sum(WEIGHTS[one] for one in wanted) * len(workers)
            seconds = options.seconds or driver.share(
                self.left, cases_left, started + 5, max(weights, 0.5)
            )
            say(f"    started in {started:.0f} s; {seconds:.1f} s each to measure steps in")
            for one in wanted:
                if one == "epoch":
                    taken, wrong = driver.epochs_in_turns(workers, options.epochs)
                else:
                    budget = seconds * WEIGHTS[one]
                    taken, wrong = driver.take_turns(workers, one, budget, options.repeats, most)
                record["failed"] |= wrong
                record["quantities"][one] = {name: each.to_json() for name, each in taken.items()}
                say(line(one, record))
            for name, worker in workers.items():
                if name not in record["failed"]:
                    record["peak_memory_mb"][name] = worker.ask(do="end")["peak_memory_mb"]
        finally:
            for worker in workers.values():
                worker.__exit__()
        for name, why in record["failed"].items():
            say(f"    {TITLES[name]} FAILED: {why}")
        for name, each in record["quantities"].get("step", {}).items():
            self.pace[name] = each["median"] / record["flops"]["step"]
        self.overhead = min(self.overhead, started)
        return record

    def save(self) -> None:
        """Writes the file of results, whole or not at all."""
        if self.results["cases"]:
            self.results["floors"] = floors.summary([o["floors"] for o in self.results["cases"]])
        path = Path(self.options.output)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(self.results, indent=1) + "\n")
        partial.replace(path)


def line(quantity: str, record: dict[str, Any]) -> str:
    """One quantity's medians, as the run goes on."""
    scale, unit = (1.0, "s") if quantity == "epoch" else (1e3, "ms")
    figures = ", ".join(
        f"{TITLES[name]} {scale * each['median']:.3g}"
        for name, each in record["quantities"][quantity].items()
    )
    measured = record["quantities"][quantity].values()
    busy = max((each["others_cores"] for each in measured), default=0.0)
    note = (
        f"; DISTURBED: up to {busy:.1f} cores were busy with something else" if busy > 0.1 else ""
    )
    floor = record["floors"]["ms"].get(quantity, {}).get("fma")
    least = f"; arithmetic floor {floor:.3g}" if floor else ""
    return f"    {cases.QUANTITIES[quantity]}, {unit}: {figures}{least}{note}"


def environment(threads: int) -> dict[str, Any]:
    """Processor, cores, system."""
    known = sentilab_environment()
    return {
        "cpu": known["cpu"],
        "cores": known["cores"],
        "threads": threads,
        "system": known["system"],
        "python": platform.python_version(),
    }


def resumed(path: Path, now: dict[str, Any]) -> list[dict[str, Any]]:
    """The cases of an earlier run on this machine with these versions.

    Raises SystemExit if the file was measured elsewhere or with something else.
    """
    if not path.exists():
        return []
    before = json.loads(path.read_text())
    for part in ("environment", "contenders"):
        common = before[part].keys() & now[part].keys()
        changed = [key for key in sorted(common) if before[part][key] != now[part][key]]
        if changed or before["contenders"].keys() != now["contenders"].keys():
            raise SystemExit(
                f"{path} was measured with another {part}: {', '.join(changed) or 'other names'}.\n"
                "  Name another file with --output, or measure all of it again without --resume."
            )
    return list(before["cases"])


def say(text: str) -> None:
    print(text, flush=True)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--grid", choices=sorted(MINUTES), default="small", help="which cases (default: small)")
    add("--case", action="append", default=[], help="only cases whose key matches this glob")
    add("--quantity", action="append", choices=list(cases.QUANTITIES), help="only this one")
    add("--epoch", action="store_true", help="also whole epochs over the IMDB reviews")
    add("--epochs", type=int, default=1, help="how many of them (default: 1)")
    add("--contenders", nargs="+", choices=list(TITLES), default=list(TITLES))
    add("--minutes", type=float, help="time for all (default: 12 for small, 30 for full)")
    add("--seconds", type=float, help="time for each contender's steps in a case (default: shared)")
    add("--repeats", type=int, default=5, help="turns of each contender (default: 5)")
    add("--threads", type=int, default=0, help="threads of each contender (default: all cores)")
    add("--peers", type=Path, default=driver.ROOT / ".venv-peers", help="the peers' environment")
    add("--output", type=Path, default=RESULTS, help="the file of results")
    add("--resume", action="store_true", help="keep the cases that --output has already")
    add("--list", action="store_true", help="list the cases and end")
    options = parser.parse_args(given)
    options.minutes = options.minutes or MINUTES[options.grid]
    available = int(sentilab_environment()["cores"])
    options.threads = min(options.threads or available, available)
    return options


def main() -> None:
    # So that the contenders' processes end with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = arguments()
    try:
        todo = cases.selected(cases.grid(options.grid), options.case)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    if options.list:
        say("\n".join(f"{one.key:24}{one.title}" for one in todo))
        return
    with tempfile.TemporaryDirectory(prefix="sentilab-benchmark-") as folder:
        benchmark = Benchmark(options, Path(folder))
        say(json.dumps(benchmark.results["environment"]))
        benchmark.roll_call()
        if options.resume:
            benchmark.results["cases"] = resumed(Path(options.output), benchmark.results)
            known = {one["key"] for one in benchmark.results["cases"]}
            todo = tuple(one for one in todo if one.key not in known)
        name = batches.save(Path(folder), {one.length for one in todo})
        say(f"Batches of {name}; results go to {options.output} after every case.")
        benchmark.began = time.monotonic()
        benchmark.run(todo)
    took = (time.monotonic() - benchmark.began) / 60
    say(f"Done after {took:.1f} minutes: {options.output}")
    left = len(benchmark.results["left_out"])
    if left:
        say(f"  {left} cases are left out for lack of time; go on with --resume --minutes N.")
    say("  Its table and plot: .venv/bin/python -m benchmarks.render")


if __name__ == "__main__":
    main()
