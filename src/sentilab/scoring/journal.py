"""What a scoring job has done so far, on disk: a killed job goes on from it.

Beside OUT stands a hidden folder, ``.OUT.partial``: ``output`` and ``rejected`` grow chunk by chunk, and
``journal.json`` says, after each, how long both are and how far the input was read. What a killed job
has written beyond that is cut off by the next one.
"""

import csv
import io
import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from sentilab import atomic
from sentilab.errors import SentilabError
from sentilab.scoring.records import BadRow, Position

RECORD = "journal.json"


class ScoringError(SentilabError):
    """A scoring job cannot begin, go on or end."""


class Busy(ScoringError):
    """Another process is at the same job."""


@dataclass
class State:
    """How far a job is. ``offset`` and ``place`` are a ``Position``; ``output_bytes`` and
    ``rejected_bytes`` how much of the two files counts; ``seconds`` what all sittings took.
    ``made`` names the file in the job's folder that is the whole output, once that is there.
    """

    offset: int
    place: int
    rows: int = 0
    rejected: int = 0
    output_bytes: int = 0
    rejected_bytes: int = 0
    seconds: float = 0.0
    made: str = ""

    @property
    def position(self) -> Position:
        return Position(self.offset, self.place)


class Journal:
    """The files of one job. Use as a context manager; no two processes can have one open.

    ``state`` is None for a job that has not begun.
    """

    def __init__(self, out: Path, job: dict[str, Any], restart: bool) -> None:
        """``job`` is what must be the same for going on: plain JSON values.

        Raises ScoringError if OUT is there already, or what was begun is another job.
        """
        self.out, self._job = out, job
        self.rejected_out = rejected_path(out)
        self.folder = _folder(out)
        self._record = self.folder / RECORD
        self._output: IO[bytes] | None = None
        self._rejected: IO[bytes] | None = None
        self.state: State | None = None
        out.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(exist_ok=True)
        self._lock = locked(self.folder / "lock", out)
        try:
            if restart:
                # The record first: without it the rest means nothing.
                for file in (self._record, self.output, self.folder / "rejected"):
                    file.unlink(missing_ok=True)
            self.state = self._found()
            if out.exists() and self.state is None and not restart:
                raise ScoringError(
                    f"{out}: this is there already.\n"
                    "  Name another file, or have it replaced: --restart"
                )
        except BaseException:
            self.close()
            self._drop_if_unused()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        for file in (self._output, self._rejected, self._lock):
            if file is not None:
                file.close()

    def begin(self, start: Position, header: bytes, unit: str) -> State:
        """Opens the files where the job stands, which may be its beginning."""
        self._output = _opened(self.folder / "output")
        self._rejected = _opened(self.folder / "rejected")
        if self.state is None:
            self.state = State(start.offset, start.place)
            self._cut()
            self._append(header, _as_csv([(unit, "reason", "content")]))
        else:
            self._cut()
        return self.state

    def commit(self, after: Position, rows: int, output: bytes, bad: list[BadRow]) -> None:
        """Adds a chunk; when this returns it is on the disk."""
        state = self._known()
        state.offset, state.place = after.offset, after.place
        state.rows += rows
        state.rejected += len(bad)
        self._append(output, _as_csv([(one.place, one.reason, one.raw) for one in bad]))

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def first_rejected(self, most: int) -> list[list[str]]:
        """The first rejected rows: place, reason and how they begin."""
        with (self.folder / "rejected").open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            next(rows, None)
            return [row for row, _ in zip(rows, range(most), strict=False)]

    def list_rejected(self) -> Path:
        """A copy of the list as it stands, where the user looks for it."""
        atomic.write_bytes(self.rejected_out, (self.folder / "rejected").read_bytes())
        return self.rejected_out

    def finish(self, made: Path) -> None:
        """Moves ``made`` and the list of rejected rows into place, and removes the rest.

        Can be killed at any moment and be called again.
        """
        state = self._known()
        if not state.made:
            with made.open("rb") as file:
                os.fsync(file.fileno())
            state.made = made.name
            self._write()
        listed = self.folder / "rejected"
        if listed.exists():
            if state.rejected:
                listed.replace(self.rejected_out)
            else:
                self.rejected_out.unlink(missing_ok=True)
        whole = self.folder / state.made
        if whole.exists():
            whole.replace(self.out)
        self.close()
        # The record last: with it the next call knows that all is done.
        for one in self.folder.iterdir():
            if one != self._record:
                with suppress(OSError):  # the output is in its place, whatever stays here
                    one.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _known(self) -> State:
        assert self.state is not None
        return self.state

    def _found(self) -> State | None:
        try:
            content = json.loads(self._record.read_text(encoding="utf-8"))
            job, state = content["job"], State(**content["state"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ScoringError(
                f"{self._record}: what an earlier job left here is damaged.\n"
                "  Begin anew: --restart"
            ) from error
        if job != self._job:
            differs = ", ".join(one for one in self._job if self._job[one] != job.get(one))
            raise ScoringError(
                f"{self.out}: another job was begun here ({state.rows:,} rows); what differs: "
                f"{differs or 'its form'}.\n"
                "  Give the same command to go on with it, name another file, or begin anew: --restart"
            )
        if not state.made:
            for name, wanted in (
                ("output", state.output_bytes),
                ("rejected", state.rejected_bytes),
            ):
                file = self.folder / name
                if not file.exists() or file.stat().st_size < wanted:
                    raise ScoringError(
                        f"{file}: a part of what was done so far is missing.\n"
                        "  Begin anew: --restart"
                    )
        return state

    def _cut(self) -> None:
        state = self._known()
        for file, size in (
            (self._output, state.output_bytes),
            (self._rejected, state.rejected_bytes),
        ):
            assert file is not None
            file.truncate(size)
            file.seek(size)

    def _append(self, output: bytes, rejected: bytes) -> None:
        state = self._known()
        for file, content in ((self._output, output), (self._rejected, rejected)):
            assert file is not None
            if content:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        state.output_bytes += len(output)
        state.rejected_bytes += len(rejected)
        self._write()

    def _write(self) -> None:
        content = {"job": self._job, "state": asdict(self._known())}
        atomic.write_text(self._record, json.dumps(content, indent=1) + "\n")

    def _drop_if_unused(self) -> None:
        if not self._record.exists():
            shutil.rmtree(self.folder, ignore_errors=True)


def is_begun(out: Path) -> bool:
    """Whether a job that writes OUT was begun and has not come to its end."""
    return (_folder(out) / RECORD).exists()


def rejected_path(out: Path) -> Path:
    """Where the rejected rows of OUT are listed: reviews.csv.gz has reviews.rejected.csv."""
    stem = out.name.removesuffix(".gz")
    return out.with_name(f"{Path(stem).stem}.rejected.csv")


def _folder(out: Path) -> Path:
    return out.with_name(f".{out.name}.partial")


def _opened(path: Path) -> IO[bytes]:
    return path.open("r+b" if path.exists() else "w+b")


def _as_csv(rows: list[tuple[object, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def locked(path: Path, out: Path) -> IO[bytes]:
    """An open file that no other process has locked; the lock ends when it is closed.

    Raises Busy, of ``out``, if another has.
    """
    file = path.open("ab")
    try:
        import fcntl
    except ImportError:  # no such locks there
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Busy(
            f"{out}: another process is scoring into this file.\n  Wait for it, or name another file."
        ) from error
    return file
