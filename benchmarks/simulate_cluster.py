"""The engine's scheduler with ten thousand tasks and a thousand workers, of which all but it is computed.

    .venv/bin/python -m benchmarks.simulate_cluster                      some minutes
    .venv/bin/python -m benchmarks.simulate_cluster --write              and the tables into docs/scale.md
    .venv/bin/python -m benchmarks.simulate_cluster --tasks 200 --workers 20     a trial
    .venv/bin/python -m benchmarks.simulate_cluster --times FILE         with other measured times
    .venv/bin/python -m benchmarks.simulate_cluster --measure            what a message costs here

sentilab.engines.carry_out runs as it does in earnest, on a pool whose workers, clock, storage and faults are
those of benchmarks/cluster.py. The same seed gives the same figures, but for the processor's own time.

FILE is JSON: a list of {"kind", "share", "start", "epochs": [...], "finish", "state", "results"}, seconds and
bytes, as TRIALS below.
"""

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import pages
from benchmarks.cluster import (
    GIB,
    SPAN,
    Cluster,
    Counting,
    Driver,
    SimulatedPool,
    Storage,
    Trial,
    Work,
)
from sentilab.engines import LocalPool, MachineTrouble, Needs, Patience, Report, Task, carry_out

# Seconds and bytes of real trials on the IMDB reviews, one thread of an AMD EPYC, seed 1:
#   NPROC=1 SENTILAB_THREADS=1 taskset -c 1 sentilab study benchmarks/trials.toml
# The epochs are those of timings.jsonl; before and after are told by the files' times. Beside each, its
# share among the simulated tasks.
TRIALS = (
    (0.30, Trial("mlp, batch 16, 1 epoch", 0.6, (13.3,), 2.2, 50.4e6, 67.5e6)),
    (0.30, Trial("mlp, batch 32, 3 epochs", 0.6, (8.2, 6.9, 6.8), 2.0, 50.4e6, 67.5e6)),
    (0.30, Trial("mlp, batch 64, 2 epochs", 0.5, (6.7, 5.1), 1.9, 50.4e6, 67.5e6)),
    (0.07, Trial("bilstm1, batch 64, 2 epochs", 1.7, (22.7, 21.1), 9.0, 31.9e6, 42.7e6)),
    (0.03, Trial("bilstm2, batch 32, 2 epochs", 0.5, (62.9, 64.5), 41.6, 33.2e6, 44.4e6)),
)
A_SEED = (
    100  # trials of a study's one seed; the plan has seed after seed, in each the quick ones first
)
RATES: tuple[float | None, ...] = (None, 24.0, 4.0, 1.0)
SILENCE = 900.0
SEEDS = 5
FAILING, KILLING = (
    0.001,
    0.0002,
)  # shares of tasks that fail of themselves, and that kill their worker

Weighed = Sequence[tuple[float, Trial]]


@dataclass(frozen=True)
class Result:
    """What a simulated study came to; seconds of the simulated clock, but for ``cpu``."""

    tasks: int
    workers: int
    makespan: float
    ideal: float
    bound: float
    done: int
    failed: int
    attempts: int
    in_vain: dict[str, int]
    lost_share: float
    operations_peak: float
    operations_mean: float
    bytes_peak: float
    bytes_mean: float
    longest_wait: float
    driver_mean: float
    driver_peak: float
    deaths: dict[str, int]
    cpu: float
    events: int
    blocked: str = ""

    @property
    def ratio(self) -> float:
        return self.makespan / self.bound

    def without_cpu(self) -> "Result":
        """What the seed alone decides."""
        return replace(self, cpu=0.0)


def planned(tasks: int, trials: Weighed, seed: int, *, faults: bool, longer: float) -> list[Work]:
    """The tasks in the order of a study's plan."""
    works = []
    weights = [one for one, _ in trials]
    for first in range(0, tasks, A_SEED):
        block = []
        for number in range(first, min(first + A_SEED, tasks)):
            draw = random.Random(f"{seed} task {number}")
            [(_, trial)] = draw.choices(trials, weights)
            chance = draw.random() if faults else 1.0
            fate = "fails" if chance < FAILING else ""
            fate = "kills" if FAILING <= chance < FAILING + KILLING else fate
            block.append(Work(f"trial {number}", trial.times(longer), fate))
        works += sorted(block, key=lambda one: one.trial.seconds)
    return works


def simulate(
    cluster: Cluster,
    tasks: int,
    *,
    seed: int = 0,
    trials: Weighed = TRIALS,
    longest_first: bool = False,
    longer: float = 1.0,
    silence: float = SILENCE,
    patience: Patience | None = None,
    fated: bool = True,
) -> Result:
    """Has the engine carry ``tasks`` trials out on ``cluster``; checks that each ended once.

    ``fated``: where workers die, some trials are planned to fail, too.
    """
    faults = fated and cluster.mtbf is not None
    works = planned(tasks, trials, seed, faults=faults, longer=longer)
    if longest_first:
        works.sort(key=lambda one: -one.trial.seconds)
    pool, watcher, blocked = SimulatedPool(works, cluster, seed), Counting(), ""
    orders = [Task(one.key, "simulated", needs=Needs(1, GIB), silence=silence) for one in works]
    begun = time.process_time()
    try:
        outcomes = carry_out(orders, pool, watcher, patience=patience, clock=lambda: pool.now)
        assert {key: one.ending for key, one in outcomes.items()} == watcher.endings
        assert len(outcomes) == tasks
        assert all(count == 1 for count in pool.done.values())
    except MachineTrouble as error:
        blocked = str(error).partition("\n")[0]
    cpu = time.process_time() - begun - pool.own_seconds
    for one in works:
        if watcher.endings.get(one.key) == "done":
            assert pool.epochs_done[one.key] == len(one.trial.epochs)
    seconds = [one.trial.seconds for one in works if one.fate != "kills"]
    ideal = sum(seconds) / cluster.workers
    done = sum(one == "done" for one in watcher.endings.values())
    progress = pool.worked * cluster.driver.messages_a_second * cluster.driver.message
    return Result(
        tasks=tasks,
        workers=cluster.workers,
        makespan=pool.now,
        ideal=ideal,
        bound=max(ideal, max(seconds)),
        done=done,
        failed=len(watcher.endings) - done,
        attempts=watcher.attempts,
        in_vain=dict(sorted(watcher.in_vain.items())),
        lost_share=pool.lost / pool.worked,
        operations_peak=max(pool.operations.values()) / SPAN,
        operations_mean=sum(pool.operations.values()) / pool.now,
        bytes_peak=max(pool.bytes.values()) / SPAN,
        bytes_mean=sum(pool.bytes.values()) / pool.now,
        longest_wait=pool.longest_wait,
        driver_mean=(pool.busy + progress) / pool.now,
        driver_peak=pool.progress_share(pool.most_running),
        deaths=dict(sorted(pool.deaths.items())),
        cpu=cpu,
        events=pool.events_told,
        blocked=blocked,
    )


def failures(tasks: int, workers: int, seed: int, trials: Weighed, longer: float) -> list[Result]:
    """One study for each rate of failure."""
    results = []
    for mtbf in RATES:
        cluster = Cluster(workers, mtbf)
        results.append(simulate(cluster, tasks, seed=seed, trials=trials, longer=longer))
        _say(f"{_rate(mtbf)}, trials {longer:g} times as long", results[-1])
    return results


def failures_table(results: Sequence[Result]) -> str:
    columns = (
        "a worker dies every",
        "makespan",
        "lower bound",
        "ratio",
        "attempts in vain",
        "work lost",
        "done; failed",
        "storage operations a second, mean; peak",
        "MB a second, mean; peak",
        "driver busy",
    )
    return pages.table(
        columns,
        [
            (
                _rate(mtbf),
                _time(one.makespan),
                _time(one.bound),
                f"{one.ratio:.2f}",
                f"{sum(one.in_vain.values()):,}",
                f"{100 * one.lost_share:.1f}%",
                f"{one.done:,}; {one.failed}",
                f"{one.operations_mean:,.0f}; {one.operations_peak:,.0f}",
                f"{one.bytes_mean / 1e6:,.0f}; {one.bytes_peak / 1e6:,.0f}",
                f"{100 * one.driver_mean:.0f}%",
            )
            for mtbf, one in zip(RATES, results, strict=True)
        ],
    )


def leaner(trials: Weighed) -> Weighed:
    """The same without what could be left unwritten.

    That is the state after epochs of less than half a minute, and the optimizer's two moments a weight in
    model.keras.
    """
    return tuple(
        (
            share,
            replace(
                one,
                state=one.state if max(one.epochs) >= 30 else 0.0,
                results=one.results - 2 / 3 * one.state,
            ),
        )
        for share, one in trials
    )


def sweep(counts: Sequence[int], seed: int, trials: Weighed) -> list[tuple[str, Result]]:
    """Ten tasks a worker, with workers dying every four hours; each with changes beside it."""
    rows = []
    often = Driver(messages_a_second=4)
    limitless = Storage(rate=1e9, bandwidth=1e15)
    for workers in counts:
        plain = Cluster(workers, 4.0)
        cases = {
            "": (plain, trials),
            ", progress told 4 times a second": (replace(plain, driver=often), trials),
            ", fewer bytes written": (plain, leaner(trials)),
            ", storage without limit": (replace(plain, storage=limitless), trials),
        }
        for name, (cluster, given) in cases.items():
            one = simulate(cluster, 10 * workers, seed=seed, trials=given, silence=180.0)
            rows.append((f"{workers:,}{name}", one))
            _say(rows[-1][0], one)
    return rows


def sweep_table(rows: Sequence[tuple[str, Result]]) -> str:
    columns = (
        "workers",
        "makespan",
        "ratio",
        "driver busy",
        "storage operations a second, peak",
        "MB a second, peak",
        "longest wait for storage",
        "processor time of scheduler and loop, µs an event",
    )
    return pages.table(
        columns,
        [
            (
                name,
                _time(one.makespan),
                f"{one.ratio:.2f}",
                f"{100 * one.driver_mean:.0f}%",
                f"{one.operations_peak:,.0f}",
                f"{one.bytes_peak / 1e6:,.0f}",
                f"{one.longest_wait:.1f} s",
                f"{1e6 * one.cpu / one.events:.0f}",
            )
            for name, one in rows
        ],
    )


def changes(tasks: int, workers: int, seed: int, trials: Weighed) -> str:
    """What other orders, silences and patience would bring, over five seeds."""
    longest: dict[str, Any] = {"longest_first": True}
    hours: dict[str, Any] = {"longer": 60.0}
    cases: dict[str, tuple[float | None, dict[str, Any]]] = {
        "nothing fails": (None, {}),
        "nothing fails, longest first": (None, longest),
        "4 h": (4.0, {}),
        "4 h, hung after 180 s": (4.0, {"silence": 180.0}),
        "4 h, hung after 180 s, longest first": (4.0, {"silence": 180.0, **longest}),
        "long trials, 4 h": (4.0, hours),
        "long trials, 4 h, longest first": (4.0, hours | longest),
        "long trials, 1 h": (1.0, hours),
        "long trials, 1 h, 20 losses allowed": (1.0, hours | {"patience": Patience(lost=20)}),
    }
    rows = []
    for name, (mtbf, given) in cases.items():
        found = [
            simulate(Cluster(workers, mtbf), tasks, seed=seed + more, trials=trials, **given)
            for more in range(SEEDS)
        ]
        spans = [one.makespan for one in found]
        each = [
            sum(one.in_vain.get("hung", 0) for one in found),
            sum(one.failed for one in found),
        ]
        rows.append(
            (
                name,
                _time(sum(spans) / SEEDS),
                f"{_time(min(spans))} to {_time(max(spans))}",
                *(f"{one / SEEDS:.1f}" for one in each),
            )
        )
        print(f"  {name}: {rows[-1][1:]}", flush=True)
    columns = ("", "makespan, mean", "least to most", "hung attempts", "failed tasks")
    return pages.table(columns, rows)


def chatter(payload: dict[str, Any], report: Report) -> int:
    """An engine's task that reports ``count`` times; ``--measure`` has it done."""
    for number in range(payload["count"]):
        report({"on_step": {"epoch": 1, "epochs": 2, "batch": number, "batches": 400, "loss": 0.5}})
        time.sleep(0.002)
    return int(payload["count"])


def measure(count: int = 2_000) -> float:
    """Seconds of processor time that a message of a worker on this machine costs the driver."""
    with LocalPool(1, 1) as pool:
        begun = time.process_time()
        task = Task("chatter", "benchmarks.simulate_cluster:chatter", {"count": count})
        assert carry_out([task], pool)["chatter"].ending == "done"
        return (time.process_time() - begun) / count


def read_times(path: Path) -> Weighed:
    """The measured trials of a file."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        (
            one["share"],
            Trial(
                one["kind"],
                one["start"],
                tuple(one["epochs"]),
                one["finish"],
                one["state"],
                one["results"],
            ),
        )
        for one in found
    )


def _rate(mtbf: float | None) -> str:
    return "never" if mtbf is None else f"{mtbf:g} h"


def _time(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds:,.0f} s"
    return f"{seconds / 3600:.1f} h"


def _say(what: str, one: Result) -> None:
    print(
        f"  {what}: {one.makespan:,.0f} s, bound {one.bound:,.0f} s; {one.done} done, {one.failed} "
        f"failed {one.in_vain} {one.deaths}; scheduler and loop {one.cpu:.1f} s for {one.events} events"
        + (f"; STOPPED: {one.blocked}" if one.blocked else ""),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--times", type=Path, help="measured trials (JSON); default: TRIALS")
    parser.add_argument("--sweep", type=int, nargs="*", default=[100, 1_000, 10_000])
    parser.add_argument("--write", action="store_true", help="the tables into docs/scale.md")
    parser.add_argument("--measure", action="store_true", help="only time messages on this machine")
    options = parser.parse_args()
    if options.measure:
        print(f"A message of a local worker costs the driver {1e6 * measure():.0f} µs.")
        return
    trials = read_times(options.times) if options.times else TRIALS
    size = options.tasks, options.workers, options.seed, trials
    tables = {
        "failures": failures_table(failures(*size, longer=1)),
        "failures-long": failures_table(failures(*size, longer=60)),
        "changes": changes(*size),
        "sweep": sweep_table(sweep(options.sweep, options.seed, trials)),
    }
    for name, table in tables.items():
        print(f"\n{name}\n\n{table}")
    if options.write:
        page = pages.page("scale.md")
        text = page.read_text(encoding="utf-8")
        for name, table in tables.items():
            text = pages.replaced(text, name, table)
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
