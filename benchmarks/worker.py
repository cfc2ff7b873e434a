"""One contender in a process of its own, which answers one request at a time.

    python -m benchmarks.worker NAME THREADS        NAME: a contender, or "floors"

A request is a line of JSON on standard input, an answer a line of JSON on standard output; while it
waits, the process sleeps. Requests:

    {"do": "versions"}                                   what the contender runs on
    {"do": "build", "case": ..., "data": folder}         build and compile the model of a case
    {"do": "step" | "predict", "count": n}               {"seconds": ..., "cpu": ..., "idle_cpu": ...}
    {"do": "epoch", "count": n}                          the same; n = 0: the last two batches alone
    {"do": "floors", "case": ..., "distinct": n}         (floors only)
    {"do": "end"}                                        {"peak_memory_mb": ...}, and the process ends

``cpu`` is the processor time, in seconds, that the process used for the request, ``idle_cpu`` what it
used since the request before. An answer with the key "error" says why there is no other, and
whether it is because a library is missing ("absent").
"""

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from benchmarks.cases import Case

Answer = dict[str, Any]
Handler = Callable[[Answer], Answer]


def serve(handlers: dict[str, Handler], requests: TextIO, answers: TextIO) -> None:
    """Answers requests by the handler that each names, until {"do": "end"} or the input's end."""
    cpu_before = time.process_time()
    for line in requests:
        request = json.loads(line)
        idle_cpu = time.process_time() - cpu_before
        started = time.process_time()
        try:
            if request["do"] == "end":
                answer: Answer = {"peak_memory_mb": peak_memory_mb()}
            else:
                answer = handlers[request["do"]](request)
            answer |= {"cpu": time.process_time() - started, "idle_cpu": idle_cpu}
        except Exception as error:
            traceback.print_exc()
            absent = type(error).__name__ in ("Absent", "ImportError", "ModuleNotFoundError")
            answer = {"error": f"{type(error).__name__}: {error}", "absent": absent}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        cpu_before = time.process_time()
        if request["do"] == "end":
            return


def peak_memory_mb() -> float:
    """The most memory that this process held, in MB of 10^6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def contender(name: str, threads: int) -> dict[str, Handler]:
    """The handlers of a contender."""
    from benchmarks import contenders

    built: list[contenders.Contender] = []

    def build(request: Answer) -> Answer:
        import numpy as np

        case, folder = Case.from_json(request["case"]), Path(request["data"])
        x, y = (
            np.array(np.load(folder / f"{part}-{case.length}.npy", mmap_mode="r"))
            for part in ("x", "y")
        )
        started = time.perf_counter()
        built.append(contenders.build(name, case, x, y, threads))
        return {
            "seconds": time.perf_counter() - started,
            "texts": len(x),
            "lstm_path": contenders.lstm_path(name, built[-1]),
        }

    def timed(request: Answer) -> Answer:
        measured = getattr(built[-1], request["do"])(request["count"])
        return {"seconds": measured, "count": request["count"]}

    return {
        "versions": lambda _: {"versions": contenders.versions(name)},
        "build": build,
        "step": timed,
        "predict": timed,
        "epoch": timed,
    }


def floors(threads: int) -> dict[str, Handler]:
    """The handlers of the machine's own speed."""
    from benchmarks.floors import Floors

    machine = Floors(threads)
    return {
        "versions": lambda _: {"versions": machine.versions()},
        "floors": lambda request: machine.measure(
            Case.from_json(request["case"]), request["distinct"]
        ),
    }


def main() -> None:
    """Serves with a standard output of its own: whatever libraries print goes to standard error."""
    name, threads = sys.argv[1], int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    handlers = floors(threads) if name == "floors" else contender(name, threads)
    serve(handlers, sys.stdin, answers)


if __name__ == "__main__":
    main()
