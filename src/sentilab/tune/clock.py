"""The time that a search has taken, over all the commands that carried it on."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from sentilab import atomic
from sentilab.readable import json_file

Clock = Callable[[], float]


class Stopwatch:
    """Seconds spent, kept in ``path``; what a kill loses is the time since the last ``save``."""

    def __init__(self, path: Path, clock: Clock = time.monotonic) -> None:
        self._path, self._clock, self._began = path, clock, clock()
        self._before = 0.0
        if path.exists():
            self._before = float(json_file(path, {"seconds": float}, "; remove it.")["seconds"])

    @property
    def spent(self) -> float:
        return self._before + self._clock() - self._began

    def save(self) -> None:
        atomic.write_text(self._path, json.dumps({"seconds": round(self.spent, 1)}) + "\n")
