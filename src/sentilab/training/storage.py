"""Run folders at an address that all machines reach, such as s3://bucket/runs.

There a run's files are written one by one, result.json last: a run is there once that is. Workers compute in
folders of their own and put there what has ended; the command that carries the study out fetches it.
"""

import hashlib
import json
import secrets
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from sentilab import atomic
from sentilab.errors import SentilabError, SettingsError

LAST = "result.json"
LOCK = ".lock.json"
# A lock whose counter has not moved for so long, by the clock of who waits for it, is a dead command's.
LEASE_SECONDS = 20.0


class Storage:
    """The runs of one study at ``address``, which fsspec understands.

    Raises SettingsError for an address that it does not.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        try:
            import fsspec

            self._files, self._root = fsspec.core.url_to_fs(self.address)
        except (ValueError, ImportError) as error:
            raise SettingsError(f'--storage "{address}" cannot be used: {error}') from error

    @cached_property
    def scratch(self) -> Path:
        """The folder on this machine in which runs are computed before they are put here."""
        mark = hashlib.sha256(self.address.encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"sentilab-runs-{mark}"

    def has(self, run: str) -> bool:
        """Whether a run is here, whole."""
        return bool(self._files.exists(f"{self._root}/{run}/{LAST}"))

    def put(self, folder: Path) -> None:
        """Puts a run here that has ended, unless it is here; others never see a part of it.

        Raises OSError where the storage refuses.
        """
        if self.has(folder.name):
            return
        where = f"{self._root}/{folder.name}"
        self._files.makedirs(where, exist_ok=True)
        files = [one for one in sorted(folder.iterdir()) if not one.name.startswith(".")]
        for one in sorted(files, key=lambda one: one.name == LAST):
            self._files.pipe_file(f"{where}/{one.name}", one.read_bytes())

    def get(self, run: str, into: Path) -> bool:
        """Fetches a run to the folder of its name in ``into``, unless it is there; False if it is not here."""
        if (into / run / LAST).exists():
            return True
        if not self.has(run):
            return False
        where = f"{self._root}/{run}"
        names = [str(one).rpartition("/")[2] for one in self._files.ls(where, detail=False)]
        for name in sorted(names, key=lambda one: one == LAST):
            atomic.write_bytes(into / run / name, self._files.cat_file(f"{where}/{name}"))
        return True

    def get_all(self, runs: Iterable[str], into: Path) -> None:
        """Fetches those of ``runs`` that are here."""
        for one in runs:
            self.get(one, into)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds the address: two commands at one study would do everything twice.

        Raises SentilabError if another command holds it. One that was killed is found out within
        ``LEASE_SECONDS``, by its silence and not by anybody's date.
        """
        self._files.makedirs(self._root, exist_ok=True)
        found = self._lock()
        if found is not None:
            until = time.monotonic() + LEASE_SECONDS
            while time.monotonic() < until:
                time.sleep(LEASE_SECONDS / 20)
                now = self._lock()
                if now is None:
                    break
                if now != found:
                    raise SentilabError(
                        f"{self.address}: another sentilab is at work on this study.\n"
                        "  Wait for it, or choose another address."
                    )
        token, ended = secrets.token_hex(8), threading.Event()
        self._write_lock(token, 0)
        time.sleep(LEASE_SECONDS / 20)
        if (self._lock() or {}).get("token") != token:
            raise SentilabError(f"{self.address}: another sentilab began at the same moment.")

        def beat() -> None:
            number = 0
            while not ended.wait(LEASE_SECONDS / 4):
                number += 1
                with suppress(OSError):
                    self._write_lock(token, number)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with suppress(OSError):
                self._files.rm_file(f"{self._root}/{LOCK}")

    def _lock(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._files.cat_file(f"{self._root}/{LOCK}"))
        except FileNotFoundError:
            return None
        except ValueError:
            return {"token": "", "beat": -1}
        return found

    def _write_lock(self, token: str, beat: int) -> None:
        content = json.dumps({"token": token, "beat": beat}).encode()
        self._files.pipe_file(f"{self._root}/{LOCK}", content)
