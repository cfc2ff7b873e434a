"""Runs as TensorBoard reads them: a folder a run, with one event file in it."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorboardX  # noqa: F401 (whether it is there is to be known before anything is trained)

from sentilab import atomic
from sentilab.tracking.recording import Recording, recording_of, status_of
from sentilab.training import RunFolder

FOLDER = "tensorboard"  # beside the study's run folders, where no other is named

# By this beginning TensorBoard knows an event file.
_EVENTS = "events.out.tfevents.0."


class TensorBoard:
    """Writes event files under ``folder``; None is for the folder "tensorboard" beside the runs."""

    def __init__(self, spec: str, folder: Path | None = None) -> None:
        self.spec, self._folder = spec, folder

    def record(self, run: RunFolder, name: str, study: str) -> bool:
        """See ``Tracker.record``. The event file is whole or absent."""
        home = self._home(run.path.resolve().parent) / run.path.resolve().name
        # A run that failed may have been trained anew, and ended otherwise.
        file = home / f"{_EVENTS}{status_of(run)}"
        if file.exists():
            return False
        content = _content(recording_of(run, study), name)
        if home.is_dir():
            atomic.sweep(home)
        atomic.write_bytes(file, content)
        for other in home.glob(f"{_EVENTS}*"):
            if other != file:
                other.unlink()
        return True

    def shown_by(self, runs: Path) -> str:
        return f"tensorboard --logdir {self._home(runs)}"

    def _home(self, runs: Path) -> Path:
        return self._folder or runs / FOLDER


def _content(told: Recording, name: str) -> bytes:
    """The bytes of an event file that tells all of it."""
    from tensorboardX.record_writer import RecordWriter

    # tensorboardX writes to a path, and TensorBoard reads whatever grows in its folder.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events"
        writer = RecordWriter(str(path))
        for event in _events(told, name):
            writer.write(event.SerializeToString())
        writer.flush()
        writer.close()
        return path.read_bytes()


def _events(told: Recording, name: str) -> Iterator[Any]:
    from tensorboardX import summary
    from tensorboardX.proto.event_pb2 import Event

    began = told.ended - told.seconds
    yield Event(wall_time=began, file_version="brain.Event:2")
    yield Event(wall_time=began, summary=summary.text("run", _page(told, name)))
    ends = {one.name: one.value for one in told.points}
    compared = [one for one in ("test_accuracy", "val_accuracy") if one in ends]
    experiment, start, end = summary.hparams(dict(told.parameters), dict.fromkeys(compared, 0))
    yield Event(wall_time=began, summary=experiment)
    yield Event(wall_time=began, summary=start)
    for point in told.points:
        scalar = summary.scalar(point.name, point.value)
        yield Event(wall_time=told.time_of(point), step=point.step, summary=scalar)
    if told.status == "finished":
        yield Event(wall_time=told.ended, summary=end)


def _page(told: Recording, name: str) -> str:
    """Tags and settings as Markdown, which the text tab shows."""
    lines = [f"**{name}**", "", "| | |", "| --- | --- |"]
    for key, value in {"folder": told.run, **told.tags, **told.parameters}.items():
        said = value if isinstance(value, str) else json.dumps(value)
        lines.append(f"| {key} | {' '.join(said.replace('|', chr(92) + '|').split())} |")
    return "\n".join(lines)
