"""A served bundle under load, beside the plain handler that one writes first.

    .venv/bin/python -m benchmarks.serve BUNDLE                      some four minutes
    .venv/bin/python -m benchmarks.serve BUNDLE --page               and the table into docs/serving.md
    .venv/bin/python -m benchmarks.serve BUNDLE --seconds 3 --overload-seconds 3    a trial

Three parts, on loopback, with clients in a process of their own that check every answer:

1. 64 clients, each with one review at a time, for 60 s: throughput, latency, errors, memory;
2. the same before FastAPI with one Keras ``predict`` a request (the bundle's model.keras);
3. ten times the texts a second of part 1, in requests of 32, sent whether answered or not: how quickly
   what cannot be done is refused, when a single review is answered again after it ends, and whether
   everything accepted was answered, with its own answer.

Writes benchmarks/results/serve.json and prints a Markdown table.
"""

import argparse
import json
import math
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks import pages
from benchmarks.driver import ROOT

PACKAGES = (
    "fastapi",
    "uvicorn",
    "h11",
    "httptools",
    "uvloop",
    "onnxruntime",
    "numpy",
    "keras",
    "jax",
)
OVERLOAD = 10
REFUSED_WITHIN = 0.05  # seconds
LONGEST_START = 120.0

Results = dict[str, Any]


class Watch:
    """A process's resident memory in MiB, each half second (Linux)."""

    def __init__(self, pid: int) -> None:
        self._pid, self.seen = pid, [_resident(pid)]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.5):
            self.seen.append(_resident(self._pid))

    def to_json(self) -> Results:
        # What is made lazily is made in the first second.
        settled = self.seen[min(2, len(self.seen) - 1)]
        return {
            "start": self.seen[0],
            "settled": settled,
            "end": self.seen[-1],
            "largest": max(self.seen),
            "every_half_second": [round(one, 1) for one in self.seen],
        }


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def service(bundle: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`sentilab serve` on a free port: its process and port. It must end without an error."""
    command = [sys.executable, "-m", "sentilab", "serve", str(bundle), "--port", "0", "--quiet"]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Serving at "):
                port = int(line.split()[2].rpartition(":")[2])
                break
            print(f"  {line.strip()}")
        else:
            raise SystemExit("The service did not start.")
        _await_answer(port, "/ready")
        yield process, port
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=60):
            raise SystemExit(f"The service ended with {process.returncode}.")
    finally:
        process.kill()
        process.wait()


@contextmanager
def plain(model: Path, vocabulary: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """benchmarks.serve_plain on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.serve_plain"]
    process = subprocess.Popen(
        [*command, str(model), str(vocabulary), str(port)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        text=True,
    )
    try:
        _await_answer(port, "/openapi.json")
        yield process, port
    finally:
        process.kill()
        process.wait()


def _await_answer(port: int, path: str) -> str:
    end = time.monotonic() + LONGEST_START
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def load(plan: Results) -> Results:
    """Lets the clients loose; what they saw."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.serve_load"],
        cwd=ROOT,
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"The clients failed:\n{done.stderr}")
    answer: Results = json.loads(done.stdout)
    return answer


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that ``share`` of them do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def steady(seen: Results, memory: Results) -> Results:
    """What part 1 or 2 comes to."""
    good = seen["seconds"].get("200", [])
    others = {one: count for one, count in seen["statuses"].items() if one != "200"}
    return {
        "requests": len(good),
        "seconds": seen["elapsed"],
        "per_second": len(good) / seen["elapsed"],
        "ms": {name: 1e3 * percentile(good, share) for name, share in SHARES.items()},
        "errors": {**seen["errors"], **others},
        "wrong": seen["wrong"],
        "memory_mib": memory,
    }


SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def overloaded(seen: Results, memory: Results, counted: int, texts: int) -> Results:
    """What part 3 comes to. ``counted`` are the answers that the service says it gave."""
    refused = seen["seconds"].get("503", [])
    good = seen["seconds"].get("200", [])
    return {
        "texts_per_request": texts,
        "sent": seen["sent"],
        "per_second": seen["sent"] / seen["elapsed"],
        "answered": len(good),
        "answered_by_its_own_count": counted,
        "refused": len(refused),
        "other_statuses": {k: v for k, v in seen["statuses"].items() if k not in ("200", "503")},
        "errors": seen["errors"],
        "wrong": seen["wrong"],
        "refusal_ms": {name: 1e3 * percentile(refused, share) for name, share in SHARES.items()},
        "refused_within_50_ms": sum(one <= REFUSED_WITHIN for one in refused) / len(refused)
        if refused
        else math.nan,
        "answer_ms": {name: 1e3 * percentile(good, share) for name, share in SHARES.items()},
        "recovery_seconds": seen["recovery"],
        "open_at_once": seen["open_at_once"],
        "memory_mib": memory,
    }


def markdown(results: Results) -> str:
    """The results as tables."""
    lines = [
        f"Measured {results['date']} on {results['cpu']}, {results['cores']} cores, Python "
        f"{results['python']}, {', '.join(f'{k} {v}' for k, v in results['versions'].items())}. "
        f"`{results['bundle']}`, {results['engine']}. {results['clients']} clients for "
        f"{results['seconds']:g} s on loopback, one IMDB review a request.",
        "",
        "| | answers a second | p50 (ms) | p99 (ms) | errors | wrong answers | memory, after 1 s → end (MiB) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    names = {"service": "`sentilab serve`", "plain": "FastAPI, one Keras `predict` a request"}
    for part, name in names.items():
        if part not in results:
            continue
        one = results[part]
        memory = one["memory_mib"]
        lines.append(
            f"| {name} | {one['per_second']:,.0f} | {one['ms']['p50']:,.0f} | {one['ms']['p99']:,.0f} "
            f"| {sum(one['errors'].values())} | {one['wrong']} "
            f"| {memory['settled']:.0f} → {memory['end']:.0f} |"
        )
    if "overload" in results:
        one = results["overload"]
        lost = one["answered_by_its_own_count"] - one["answered"]
        lines += [
            "",
            f"At {one['offered_times']:.1f} times the texts that it can carry ({one['per_second']:,.0f} "
            f"requests of {one['texts_per_request']} a second):",
            "",
            "| | |",
            "| --- | ---: |",
            f"| answered; refused | {one['answered']:,}; {one['refused']:,} |",
            f"| refusals: p50, p99, longest (ms) | {one['refusal_ms']['p50']:.1f}, "
            f"{one['refusal_ms']['p99']:.1f}, {one['refusal_ms']['max']:.1f} |",
            f"| refused within 50 ms | {100 * one['refused_within_50_ms']:.2f}% |",
            f"| answers: p50, p99 (ms) | {one['answer_ms']['p50']:,.0f}, "
            f"{one['answer_ms']['p99']:,.0f} |",
            f"| a single review is answered after the load ends | {one['recovery_seconds']:.2f} s |",
            f"| accepted and lost; wrong; other errors | {lost}; {one['wrong']}; "
            f"{sum(one['errors'].values()) + sum(one['other_statuses'].values())} |",
            f"| memory, before → end, largest (MiB) | {one['memory_mib']['start']:.0f} → "
            f"{one['memory_mib']['end']:.0f}, {one['memory_mib']['largest']:.0f} |",
        ]
    return "\n".join(lines)


def reviews(data: str, count: int) -> list[str]:
    """Test reviews, the same each time."""
    import numpy as np

    from sentilab import data as sources

    dataset = sources.load(data)
    rows = np.flatnonzero(np.asarray(dataset.splits) == "test")
    chosen = np.random.default_rng(0).choice(rows, min(count, len(rows)), replace=False)
    return [dataset.texts[row] for row in chosen]


def answered(port: int) -> int:
    """How many predictions the service has answered with 200, by its own metrics."""
    total = 0.0
    for line in _await_answer(port, "/metrics").splitlines():
        if line.startswith("sentilab_requests_total") and "/predict" in line and '"200"' in line:
            total += float(line.rpartition(" ")[2])
    return int(total)


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((one.partition(": ")[2] for one in lines if one.startswith("model name")), "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--keras", type=Path, help="default: the bundle's model.keras")
    parser.add_argument("--data", default="imdb")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--plain-seconds", type=float, help="default: as --seconds; 0: leave it out"
    )
    parser.add_argument("--overload-seconds", type=float, default=20, help="0: leave it out")
    parser.add_argument("--overload-texts", type=int, default=32, help="texts a request")
    parser.add_argument("--page", action="store_true", help="write the table into docs/serving.md")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "serve.json")
    options = parser.parse_args()
    plain_seconds = options.seconds if options.plain_seconds is None else options.plain_seconds

    from sentilab import atomic
    from sentilab.bundle import load as load_bundle

    predictor = load_bundle(options.bundle)
    texts = reviews(options.data, 2_000)
    expected = predictor.probabilities(texts)[:, -1].tolist()
    plan: Results = {
        "host": "127.0.0.1",
        "texts": texts,
        "expected": expected,
        "path": f"/v1/models/{predictor.manifest.name}/predict",
        "clients": options.clients,
        "texts_per_request": 1,
        "do": "closed",
    }
    results: Results = {
        "date": date.today().isoformat(),
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "versions": versions(),
        "bundle": predictor.manifest.name,
        "engine": predictor.engine,
        "clients": options.clients,
        "seconds": options.seconds,
    }
    print("== the service", flush=True)
    with service(options.bundle) as (process, port):
        with Watch(process.pid) as memory:
            seen = load({**plan, "port": port, "seconds": options.seconds})
        results["service"] = steady(seen, memory.to_json())
        if options.overload_seconds:
            print("== overload", flush=True)
            many = options.overload_texts
            rate = OVERLOAD * results["service"]["per_second"] / many
            before = answered(port)
            asked = {"do": "opened", "rate": rate, "texts_per_request": many, "port": port}
            with Watch(process.pid) as memory:
                seen = load({**plan, **asked, "seconds": options.overload_seconds})
            counted = answered(port) - before - 1  # the probe's
            found = overloaded(seen, memory.to_json(), counted, many)
            found["offered_times"] = found["per_second"] * many / results["service"]["per_second"]
            results["overload"] = found
    if plain_seconds:
        print("== the plain handler", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            vocabulary = Path(folder) / "vocabulary.json"
            vocabulary.write_text(predictor.vocabulary.to_json(), encoding="utf-8")
            # Stock Keras answers without calibration.
            asked = {"path": "/predict", "expected": _uncalibrated(predictor, expected)}
            model = options.keras or options.bundle / "model.keras"
            with plain(model, vocabulary) as (process, port), Watch(process.pid) as memory:
                seen = load({**plan, **asked, "port": port, "seconds": plain_seconds})
            results["plain"] = steady(seen, memory.to_json())
    atomic.write_text(options.out, json.dumps(results, indent=1) + "\n")
    print(f"{markdown(results)}\n\n{options.out}")
    if options.page:
        page = pages.page("serving.md")
        text = pages.replaced(page.read_text(encoding="utf-8"), "serve", markdown(results))
        page.write_text(text, encoding="utf-8")


def _uncalibrated(predictor: Any, expected: list[float]) -> list[float]:
    temperature = predictor.manifest.temperature or 1.0
    return [1 / (1 + ((1 - p) / p) ** temperature) for p in expected]


if __name__ == "__main__":
    main()
