"""A folder of files of texts in, a folder of the same files with answers out: each file once.

Files are scored side by side by an engine's workers. Each is made under a hidden folder of OUT, then
recorded, then moved into place: whatever is killed, wherever, a file is there once and whole, or is not there
yet and will be.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from sentilab import __version__, atomic
from sentilab.engines import (
    MILESTONE,
    LocalPool,
    Outcome,
    Report,
    Silent,
    Status,
    Task,
    carry_out,
    machine,
)
from sentilab.engines import (
    Told as Said,
)
from sentilab.errors import SettingsError
from sentilab.scoring import journal
from sentilab.scoring.forms import SUFFIXES
from sentilab.scoring.job import score_file
from sentilab.scoring.journal import ScoringError, rejected_path

LEDGER = ".scoring"
JOB = "job.json"
CALL = "sentilab.scoring.partitions:score_partition"
# No chunk of rows takes so long.
SILENCE = 600.0
TELL_SECONDS = 0.5


@dataclass(frozen=True)
class Asked:
    """How each file is scored; as for ``score_file``."""

    bundle: Path
    engine: Literal["auto", "native", "onnx", "int8"] = "auto"
    form: str | None = None
    separator: str | None = None
    text_column: str | None = None
    prefix: str = ""
    explain: bool = False
    max_rejected: float = 0.05


Told = Callable[[str, "Outcome | int"], None]
"""Hears of a file, by its name, how many rows are done, or how it ended."""

Runner = Callable[[Sequence[Task], Told], dict[str, Outcome]]
"""Has tasks done, and says how each ended."""


@dataclass(frozen=True)
class Ledger:
    """What has been done of a folder: ``rows`` in ``files``, of them ``earlier`` files in earlier sittings."""

    out: Path
    files: int
    rows: int
    rejected: int
    earlier: int
    seconds: float


@dataclass
class Advance:
    """How far a folder is, for whoever watches."""

    files: int
    done: int
    rows: int
    seconds: float


def score_folder(
    asked: Asked,
    source: Path,
    out: Path,
    run: "Runner | None" = None,
    *,
    restart: bool = False,
    progress: Callable[[Advance], None] = lambda _: None,
) -> Ledger:
    """Scores every file of ``source`` into ``out``, under its own name.

    ``run`` has the files scored, by default by one process a core (see ``on_processes``). What was done before is not done again;
    ``restart`` forgets it.

    Raises SettingsError for a folder without files that can be scored, ScoringError if files could not be
    scored, or if OUT has another job's answers.
    """
    parts = partitions(source, asked.form)
    if out.resolve() == source.resolve():
        raise ScoringError(f"{out}: this is the input itself; name another folder.")
    ledger = out / LEDGER
    ledger.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with atomic.alone(ledger, "folder"):
        atomic.sweep(ledger)
        if restart:
            _forget(ledger, parts, out)
        _require_same_job(ledger, asked)
        done = {one.name for one in parts if _record(ledger, one) is not None}
        todo = [one for one in parts if one.name not in done]
        onlooker = _Onlooker(len(todo), progress, began)
        for one in parts:
            if one.name in done:
                _move(ledger, out, one.name)
        tasks = [_task(asked, one, out) for one in todo]
        outcomes = (run or on_processes())(tasks, onlooker.heard) if tasks else {}
    failed = {name: one for name, one in outcomes.items() if one.ending == "failed"}
    if failed:
        first = "".join(f"\n  {name}: {one.reason}" for name, one in list(failed.items())[:5])
        raise ScoringError(
            f"{len(failed)} of {len(parts)} files could not be scored:{first}\n"
            "  The others are done; once these are mended, the same command goes on."
        )
    records = [_record(ledger, one) or {} for one in parts]
    return Ledger(
        out,
        len(parts),
        sum(one["rows"] for one in records),
        sum(one["rejected"] for one in records),
        len(done),
        time.monotonic() - began,
    )


def on_processes(workers: int | None = None) -> "Runner":
    """Has files scored by so many processes of this machine, by default one a core."""

    def run(tasks: Sequence[Task], told: Told) -> dict[str, Outcome]:
        cores = len(machine.cores())
        with LocalPool(min(workers or cores, len(tasks)), 1) as pool:
            return carry_out(tasks, pool, _Watching(told))

    return run


def partitions(source: Path, form: str | None = None) -> list[Path]:
    """The files of a folder that are scored, by name; raises SettingsError if there are none."""
    files = [one for one in sorted(source.iterdir()) if one.is_file() and one.name[0] not in "._"]
    if form is None:
        endings = tuple(SUFFIXES)
        files = [one for one in files if one.name.lower().removesuffix(".gz").endswith(endings)]
    if not files:
        raise SettingsError(
            f"{source}: no file here can be scored. Known endings are {', '.join(SUFFIXES)}."
        )
    return files


def score_partition(payload: Mapping[str, Any], report: Report) -> dict[str, int]:
    """An engine's task: one file. Safe to repeat: what is recorded is done.

    Raises BlockingIOError while another process is at the same file.
    """
    asked = Asked(**{**payload["asked"], "bundle": Path(payload["asked"]["bundle"])})
    source, out = Path(payload["source"]), Path(payload["out"])
    ledger = out / LEDGER
    try:
        with journal.locked(ledger / f".{source.name}.lock", out / source.name):
            known = _record(ledger, source)
            if known is None:
                known = _scored(asked, source, ledger, report)
            _move(ledger, out, source.name)
    except journal.Busy as error:  # an attempt that was given up is not quite dead
        raise BlockingIOError(str(error)) from error
    return {"rows": known["rows"], "rejected": known["rejected"]}


def _scored(asked: Asked, source: Path, ledger: Path, report: Report) -> dict[str, Any]:
    made = ledger / source.name
    told_at = 0.0

    def tell(progress: Any) -> None:
        nonlocal told_at
        if time.monotonic() - told_at > TELL_SECONDS:
            told_at = time.monotonic()
            report({"rows": progress.rows, MILESTONE: True})

    if made.exists() and not journal.is_begun(made):
        made.unlink()  # whole, but killed before it was recorded
    scored = score_file(
        _predictor(str(asked.bundle), asked.engine),
        source,
        made,
        form=asked.form,
        separator=asked.separator,
        text_column=asked.text_column,
        prefix=asked.prefix,
        explain=asked.explain,
        max_rejected=asked.max_rejected,
        progress=tell,
    )
    record = {"rows": scored.rows, "rejected": scored.rejected, "source": _identity(source)}
    atomic.write_text(_record_path(ledger, source), json.dumps(record) + "\n")
    return record


@lru_cache(maxsize=1)
def _predictor(bundle: str, engine: Any) -> Any:
    from sentilab import bundle as bundles

    return bundles.load(bundle, engine=engine, threads=1)


def _task(asked: Asked, source: Path, out: Path) -> Task:
    return Task(
        key=source.name,
        call=CALL,
        payload={
            "asked": {**asdict(asked), "bundle": str(asked.bundle.absolute())},
            "source": str(source.absolute()),
            "out": str(out.absolute()),
        },
        silence=SILENCE,
    )


def _move(ledger: Path, out: Path, name: str) -> None:
    """Moves a recorded file into place, unless that was done."""
    listed = rejected_path(ledger / name)
    if listed.exists():
        listed.replace(rejected_path(out / name))
    made = ledger / name
    if made.exists():
        made.replace(out / name)


def _record_path(ledger: Path, source: Path) -> Path:
    return ledger / f"{source.name}.done.json"


def _record(ledger: Path, source: Path) -> dict[str, Any] | None:
    """What was written of a file that was scored; None if it was not.

    Raises ScoringError if the file has changed since.
    """
    path = _record_path(ledger, source)
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["source"] != _identity(source):
            raise ScoringError(
                f"{source}: this file has changed since it was scored.\n  Begin anew: --restart"
            )
        record["rows"], record["rejected"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ScoringError(f"{path}: this record is damaged.\n  Begin anew: --restart") from error
    return record


def _identity(source: Path) -> list[int]:
    found = source.stat()
    return [found.st_size, found.st_mtime_ns]


def _require_same_job(ledger: Path, asked: Asked) -> None:
    job = {
        "the version of Sentilab": __version__,
        "the bundle": _predictor(str(asked.bundle.absolute()), asked.engine).manifest.digest,
        **{name: value for name, value in asdict(asked).items() if name not in ("bundle",)},
    }
    path = ledger / JOB
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
        if known != job:
            differs = ", ".join(name for name in job if known.get(name) != job[name])
            raise ScoringError(
                f"{ledger.parent}: another job was begun here; what differs: {differs}.\n"
                "  Name another folder, or begin anew: --restart"
            )
        return
    atomic.write_text(path, json.dumps(job, indent=1) + "\n")


def _forget(ledger: Path, parts: Iterable[Path], out: Path) -> None:
    import shutil

    for one in parts:
        # The record first: without it the rest means nothing.
        _record_path(ledger, one).unlink(missing_ok=True)
        for made in (ledger / one.name, out / one.name):
            made.unlink(missing_ok=True)
            rejected_path(made).unlink(missing_ok=True)
        shutil.rmtree(ledger / f".{one.name}.partial", ignore_errors=True)
    (ledger / JOB).unlink(missing_ok=True)


@dataclass
class _Watching(Silent):
    """Passes on what matters here of what an engine tells."""

    heard: Told

    def told(self, status: Status, told: Said) -> None:
        self.heard(status.task.key, int(told["rows"]))

    def ended(self, status: Status) -> None:
        if status.outcome is not None:
            self.heard(status.task.key, status.outcome)


@dataclass
class _Onlooker:
    """Adds up what is heard of single files."""

    files: int
    progress: Callable[[Advance], None]
    began: float
    _rows: dict[str, int] = field(default_factory=dict)
    _done: int = 0

    def heard(self, name: str, what: Outcome | int) -> None:
        if isinstance(what, int):
            self._rows[name] = what
        else:
            self._done += 1
            if what.result is not None:
                self._rows[name] = what.result["rows"]
        seconds = time.monotonic() - self.began
        self.progress(Advance(self.files, self._done, sum(self._rows.values()), seconds))
