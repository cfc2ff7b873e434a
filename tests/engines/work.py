"""What the workers of these tests do, by import from their PYTHONPATH."""

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

from sentilab.errors import SentilabError


def nothing(payload: dict[str, Any], report: Any) -> Any:
    return payload.get("value")


def once(payload: dict[str, Any], report: Any) -> int:
    """Misbehaves as it is told, the first so many times; counts its calls in a file."""
    calls = Path(payload["calls"])
    with calls.open("a") as file:
        file.write("x")
    number = len(calls.read_text())
    if number <= payload.get("times", 1):
        misbehave(payload["how"])
    return number


def misbehave(how: str) -> None:
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(7)
    if how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "hang":
        time.sleep(3600)
    if how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if how == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")
    if how == "hungry":
        hoard = bytearray(1 << 30)
        for at in range(0, len(hoard), 4096):
            hoard[at] = 1
        time.sleep(60)
    if how == "bug":
        raise KeyError("no such thing")
    if how == "refuse":
        raise SentilabError("These settings cannot be meant.")


def ticking(payload: dict[str, Any], report: Any) -> int:
    """Gives signs of life for a while."""
    for number in range(payload["ticks"]):
        report({"tick": number})
        time.sleep(0.1)
    return int(payload["ticks"])


def where(payload: dict[str, Any], report: Any) -> list[int]:
    return sorted(os.sched_getaffinity(0))


def threads(payload: dict[str, Any], report: Any) -> dict[str, str]:
    return {name: os.environ.get(name, "") for name in ("NPROC", "SENTILAB_THREADS")}


def orphan(payload: dict[str, Any], report: Any) -> None:
    """Says its number, and waits."""
    Path(payload["pid"]).write_text(str(os.getpid()))
    time.sleep(3600)


def files(payload: dict[str, Any], report: Any) -> dict[str, Any]:
    folder = Path(payload["share"])
    return {"folder": str(folder), "files": [one.name for one in folder.iterdir()]}
