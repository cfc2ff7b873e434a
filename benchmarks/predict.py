"""What prediction with a bundle costs: time to the first answer, reviews a second, memory, disk.

    .venv/bin/python -m benchmarks.predict BUNDLE                        some six minutes
    .venv/bin/python -m benchmarks.predict BUNDLE --reviews 2000 --repeats 1 --parts cold throughput
    .venv/bin/python -m benchmarks.predict BUNDLE --parts kill           some ten minutes

Parts:

cold        a fresh process, `sentilab predict BUNDLE "text"`: the median of seven, per engine
throughput  IMDB's test reviews, raw text to answer: Sentilab's engines, file to file, beside stock Keras on
            JAX (the bundle's model.keras) with Keras's own text preprocessing, texts in memory; in turns
memory      the most that `sentilab predict --file` holds for 25,000 and for 250,000 rows
kill        a job of a million rows, undisturbed and killed again and again: are the outputs the same bytes?
            (not among the default parts)
size        what an environment takes that has only what prediction needs; built from a wheel

Writes benchmarks/results/predict.json, where parts that were not asked for stay, and prints Markdown.
"""

import argparse
import csv
import hashlib
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.driver import NOT_INHERITED, ROOT, ContenderFailed, Measured, Worker
from sentilab import atomic

Results = dict[str, Any]

ENGINES = ("native", "onnx", "int8")
CONTENDERS = (*ENGINES, "keras-32", "keras-256")
TITLES = {
    "native": "Sentilab, kernel",
    "onnx": "Sentilab, ONNX Runtime",
    "int8": "Sentilab, ONNX Runtime, 8-bit weights",
    "keras-32": "Keras on JAX, batch 32",
    "keras-256": "Keras on JAX, batch 256",
}
COLD_RUNS = 7
TEXT = "A film that is not half as bad as they say."


def inherited() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}


def sentilab(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "sentilab", *map(str, arguments)]


def write_reviews(rows: int, path: Path) -> None:
    """IMDB's test reviews as CSV, over and over until there are ``rows``.

    In a process of its own: whoever starts others is best small, since they begin with its memory.
    """
    code = (
        "import csv, itertools, sys; from sentilab import data\n"
        "loaded = data.load('imdb', download=False)\n"
        "texts = [loaded.texts[at] for at in range(len(loaded)) if loaded.splits[at] == 'test']\n"
        "with open(sys.argv[2], 'w', encoding='utf-8', newline='') as file:\n"
        "    writer = csv.writer(file); writer.writerow(('id', 'text'))\n"
        "    writer.writerows(itertools.islice(enumerate(itertools.cycle(texts)), int(sys.argv[1])))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(rows), str(path)], cwd=ROOT, check=True)


def cold(options: argparse.Namespace) -> Results:
    """Seconds from nothing to an answer, of each engine."""

    def once(engine: str) -> float:
        started = time.perf_counter()
        subprocess.run(
            sentilab("predict", options.bundle, TEXT, "--engine", engine),
            check=True,
            capture_output=True,
            env=inherited(),
        )
        return time.perf_counter() - started

    found: Results = {}
    for engine in options.engines:
        once(engine)  # the files' way into memory
        each = [once(engine) for _ in range(COLD_RUNS)]
        found[engine] = {"median": statistics.median(each), "each": each}
    return found


def throughput(options: argparse.Namespace, folder: Path) -> Results:
    """Reviews a second of each contender, in turns."""
    reviews = folder / "reviews.csv"
    write_reviews(options.reviews, reviews)
    model = options.keras or options.bundle / "model.keras"
    names = (*options.engines, "keras-32", "keras-256")
    measured: dict[str, Measured] = {}
    details: Results = {}
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for name in names:
            arguments = [name, *map(str, (options.bundle, model, reviews, folder))]
            command = [sys.executable, "-m", "benchmarks.predict_worker", *arguments]
            worker = stack.enter_context(Worker(command, folder / f"{name}.log", {}))
            try:
                details[name] = {"engine": worker.ask(do="warm")["engine"]}
            except ContenderFailed as error:
                details[name] = {"failed": str(error)}
                continue
            workers[name], measured[name] = worker, Measured(options.reviews)
        for turn in range(options.repeats):
            for name, worker in workers.items():
                measured[name].turn(worker, "all")
                print(f"   turn {turn + 1}, {name}: {measured[name].seconds[-1]:.1f} s", flush=True)
        for name, worker in workers.items():
            details[name]["positive"] = worker.ask(do="all", count=0)["positive"]
    for name, one in measured.items():
        found = one.to_json()
        details[name] |= found | {"per_second": 1 / found["median"]}
    return {"reviews": options.reviews, "contenders": details}


def peak(command: Sequence[str]) -> float:
    """The most resident memory of a command, in MiB: asked of the system every 20 ms (Linux)."""
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=inherited()) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            if "VmHWM:" in status:
                most = max(most, int(status.partition("VmHWM:")[2].split()[0]))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: ended with {process.returncode}")
    return most / 1024


def memory(options: argparse.Namespace, folder: Path) -> Results:
    """MiB at most, by rows."""
    found: Results = {}
    for rows in options.memory_rows:
        source = folder / f"{rows}.csv"
        write_reviews(rows, source)
        found[str(rows)] = {
            engine: peak(
                sentilab(
                    *("predict", options.bundle, "--file", source, "--out", folder / "out.csv"),
                    *("--restart", "--engine", engine),
                )
            )
            for engine in options.memory_engines
        }
        source.unlink()
    return found


def kill(options: argparse.Namespace, folder: Path) -> Results:
    """The same job undisturbed, and killed ``options.kills`` times."""
    source = folder / "rows.csv"
    write_reviews(options.kill_rows, source)

    def start(out: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            sentilab("predict", options.bundle, "--file", source, "--out", out),
            stdout=subprocess.DEVNULL,
            env=inherited(),
            start_new_session=True,
        )

    whole, out = folder / "whole.csv", folder / "killed.csv"
    started = time.perf_counter()
    if start(whole).wait():
        raise SystemExit("The undisturbed job failed.")
    seconds = time.perf_counter() - started
    moments = random.Random(2026)
    killed, done_at = 0, []
    started = time.perf_counter()
    while True:
        process = start(out)
        # On the whole as long as the job takes, and each long enough to get somewhere.
        delay = moments.uniform(0.2, 1.6) * seconds / (options.kills + 1)
        try:
            if process.wait(None if killed == options.kills else max(1.0, delay)):
                raise SystemExit("The killed job failed when it went on.")
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            journal = out.with_name(f".{out.name}.partial") / "journal.json"
            state = json.loads(journal.read_text())["state"] if journal.exists() else {"rows": 0}
            done_at.append(state["rows"])
            print(f"   killed at {done_at[-1]:,} rows", flush=True)
    return {
        "rows": options.kill_rows,
        "rows_once": _rows_once(out, options.kill_rows),
        "bytes": out.stat().st_size,
        "kills": killed,
        "killed_at_rows": done_at,
        "seconds_undisturbed": seconds,
        "seconds_killed": time.perf_counter() - started,
        "sha256": [_sha256(whole), _sha256(out)],
        "same_bytes": _sha256(whole) == _sha256(out),
    }


def _rows_once(out: Path, rows: int) -> bool:
    """Whether the ids, which count up from 0, are all there, once and in order."""
    with out.open(encoding="utf-8", newline="") as file:
        read = csv.reader(file)
        next(read)
        expected = 0
        for row in read:
            if int(row[0]) != expected:
                return False
            expected += 1
    return expected == rows


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size(options: argparse.Namespace, folder: Path) -> Results:
    """MB (10^6 bytes) of what pip installs for prediction alone, and whether that answers."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT]
    subprocess.run(list(map(str, built)), check=True)
    (wheel,) = folder.glob("sentilab-*.whl")
    home = folder / "environment"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    subprocess.run([*pip, "--python", str(python), "install", str(wheel)], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    sizes = {
        one.name: sum(file.stat().st_size for file in _files(one)) / 1e6
        for one in packages.iterdir()
    }
    answer = subprocess.run(
        [home / "bin" / "sentilab", "predict", options.bundle.resolve(), TEXT, "--json"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return {
        "mb": sum(sizes.values()),
        "wheel_mb": wheel.stat().st_size / 1e6,
        "largest": dict(sorted(sizes.items(), key=lambda one: -one[1])[:10]),
        "answers": json.loads(answer.stdout)["label"],
    }


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]


def markdown(results: Results) -> str:
    parts = []
    if "cold" in results:
        rows = [(TITLES[name], f"{one['median']:.2f} s") for name, one in results["cold"].items()]
        parts.append(table(("a fresh process to its first answer", f"median of {COLD_RUNS}"), rows))
    if "throughput" in results:
        parts.append(_throughput(results["throughput"]))
    if "memory" in results:
        measured = results["memory"]
        engines = list(next(iter(measured.values())))
        rows = [
            (f"{int(count):,} rows", *(f"{one[name]:.0f} MiB" for name in engines))
            for count, one in measured.items()
        ]
        parts.append(table(("most memory", *(TITLES[name] for name in engines)), rows))
    if "kill" in results:
        one = results["kill"]
        same = "the same bytes" if one["same_bytes"] and one["rows_once"] else "NOT the same bytes"
        parts.append(
            f"A job of {one['rows']:,} rows ({one['bytes'] / 1e9:.2f} GB written) took "
            f"{one['seconds_undisturbed']:.0f} s; killed {one['kills']} times it ended after "
            f"{one['seconds_killed']:.0f} s in all with {same}, each row once."
        )
    if "size" in results:
        one = results["size"]
        rows = [(name, f"{mb:.1f} MB") for name, mb in one["largest"].items()]
        parts.append(table(("installed for prediction", f"{one['mb']:.0f} MB"), rows))
    return "\n\n".join(parts)


def _throughput(results: Results) -> str:
    found = results["contenders"]
    best = max(found[name].get("per_second", 0.0) for name in ("keras-32", "keras-256"))
    rows = []
    for name, one in found.items():
        if "failed" in one:
            rows.append((TITLES[name], "failed", "", one["failed"]))
            continue
        times = f"{one['per_second'] / best:.1f}×" if best else ""
        rows.append((TITLES[name], f"{one['per_second']:,.0f}", times, f"{one['positive']:,}"))
    columns = (f"{results['reviews']:,} reviews", "a second", "of Keras's better", "positive")
    return table(columns, rows)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; figures to the right of the first column."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> Results:
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = Path("/proc/cpuinfo").read_text().partition("model name\t: ")[2]
        cpu = names.partition("\n")[0] or cpu
    return {
        "date": date.today().isoformat(),
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("cold", "throughput", "memory", "size", "kill")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts[:-1])
    parser.add_argument("--keras", type=Path, help="the model file (default: BUNDLE/model.keras)")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--reviews", type=int, default=25_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory-rows", nargs="+", type=int, default=[25_000, 250_000])
    parser.add_argument("--memory-engines", nargs="+", choices=ENGINES, default=["native"])
    parser.add_argument("--kill-rows", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--scratch", type=Path, help="a folder for large files; kill needs 6 GB")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks" / "results" / "predict.json"
    )
    options = parser.parse_args()
    results: Results = json.loads(options.out.read_text()) if options.out.exists() else {}
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        folder = Path(scratch)
        do: dict[str, Callable[[], Results]] = {
            "cold": lambda: cold(options),
            "throughput": lambda: throughput(options, folder),
            "memory": lambda: memory(options, folder),
            "size": lambda: size(options, folder),
            "kill": lambda: kill(options, folder),
        }
        for part in options.parts:
            print(f"== {part}", flush=True)
            results[part] = do[part]()
            results |= {"bundle": options.bundle.name, **machine()}
            atomic.write_text(options.out, json.dumps(results, indent=1) + "\n")
    print(f"{markdown(results)}\n\n{options.out}")


if __name__ == "__main__":
    main()
