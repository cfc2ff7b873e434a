"""A worker: a process that does one task after another, as it is told over a pipe.

It ends as soon as the pipe does, so that nothing goes on behind the back of an engine that was killed.
"""

import ctypes
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sentilab.engines import machine
from sentilab.errors import SentilabError

# How often a worker looks whether it has outgrown its share of memory.
LOOK_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """``python -m sentilab.engines.worker FD SETTINGS``: serves the pipe with this number."""
    connection = Connection(int(sys.argv[1]))
    settings = json.loads(sys.argv[2])
    _settle(settings)
    _Worker(connection, settings["memory"]).serve()


def _settle(settings: dict[str, Any]) -> None:
    # An interrupt from the keyboard is the engine's to deal with.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if settings["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, settings["cores"])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            # Where memory runs out, a worker is to go and not the engine: less is lost by it.
            Path("/proc/self/oom_score_adj").write_text("800")


class _Worker:
    def __init__(self, connection: Connection, memory: int) -> None:
        self._connection, self._memory = connection, memory
        self._sending = threading.Lock()
        self._orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def serve(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        if self._memory:
            threading.Thread(target=self._watch_memory, daemon=True).start()
        self._send({"ready": os.getpid()})
        while True:
            order = self._orders.get()
            self._send({"ended": _attempt(order, lambda told: self._send({"told": told}))})

    def _read(self) -> None:
        while True:
            try:
                self._orders.put(json.loads(self._connection.recv_bytes()))
            except (EOFError, OSError):
                os._exit(0)

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps(message).encode()
        with self._sending:
            try:
                self._connection.send_bytes(content)
            except OSError:
                os._exit(0)

    def _watch_memory(self) -> None:
        while True:
            used = machine.own_memory()
            if used > self._memory:
                reason = (
                    f"It took {used / 2**30:.1f} GiB of memory, more than its share of "
                    f"{self._memory / 2**30:.1f} GiB."
                )
                self._send({"ended": {"ending": "starved", "reason": reason}})
                os._exit(1)
            time.sleep(LOOK_SECONDS)


def _attempt(order: dict[str, Any], report: Any) -> dict[str, Any]:
    """Does one task; says how it ended."""
    try:
        module, _, name = order["call"].partition(":")
        call = getattr(importlib.import_module(module), name)
        return {"ending": "done", "result": call(order["payload"], report)}
    except SentilabError as error:
        return {"ending": "failed", "reason": str(error)}
    except MemoryError:
        return {"ending": "starved", "reason": "It asked for more memory than there is."}
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return {"ending": "trouble", "reason": f"{where}{error.strerror or error}"}
    except Exception as error:
        if "RESOURCE_EXHAUSTED" in str(error):  # XLA's own words
            return {"ending": "starved", "reason": "It asked for more memory than there is."}
        traceback.print_exc()
        return {"ending": "crashed", "reason": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
