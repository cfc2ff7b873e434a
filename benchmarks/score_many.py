"""Five million rows scored over partitions, with workers killed; a hundred million simulated.

    python -m benchmarks.score_many BUNDLE --rows 5000000 --write

The real reviews, repeated, as Parquet files of equal size. Twice: by processes of this machine, in peace, and by
Ray Data on as many cores, where a worker is killed every half minute. Each row must be there exactly once, and
the files must be the same to the byte. Then the scheduler that runs studies and folders is given the files of
a hundred million rows and workers that fail, at the pace that was measured (benchmarks/cluster.py).
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.cluster import Cluster, Trial
from benchmarks.pages import page, replaced, table
from benchmarks.simulate_cluster import simulate
from sentilab.engines import machine
from sentilab.scoring.partitions import SILENCE
from sentilab.scoring.records import CHUNK_ROWS

PART = 100_000
KILL_SECONDS = (20.0, 40.0)
SIMULATED = 100_000_000
# Workers, and hours between the deaths of one of them.
CLUSTERS = ((2, None), (2, 1.0), (16, None), (16, 1.0), (128, None), (128, 1.0), (128, 0.1))


def make(folder: Path, rows: int) -> None:
    """The reviews over and over, each row with a number of its own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sentilab import data

    texts = list(data.load("imdb").texts)
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, rows, PART)):
        ids = np.arange(start, min(start + PART, rows))
        some = pa.table({"id": ids, "text": [texts[one % len(texts)] for one in ids]})
        pq.write_table(some, folder / f"part-{number:05}.parquet", compression="zstd")


@contextmanager
def killing(seed: int) -> Iterator[list[int]]:
    """Kills a worker of Ray Data every few seconds; gives the numbers of those that were killed."""
    killed: list[int] = []
    over = threading.Event()
    draw = random.Random(seed)

    def run() -> None:
        while not over.wait(draw.uniform(*KILL_SECONDS)):
            found = []
            for one in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    if (one / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                        found.append(int(one.name))
            for pid in draw.sample(found, min(1, len(found))):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def checked(folder: Path, rows: int) -> dict[str, str]:
    """The digest of each file; every row must be there once."""
    import pyarrow.parquet as pq

    seen = np.zeros(rows, np.int64)
    digests = {}
    for one in sorted(folder.glob("*.parquet")):
        ids = pq.read_table(one, columns=["id"])["id"].to_numpy()
        np.add.at(seen, ids, 1)
        with one.open("rb") as file:
            digests[one.name] = hashlib.file_digest(file, "sha256").hexdigest()
    assert (seen == 1).all(), f"{(seen != 1).sum():,} rows are not there exactly once"
    return digests


def simulated(pace: float, written: float, seed: int) -> str:
    """The files of SIMULATED rows on clusters that are computed; each file must be done, and once.

    ``pace`` is a worker's rows a second, ``written`` the bytes of a row's answer. A file that was begun goes
    on after its last chunk of rows.
    """
    chunks = -(-PART // CHUNK_ROWS)
    seconds = PART / pace / chunks
    file = Trial("file", 0.0, (seconds,) * chunks, 0.0, written * CHUNK_ROWS, 0.0)
    rows = []
    for workers, mtbf in CLUSTERS:
        found = simulate(
            Cluster(workers, mtbf),
            SIMULATED // PART,
            seed=seed,
            trials=((1.0, file),),
            silence=SILENCE,
            fated=False,
        )
        assert (found.done, found.failed) == (SIMULATED // PART, 0)
        rows.append(
            [
                str(workers),
                "never" if mtbf is None else f"{60 * mtbf:.0f} min",
                f"{found.makespan / 60:,.1f} min",
                f"{SIMULATED / found.makespan:,.0f}",
                f"{found.makespan / found.ideal:.2f}",
                f"{sum(found.in_vain.values())}",
            ]
        )
    columns = ["workers", "one dies every", "takes", "rows a second", "over the ideal", "in vain"]
    return (
        f"**Simulated**, not run: {SIMULATED:,} rows in {SIMULATED // PART:,} files, at {pace:,.0f} rows a second "
        f"a worker, with the scheduler of `--on local` and the workers, deaths and storage of [scale](scale.md). "
        f"Every file done, and once.\n\n{table(columns, rows)}"
    )


def main() -> None:
    """Measures, checks and prints; with --write the table goes into the documentation."""
    from sentilab.scoring import Asked, on_processes, score_folder
    from sentilab.scoring.ray_data import runner
    from sentilab.training.environment import processor

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=297)
    parser.add_argument("--write", action="store_true", help="put the table into docs/engines.md")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="score-many-"))
    source = home / "reviews"
    make(source, asked.rows)
    cores = len(machine.cores())
    how = Asked(asked.bundle)
    rows = []
    local = score_folder(how, source, home / "local", on_processes(cores))
    rows.append(["processes of this machine", "none", f"{local.seconds:.0f} s", _rate(local)])
    theirs = checked(home / "local", asked.rows)
    written = sum(one.stat().st_size for one in (home / "local").glob("*.parquet")) / asked.rows
    shutil.rmtree(home / "local")
    with killing(asked.seed) as killed:
        began = time.perf_counter()
        ray = score_folder(how, source, home / "ray", runner(workers=cores))
        ray_seconds = time.perf_counter() - began
    rows.append(["Ray Data", f"{len(killed)}", f"{ray_seconds:.0f} s", _rate(ray)])
    assert checked(home / "ray", asked.rows) == theirs, "the files differ"
    ratio = local.seconds / ray.seconds
    shutil.rmtree(home)
    made = (
        f"{table(['scored by', 'workers killed', 'took', 'rows a second'], rows)}\n\n"
        f"{asked.rows:,} rows in {local.files} files, each row exactly once, both folders the same to the byte; "
        f"Ray, its workers killed, at **{ratio:.2f} times** the pace of processes left in peace. {cores} cores of "
        f"an {processor()}, Python {sys.version.split()[0]}, Ray {version('ray')}."
        f"\n\n{simulated(local.rows / local.seconds / cores, written, asked.seed)}"
    )
    print(made)
    if asked.write:
        where = page("engines.md")
        where.write_text(replaced(where.read_text(), "rows", made))


def _rate(done: "object") -> str:
    return f"{done.rows / done.seconds:,.0f}"  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
