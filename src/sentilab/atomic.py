"""Files that are either whole or absent: written under a temporary name, then renamed.

And folders at which one process works alone.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sentilab.errors import SentilabError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside ``path`` to write to; moves it into place on success.

    The data reach the disk before the rename, so that a crash leaves the old file or the new one.
    On failure the temporary file is removed and ``path`` is untouched. The temporary name ends
    as ``path`` does, for writers that judge by the suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Drawn at random: processes of two machines that share a folder may have the same number.
    temporary = path.with_name(f".{secrets.token_hex(4)}.partial.{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Puts ``content`` at ``path`` in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Puts ``content`` at ``path`` in one step, as UTF-8."""
    write_bytes(path, content.encode())


def sweep(folder: Path) -> None:
    """Removes what a killed process left half-written in ``folder``, which must be ours alone."""
    for stale in folder.glob(".*.partial.*"):
        stale.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path, what: str, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Holds the folder's lock: two commands at the same work would do everything twice.

    Raises SentilabError, calling the work ``what``, if another process holds it; with ``waiting`` waits
    until it is free instead, and calls that every second.
    """
    try:
        import fcntl  # noqa: F401
    except ImportError:  # Windows has no flock; the files stay whole there all the same
        yield
        return
    with (folder / ".lock").open("w") as lock:
        while not _locked(lock):
            if waiting is not None:
                waiting()
                time.sleep(1)
                continue
            raise SentilabError(
                f"{folder}: another sentilab is at work on this {what}.\n"
                "  Wait for it, or choose another folder with --runs."
            )
        yield


def is_held(folder: Path) -> bool:
    """Whether a process is at work on ``folder``, as ``alone`` has it."""
    try:
        with (folder / ".lock").open() as lock:
            return not _locked(lock)
    except (OSError, ImportError):
        return False


def _locked(lock: IO[str]) -> bool:
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
