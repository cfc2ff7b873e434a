"""The homework study end to end: Sentilab's LSTM against Keras's own on JAX, wall time.

    .venv/bin/python -m benchmarks.study              parts of the study in turns; some 45 minutes
    .venv/bin/python -m benchmarks.study --whole      each way in one go, one after the other
    .venv/bin/python -m benchmarks.study --part mlp   one part only

The study's runs fall into parts: the MLPs; the one-layer LSTM; the two-layer LSTM at each batch
size, where the run of 5 epochs goes on from that of 2. Each part is a `sentilab study homework` of its
own, first one way and then the other, and pays for its own start. Both times are written to
benchmarks/results/study.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.driver import NOT_INHERITED, ROOT

# The runs of each part, as --only takes them.
PARTS = {
    "mlp": ("mlp-*",),
    "one-layer": ("one-layer-*",),
    "two-layers-batch-16": ("two-layers-batch-16",),
    "two-layers-batch-32": ("two-layers-batch-32", "two-layers-5-epochs"),
    "two-layers-batch-64": ("two-layers-batch-64",),
}

WAYS = {"sentilab": "fused", "keras": "keras"}
"""What each way demands by --kernels; "keras" is stock layers, stock Adam and stock allocator."""


def time_study(way: str, only: Sequence[str], runs: Path) -> float:
    """Seconds that `sentilab study homework` takes over the runs that match ``only``.

    Raises SystemExit with the last lines of its output if it fails.
    """
    chosen = [each for pattern in only for each in ("--only", pattern)]
    inherited = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
    started = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sentilab", "study", "homework", "--runs", str(runs)),
            *("--kernels", WAYS[way], *chosen),
        ],
        cwd=ROOT,
        env=inherited,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-5:])
        raise SystemExit(f"The study failed ({way}, {', '.join(only) or 'all runs'}):\n{last}")
    return seconds


def read_runs(folder: Path) -> dict[str, dict[str, Any]]:
    """Of every finished run under ``folder``: seconds of its epochs, accuracy, which LSTM ran.

    Where a run went on from a shorter one, that one's epochs are among its own.
    """
    from sentilab.training import RunFolder

    runs = {}
    for path in sorted(one.parent for one in folder.glob("*/*/result.json")):
        run = RunFolder(path)
        result, made_with = run.read_json("result.json"), run.read_json("environment.json")
        if result and made_with and result["status"] == "finished":
            runs[path.name] = {
                "epoch_seconds": sum(run.seconds()),
                "accuracy": result["test"]["accuracy"],
                "lstm_path": made_with["lstm_path"],
            }
    return runs


def require_own_way(way: str, runs: dict[str, dict[str, Any]]) -> None:
    """Raises SystemExit if an LSTM of this way was computed by the other's code."""
    for name, one in runs.items():
        fused = one["lstm_path"].startswith("fused")
        if name.startswith("bilstm") and fused != (way == "sentilab"):
            raise SystemExit(f'{name} was to run the {way} way, and ran on "{one["lstm_path"]}".')


def summary(seconds: dict[str, dict[str, float]]) -> str:
    """A table of wall times in s by part and in all, with ratios."""
    lines = [f"{'part':24}{'Sentilab':>10}{'Keras':>10}{'ratio':>8}"]
    total = {way: sum(part[way] for part in seconds.values()) for way in WAYS}
    for name, each in {**seconds, "all": total}.items():
        ratio = each["keras"] / each["sentilab"] if each["sentilab"] else float("nan")
        lines.append(f"{name:24}{each['sentilab']:10.1f}{each['keras']:10.1f}{ratio:7.2f}x")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part")
    parser.add_argument("--whole", action="store_true", help="one process each way, all runs")
    default = ROOT / "benchmarks" / "results" / "study.json"
    parser.add_argument("--output", type=Path, default=default)
    options = parser.parse_args()
    parts: dict[str, tuple[str, ...]] = {"whole study": ()}
    if not options.whole:
        parts = {name: PARTS[name] for name in options.part or PARTS}

    from sentilab import data
    from sentilab.text import cache_folder, cached_tokens
    from sentilab.training.environment import environment

    # Whoever came first would else split the reviews into words for both.
    cached_tokens(data.load("imdb"), cache_folder())
    seconds: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="sentilab-study-") as folder:
        for name, only in parts.items():
            seconds[name] = {}
            for way in WAYS:
                runs = Path(folder, way)
                runs.mkdir(exist_ok=True)
                seconds[name][way] = time_study(way, only, runs)
                print(f"{name}, {way}: {seconds[name][way]:.1f} s", flush=True)
                require_own_way(way, read_runs(runs))
        runs_by_way = {way: read_runs(Path(folder, way)) for way in WAYS}
    result = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "environment": environment(),
        "seconds": seconds,
        "runs": runs_by_way,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\n{summary(seconds)}\n\n{options.output}")


if __name__ == "__main__":
    main()
