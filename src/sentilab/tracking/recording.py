"""What a tracker is told of a run, all of it read from the run's folder."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from sentilab.errors import SentilabError
from sentilab.training import EpochMetrics, RunFolder, seconds_of

Plain = str | int | float | bool


@dataclass(frozen=True)
class Point:
    """A finite ``value`` of the metric ``name`` after ``step`` epochs, ``seconds`` into the run."""

    name: str
    value: float
    step: int
    seconds: float


@dataclass(frozen=True)
class Recording:
    """A run that has ended.

    ``run`` is its folder's name, which no other settings or data share; ``status`` "finished",
    "failed" or "refused"; ``ended`` a time in seconds since 1970, and ``seconds`` how long its epochs
    took. ``parameters`` are the settings, those within a table under "table.name".
    """

    run: str
    status: str
    parameters: Mapping[str, Plain]
    points: tuple[Point, ...]
    tags: Mapping[str, str]
    ended: float
    seconds: float

    def time_of(self, point: Point) -> float:
        """Seconds since 1970, counted back from the end: in order, whatever the clock did on the way."""
        return self.ended - self.seconds + point.seconds


def status_of(run: RunFolder) -> str:
    """How the run ended; "" where it has not.

    Raises SentilabError for a result that cannot be read.
    """
    return str((run.read_json("result.json") or {}).get("status", ""))


def recording_of(run: RunFolder, study: str) -> Recording:
    """What there is to tell of a run of the study of this name.

    Raises SentilabError if it has not ended, or its folder cannot be read.
    """
    result = run.read_json("result.json")
    if not result:
        raise SentilabError(f"{run.path}: this run has not ended; there is nothing to record yet.")
    settings, data, history = run.settings(), run.data(), run.history()
    seconds = run.seconds()
    took = sum(seconds)
    tags = {
        "study": study,
        "model": settings.model,
        "seed": str(settings.seed),
        "protocol": settings.protocol,
        "data": data["name"],
        "data_fingerprint": data["fingerprint"],
        "data_without": data["without"],
        "status": result["status"],
        "reason": result.get("reason", ""),
    }
    # Under "validation" no test texts are scored: what is called so are the validation texts.
    test = {} if settings.protocol == "validation" else result.get("test", {})
    last = {
        "test_accuracy": test.get("accuracy"),
        "test_loss": test.get("loss"),
        "kept_epoch": result.get("kept_epoch"),
        "parameters": result.get("parameters"),
        "training_seconds": seconds_of([run]),
        "prediction_ms": run.prediction_ms(),
        "weights_bytes": run.size(),
    }
    points = [
        *_curve(history, seconds),
        *(
            Point(key, value, len(history), took)
            for key, value in last.items()
            if value is not None
        ),
    ]
    return Recording(
        run=run.path.resolve().name,
        status=result["status"],
        parameters=dict(_flat(settings.to_dict())),
        points=tuple(one for one in points if math.isfinite(one.value)),
        tags={key: value for key, value in tags.items() if value},
        ended=(run.path / "result.json").stat().st_mtime,
        seconds=took,
    )


def _curve(history: Sequence[EpochMetrics], seconds: Sequence[float]) -> Iterator[Point]:
    # An epoch's figures are on disk a moment before its seconds.
    for measured, took, at in zip(history, seconds, accumulate(seconds), strict=False):
        figures = asdict(measured) | {"seconds": took}
        epoch = figures.pop("epoch")
        yield from (Point(name, value, epoch, at) for name, value in figures.items())


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Plain]]:
    """(name, value) of all that is set, tables and lists of tables taken apart."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        if any(isinstance(one, Mapping) for one in value):
            yield from _flat(dict(enumerate(value)), name)
        else:
            yield name, json.dumps(value, ensure_ascii=False)
    elif value is not None:
        yield name, value if isinstance(value, Plain) else str(value)
