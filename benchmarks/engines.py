"""What engines cost, and what they bring: tasks that do nothing, and twenty real trainings.

    python -m benchmarks.engines overhead --write
    python -m benchmarks.engines packing --write
    python -m benchmarks.engines nodes --write

``overhead``: 100 tasks that do nothing, on two processes and on a Ray cluster of this machine. ``packing``: 20
seeds of the notebook's MLP on the real reviews, two processes of one thread beside one process of two, in
turns; and a few by one process of one thread alone, which tells why the one is so many times as fast as the
other. ``nodes``: the homework study on a Ray cluster of three nodes of which one is killed half-way and another
joins, beside the same study on processes; every result must be the same to the byte.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.driver import ROOT
from benchmarks.pages import page, replaced, table
from sentilab.engines import LocalPool, Pool, Task, carry_out, machine

TASKS = 100
ROUNDS = 7
SEEDS, ALONE = 20, 5
SAME = (
    "config.toml",
    "metrics.jsonl",
    "model.keras",
    "predictions.parquet",
    "result.json",
    "validation.parquet",
    "vocabulary.json",
    "weights.safetensors",
)


def nothing(payload: dict[str, Any], report: Any) -> None:
    """The task that does nothing."""


def overhead() -> str:
    """Milliseconds a task, over rounds in turns, once all workers are there."""
    from sentilab.engines.ray import RayPool

    os.environ["PYTHONPATH"] = str(ROOT)
    tasks = [Task(f"t{number}", "benchmarks.engines:nothing") for number in range(TASKS)]
    pools: dict[str, Callable[[], AbstractContextManager[Pool]]] = {
        "local": lambda: LocalPool(2, 1),
        "ray": lambda: RayPool(threads=1, most=2),
    }
    took: dict[str, list[float]] = {name: [] for name in pools}
    with pools["local"]() as local, pools["ray"]() as ray_pool:
        both = {"local": local, "ray": ray_pool}
        for pool in both.values():
            carry_out(tasks[:4], pool)
        for _ in range(ROUNDS):
            for name, pool in both.items():
                began = time.perf_counter()
                carry_out(tasks, pool)
                took[name].append(1e3 * (time.perf_counter() - began) / TASKS)
    rows = [
        [
            f"`--engine {name}`",
            f"{statistics.median(each):.1f} ms",
            f"{min(each):.1f} to {max(each):.1f} ms",
        ]
        for name, each in took.items()
    ]
    columns = ["two workers", "a task", "over the rounds"]
    return f"{table(columns, rows)}\n\n{_machine()}, {ROUNDS} rounds of {TASKS} tasks in turns."


def packing(repeats: int) -> str:
    """Seconds for twenty trainings, by packing, in turns; and what makes the difference."""
    from sentilab import data, studies, workbench
    from sentilab.training import Crew, RunSettings, Silence

    dataset = data.load("imdb")
    spec = workbench.single_run(RunSettings("mlp", epochs=1, words=20_000, length=200), dataset)
    trainings = {(2, 1): SEEDS, (1, 2): SEEDS, (1, 1): ALONE}
    took: dict[tuple[int, int], list[float]] = {packed: [] for packed in trainings}
    for _ in range(repeats):
        for (processes, threads), seeds in trainings.items():
            with tempfile.TemporaryDirectory() as folder:
                study = workbench.prepare_study(spec, dataset, Path(folder), seeds=seeds)
                began = time.perf_counter()
                with LocalPool(processes, threads) as pool:
                    study.carry_out(lambda *_: Silence(), lambda _: None, Crew(pool))
                took[processes, threads].append(time.perf_counter() - began)
                assert studies.read_results(study.folder).finished
    medians = {packed: statistics.median(each) for packed, each in took.items()}
    each = {packed: medians[packed] / seeds for packed, seeds in trainings.items()}
    rows = [
        [
            f"{processes} × {threads} thread{'s' if threads > 1 else ''}",
            f"{trainings[processes, threads]}",
            f"{medians[processes, threads]:.0f} s",
            ", ".join(f"{one:.0f}" for one in took[processes, threads]),
            f"{each[processes, threads]:.1f} s",
        ]
        for processes, threads in took
    ]
    ratio = each[1, 2] / each[2, 1]
    shared, beside = each[1, 1] / each[1, 2], 2 * each[2, 1] / each[1, 1]
    often = "once each" if repeats == 1 else f"{repeats} times in turns"
    columns = ["processes", "trainings", "median", "each time, s", "a training"]
    return (
        f"{table(columns, rows)}\n\n"
        f"**{ratio:.2f} times** as fast in two processes. Why not twice: two threads do one training "
        f"{shared:.2f} times as fast as one does, and of two trainings beside each other each takes {beside:.2f} "
        f"times as long as alone; 2 / ({shared:.2f} × {beside:.2f}) = {2 / shared / beside:.2f}. "
        f"Seeds of an MLP, 20,000 words, 200 positions, one epoch, the start of the processes included; {often}. {_machine()}."
    )


def nodes(arguments: list[str]) -> str:
    """The homework study twice; what differs, and what befell the cluster."""
    from ray.cluster_utils import Cluster

    from sentilab.studies import read_progress

    home = Path(tempfile.mkdtemp(prefix="nodes-"))
    study = [sys.executable, "-m", "sentilab", "study", "homework", "--threads", "1", *arguments]
    seconds: dict[str, float] = {}
    began = time.perf_counter()
    subprocess.run([*study, "--runs", str(home / "local")], check=True, stdout=subprocess.DEVNULL)
    seconds["local"] = time.perf_counter() - began

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    three = [cluster.add_node(num_cpus=1) for _ in range(3)]
    told = []
    try:
        began = time.perf_counter()
        call = [*study, "--engine", "ray", "--address", cluster.address]
        running = subprocess.Popen([*call, "--runs", str(home / "ray")], stdout=subprocess.DEVNULL)
        folder = home / "ray" / "homework"
        while running.poll() is None:
            time.sleep(1)
            if not (folder / "progress.json").exists():
                continue
            now = read_progress(folder)
            ended = now.finished + now.refused + now.failed
            if three and 2 * ended >= now.trainings:
                cluster.remove_node(three.pop(), allow_graceful=False)
                told.append(f"a node killed after {ended} of {now.trainings} trainings")
                cluster.add_node(num_cpus=1)
                told.append("another joining")
                three = []
        seconds["ray"] = time.perf_counter() - began
        if running.returncode:
            raise SystemExit(f"the study on the cluster ended with {running.returncode}")
        spoilt = json.loads((folder / "progress.json").read_text())["spoilt"]
    finally:
        cluster.shutdown()
    same, differing = _compared(home / "local" / "homework", folder)
    if differing or not told:
        raise SystemExit(f"left in {home}: {differing or 'no node was killed'}")
    shutil.rmtree(home)
    vain = ", ".join(f"{times} {how}" for how, times in spoilt.items()) or "none"
    return (
        f"{same} files compared, of {len(SAME)} kinds: all the same to the byte. "
        f"{'; '.join(told).capitalize()}; attempts in vain: {vain}. "
        f"{seconds['local'] / 60:.1f} minutes on processes, {seconds['ray'] / 60:.1f} on three nodes of one "
        f"core, all on the same two cores. {_machine()}."
    )


def _compared(first: Path, second: Path) -> tuple[int, list[str]]:
    """How many files are the same, and the names of those that are not."""
    same, differing = 0, []
    names = {one.relative_to(first) for one in first.glob("*-*/*") if one.name in SAME}
    names |= {one.relative_to(second) for one in second.glob("*-*/*") if one.name in SAME}
    for name in sorted(names):
        ours, theirs = first / name, second / name
        if ours.exists() and theirs.exists() and ours.read_bytes() == theirs.read_bytes():
            same += 1
        else:
            differing.append(str(name))
    return same, differing


def _machine() -> str:
    from sentilab.training.environment import processor

    return (
        f"{len(machine.cores())} cores of an {processor()}, Python {sys.version.split()[0]}, Ray "
        f"{version('ray')}, JAX {version('jax')}"
    )


def main() -> None:
    """Measures one of them and prints it; with --write it goes into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["overhead", "packing", "nodes"])
    parser.add_argument("--repeats", type=int, default=3, help="of packing")
    parser.add_argument("--write", action="store_true", help="put it into docs/engines.md")
    asked, more = parser.parse_known_args()
    made = {
        "overhead": overhead,
        "packing": lambda: packing(asked.repeats),
        "nodes": lambda: nodes(more),
    }[asked.what]()
    print(made)
    if asked.write:
        written = page("engines.md")
        written.write_text(replaced(written.read_text(), asked.what, made))


if __name__ == "__main__":
    main()
