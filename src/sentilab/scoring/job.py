"""A file of texts in, the same rows with answers out: streamed, in order, and resumable.

One thread reads and encodes ahead, some compute, one writes; the engine lets the others run meanwhile.
"""

import hashlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sentilab import __version__, interrupts
from sentilab.scoring.answers import Answers, Naming, Pieces
from sentilab.scoring.forms import Form, form_of, open_sink, open_source, out_form
from sentilab.scoring.journal import Journal, ScoringError, State
from sentilab.scoring.records import CHUNK_ROWS, Chunk, Source
from sentilab.scoring.sinks import Sink

# Small enough that what a batch needs stays in a core's caches.
BATCH = 64
# With explanations a text costs as much as some two hundred; so that a kill costs no more.
EXPLAINED_ROWS = 256
AHEAD = 2
SHOWN_REJECTED = 5

# How long the engine may wait for Python's lock when it comes back from a computation, which it does
# every few milliseconds; the usual 5 ms would cost a tenth of its time.
SWITCH_INTERVAL = 2e-4

Ids = NDArray[np.int32]
Floats = NDArray[np.float32]


class Explained(Protocol):
    """What each word does to an answer."""

    @property
    def pieces(self) -> Pieces: ...


class Described(Protocol):
    """``digest`` identifies the bundle."""

    @property
    def digest(self) -> str: ...


class Predictor(Protocol):
    """What scoring asks of ``sentilab.bundle.Predictor``. Any thread may call it."""

    @property
    def manifest(self) -> Described: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def engine(self) -> str: ...
    def encode(self, texts: list[str], /) -> Ids: ...
    def probabilities_of(self, ids: Ids, /) -> Floats: ...
    def decide(self, probabilities: Floats, /) -> NDArray[np.int64]: ...
    def explain(self, text: str, /) -> Explained: ...


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` bytes are read (0 where that is not known); ``rows`` were written, of them
    ``earlier`` in earlier sittings, in ``seconds`` of this one.
    """

    rows: int
    rejected: int
    done: int
    total: int
    earlier: int
    seconds: float


@dataclass(frozen=True)
class Scored:
    """A finished job: ``rows`` are in ``out``, ``rejected`` in ``rejected_out`` (None if none were).

    ``earlier`` rows were found done; ``seconds`` is what this sitting took.
    """

    out: Path
    rows: int
    rejected: int
    rejected_out: Path | None
    earlier: int
    seconds: float
    engine: str
    text_column: str


def score_file(
    predictor: Predictor,
    source: Path | str,
    out: Path | str,
    *,
    form: str | None = None,
    separator: str | None = None,
    text_column: str | None = None,
    prefix: str = "",
    explain: bool = False,
    max_rejected: float = 0.05,
    workers: int = 1,
    restart: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Scored:
    """Writes the rows of ``source`` to ``out`` with label and probabilities, as its ending says.

    ``form`` ("csv", "tsv", "jsonl", "parquet", "lines") overrides what the source's ending says.
    Columns of answers are called ``prefix`` + label, probability, probability_<label> and, with
    ``explain``, weights. ``workers`` batches are computed at once: for a predictor that uses one
    thread, as many as there are cores. Rows that cannot be scored are listed beside ``out``; more than
    the share ``max_rejected`` of them ends the job. A job that was stopped or killed goes on when it is
    called again, and ends with the bytes that it would have had; ``restart`` forgets what was done.

    Raises DataError for a file that cannot be read, SettingsError for options that do not fit it, and
    ScoringError where the job cannot go on; but for another job's leavings, all can be mended and then
    gone on from.
    """
    source, out = Path(source), Path(out)
    if source.exists() and out.exists() and source.samefile(out):
        raise ScoringError(f"{out}: this is the input itself; name another file.")
    naming = Naming(tuple(predictor.labels), prefix, explain)
    given = form_of(source, form, separator)
    wanted = out_form(out, given)
    opened = open_source(source, given, text_column, naming)
    sink = open_sink(opened, given, wanted, naming)
    job = _identity(predictor, source, given, wanted, opened, naming)
    try:
        with Journal(out, job, restart) as journal, _lock_passed_quickly():
            run = _Run(predictor, opened, sink, naming, journal, max_rejected, workers, progress)
            return run.to_the_end()
    except OSError as error:
        raise ScoringError(
            f"{out}: this cannot be written ({error.strerror or error}).\n"
            "  What is done is kept; once that is mended, the same command goes on."
        ) from error


def _identity(
    predictor: Predictor, source: Path, given: Form, wanted: Form, opened: Source, naming: Naming
) -> dict[str, Any]:
    """All on which the output hangs, by the names that an error would give them."""
    found = source.stat()
    digest = hashlib.sha256()
    with source.open("rb") as file:
        digest.update(file.read(1 << 16))
        file.seek(max(0, found.st_size - (1 << 16)))
        digest.update(file.read())
    return {
        "the version of Sentilab": __version__,
        "the bundle": predictor.manifest.digest,
        "the engine": predictor.engine,
        "the input": [found.st_size, found.st_mtime_ns, digest.hexdigest()],
        "the input's form": [given.name, given.separator, given.packed],
        "the output's form": [wanted.name, wanted.separator, wanted.packed],
        "the text column": opened.text_column,
        "the prefix": naming.prefix,
        "explanations": naming.explain,
    }


class _Run:
    """One sitting of a job."""

    def __init__(
        self,
        predictor: Predictor,
        source: Source,
        sink: Sink,
        naming: Naming,
        journal: Journal,
        max_rejected: float,
        workers: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._predictor, self._source, self._sink = predictor, source, sink
        self._naming, self._journal = naming, journal
        self._max_rejected, self._workers, self._progress = max_rejected, workers, progress
        self._started = time.perf_counter()
        self._before = 0.0

    def to_the_end(self) -> Scored:
        journal = self._journal
        if journal.state is None or not journal.state.made:
            header = self._sink.begin() if journal.state is None else b""
            state = journal.begin(self._source.start, header, self._source.unit)
            earlier, self._before = state.rows, state.seconds
            self._score(state, earlier)
            self._require_enough(state, at_end=True)
            journal.finish(self._sink.finish(journal.output))
        else:
            state, earlier = journal.state, journal.state.rows
            journal.finish(journal.output)
        return Scored(
            out=journal.out,
            rows=state.rows,
            rejected=state.rejected,
            rejected_out=journal.rejected_out if state.rejected else None,
            earlier=earlier,
            seconds=time.perf_counter() - self._started,
            engine=self._predictor.engine,
            text_column=self._source.text_column,
        )

    def _score(self, state: State, earlier: int) -> None:
        rows = EXPLAINED_ROWS if self._naming.explain else CHUNK_ROWS
        with _pool(1) as reader, _pool(self._workers) as engine, _pool(1) as writer:
            computing: deque[Callable[[], tuple[Chunk, Answers]]] = deque()
            writing: deque[Future[None]] = deque()

            def write_first() -> None:
                chunk, answers = computing.popleft()()
                writing.append(writer.submit(self._write, chunk, answers, earlier))
                while len(writing) > AHEAD:
                    writing.popleft().result()

            chunks = self._source.chunks(state.position, rows)
            for chunk, ids in _ahead(reader, map(self._encoded, chunks)):
                computing.append(self._submitted(engine, chunk, ids))
                # One chunk more than is waited for, so that no worker stands idle between two.
                if len(computing) > 1:
                    write_first()
                interrupts.raise_if_lost()
            while computing:
                write_first()
            for one in writing:
                one.result()

    def _encoded(self, chunk: Chunk) -> tuple[Chunk, Ids]:
        return chunk, self._predictor.encode(chunk.texts)

    def _submitted(
        self, engine: ThreadPoolExecutor, chunk: Chunk, ids: Ids
    ) -> Callable[[], tuple[Chunk, Answers]]:
        """Has the chunk computed, in batches of like lengths; gives what waits for the answers."""
        predictor = self._predictor
        order = np.argsort(np.count_nonzero(ids, axis=1), kind="stable")
        parts = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
        batches = [engine.submit(predictor.probabilities_of, ids[part]) for part in parts]
        explained = (
            [engine.submit(predictor.explain, text) for text in chunk.texts]
            if self._naming.explain
            else None
        )

        def answers() -> tuple[Chunk, Answers]:
            found = np.zeros((len(ids), len(self._naming.labels)), np.float32)
            for part, batch in zip(parts, batches, strict=True):
                found[part] = batch.result()
            pieces = None if explained is None else [one.result().pieces for one in explained]
            return chunk, Answers(predictor.decide(found), found, pieces)

        return answers

    def _write(self, chunk: Chunk, answers: Answers, earlier: int) -> None:
        state = self._journal.state
        assert state is not None
        output = self._sink.rows(chunk, answers) if chunk.texts else b""
        seconds = time.perf_counter() - self._started
        state.seconds = self._before + seconds
        self._journal.commit(chunk.after, len(chunk.texts), output, chunk.bad)
        if self._progress is not None:
            total = self._source.size
            self._progress(
                Progress(state.rows, state.rejected, chunk.done, total, earlier, seconds)
            )
        self._require_enough(state)

    def _require_enough(self, state: State, at_end: bool = False) -> None:
        """Raises ScoringError if too large a share of the rows was rejected."""
        total = state.rows + state.rejected
        if state.rejected <= self._max_rejected * total or (total < CHUNK_ROWS and not at_end):
            return
        first = "\n".join(
            f"    {self._source.unit} {place}: {reason}"
            for place, reason, _ in self._journal.first_rejected(SHOWN_REJECTED)
        )
        raise ScoringError(
            f"{self._source.path}: {state.rejected:,} of {total:,} rows cannot be used ({state.rejected / total:.1%}; "
            f"{self._max_rejected:.0%} are allowed).\n{first}\n"
            f"  All so far are listed in {self._journal.list_rejected()}. Mend the file and begin anew "
            "with --restart,\n  or allow more by --max-rejected, and the job goes on."
        )


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """A pool that drops what has not begun where the block ends early."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(reader: ThreadPoolExecutor, items: Iterator[tuple[Chunk, Ids]]) -> Iterator[Any]:
    """The same items, of which ``AHEAD`` are made before they are asked for."""
    pending = deque(reader.submit(next, items, None) for _ in range(AHEAD))
    while (item := pending.popleft().result()) is not None:
        pending.append(reader.submit(next, items, None))
        yield item


@contextmanager
def _lock_passed_quickly() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
