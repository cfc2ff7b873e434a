"""Every file that Sentilab reads, made hostile: it must be refused with a clear error, or read rightly.

    python -m benchmarks.fuzz_inputs                        all kinds, seven minutes on one core
    python -m benchmarks.fuzz_inputs --kind run --count 100
    python -m benchmarks.fuzz_inputs --kind keras --count 1 --seed 17     one of them, to look at
    python -m benchmarks.fuzz_inputs --write                the table of docs/hostile-input.md

The inputs are those of benchmarks/inputs.py; bundles have a fuzzer of their own, fuzz_bundles. Each is read
in a process of its own address space limit, and ends as one of

    refused   a SentilabError whose message names the file
    accepted  and then what was read holds together: no NaN among scores, no half characters, nothing
              outside of the input's own folder
    FINDING   another error, a crash, more than 10 s, or more than 512 MiB beside what was held before

Linux only: it reads /proc.
"""

import argparse
import contextlib
import io
import json
import math
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pages
from benchmarks.bounded import Outcome, Worker, remove, serve, unclear
from benchmarks.bounded import table as tabled
from benchmarks.inputs import KINDS, TRACE, hostile

PAGE = "hostile-input.md"
# Kinds that cost more a piece get fewer.
COUNTS = {
    "study": 1_500,
    "texts": 600,
    "parquet": 600,
    "archive": 800,
    "run": 2_500,
    "keras": 1_000,
}

Judge = Callable[[Path], None]
"""Reads an input; raises SentilabError if it is refused, Wrong for what must not be read so."""


class Wrong(Exception):
    """Something was read that must not be read so."""


def require(right: object, what: str) -> None:
    if not right:
        raise Wrong(what)


def study(path: Path) -> None:
    from sentilab.studies import read
    from sentilab.studies.plan import plan

    spec = read(str(path))
    planned = plan(spec, Path("runs"), "0" * 64)
    require(planned.runs and planned.trainings, "a study without runs")
    require(len(planned.trainings) <= 100_000, "a study of more runs than anybody has time for")
    for one in planned.trainings:
        json.dumps(one.settings.to_dict(), allow_nan=False)
        require(0 <= one.settings.seed < 1 << 32, "a seed that Keras does not take")
    for text in (spec.name, spec.title, spec.description, *(one.name for one in planned.runs)):
        require(len(text) < 1 << 20, "a name without end")
        text.encode()


@dataclass(frozen=True)
class Described:
    digest: str = "a bundle"


@dataclass(frozen=True)
class Halves:
    """A predictor that knows nothing."""

    labels: tuple[str, ...] = ("negative", "positive")
    manifest: Described = Described()
    engine: str = "none"

    def encode(self, texts: list[str], /) -> Any:
        return np.zeros((len(texts), 2), np.int32)

    def probabilities_of(self, ids: Any, /) -> Any:
        return np.full((len(ids), 2), 0.5, np.float32)

    def decide(self, probabilities: Any, /) -> Any:
        return np.zeros(len(probabilities), np.int64)


def texts(path: Path) -> None:
    """By all that reads such a file; refused if all of them refuse it."""
    from sentilab.data import load, unlabelled
    from sentilab.scoring.job import score_file

    def labelled() -> None:
        _holds_together(load(path))

    def without_labels() -> None:
        for one in unlabelled(path).texts:
            one.encode()

    def scored() -> None:
        out = path.parent / f"out-{path.name}"
        done = score_file(Halves(), path, out, prefix="p_")  # type: ignore[arg-type]
        require(out.is_file() and done.out == out, "scored, and nothing written")

    _any_of(path, labelled, without_labels, scored)


def _holds_together(dataset: Any, may_be_empty: bool = False) -> None:
    require(
        len(dataset.texts) == len(dataset.labels) == len(dataset.ids), "columns of unlike length"
    )
    require(2 <= dataset.classes == len(set(dataset.label_names)), "labels that are one")
    require(set(np.unique(dataset.labels)) <= set(range(dataset.classes)), "a label without a name")
    for one in (*dataset.label_names, *dataset.notices):
        one.encode()
    for one in dataset.texts:
        require(isinstance(one, str) and (one.strip() or may_be_empty), "a text that is none")
        one.encode()


def parquet(path: Path) -> None:
    from sentilab.data import load, unlabelled

    if path.name == "table.parquet":
        return texts(path)
    if path.name == "imdb-unlabelled.parquet":
        return _any_of(path, lambda: unlabelled("imdb", data=path.parent))
    return _any_of(
        path, lambda: _holds_together(load("imdb", data=path, download=False), may_be_empty=True)
    )


def archive(path: Path) -> None:
    from sentilab.data import imdb, load, unlabelled

    before = _around(path)

    def read() -> None:
        _holds_together(load("imdb", data=path, download=False), may_be_empty=True)

    def unpacked() -> None:
        target = path.parent / "unpacked"
        imdb.unpack(path, target)
        names = {"train", "test", "pos", "neg"}
        require(
            all(one.name in names or one.suffix == ".txt" for one in target.rglob("*")),
            "another file was unpacked",
        )
        require(not any(one.is_symlink() for one in target.rglob("*")), "a link was unpacked")

    packed = path.name.endswith(".tar.gz")
    try:
        _any_of(path, read, *([unpacked] if packed else []), lambda: unlabelled("imdb", data=path))
    finally:
        shutil.rmtree(path.parent / "unpacked", ignore_errors=True)
        require(_around(path) == before, "something was written elsewhere")


def _around(path: Path) -> list[str]:
    """What lies where an archive could reach by names of its own."""
    seen = [
        *path.parent.iterdir(),
        *path.parent.parent.iterdir(),
        *path.parent.parent.parent.glob("trace*"),
    ]
    return sorted(str(one) for one in [*seen, *Path("/tmp").glob(TRACE)])


def run(path: Path) -> None:
    """A study's folder, as reports, comparisons and commands that go on read it."""
    from sentilab import workbench
    from sentilab.probe import store
    from sentilab.studies import collect, read_results
    from sentilab.training import RunFolder, resume

    folders = sorted(one for one in path.glob("*/") if one.name != "pretraining")

    def results() -> None:
        _finite(read_results(path))

    def collected() -> None:
        _finite(collect(folders))

    def finished() -> None:
        for one in workbench.finished_runs([path]):
            one.data(), one.history(), one.seconds(), one.prediction_ms(), one.pretraining_seconds()
            json.dumps(one.settings().to_dict(), allow_nan=False)
            for part in ("test", "validation"):
                if part == "validation" and one.settings().protocol == "notebook":
                    continue
                found = one.predictions(part)  # type: ignore[arg-type]
                inside = np.abs(found.probabilities - 0.5) <= 0.5 + 1e-6
                require(
                    inside.all() and len(found.ids) == len(found.labels) > 0, "no probabilities"
                )
                found.correct.mean()

    def others() -> None:
        for one in folders:
            folder = RunFolder(one)
            for name in ("ensemble.json", "teaching.json", "environment.json", "anatomy.json"):
                folder.read_json(name)
            store.read(one, "calibration")
            if folder.state.exists():
                state = resume.load(folder.state)
                require(all(map(math.isfinite, state.seconds)), "seconds that are no number")
            folder.vocabulary()

    _each_of(path, results, collected, finished, others)


def _finite(results: Any) -> None:
    for one in results.runs:
        if one.status == "finished":
            require(0 <= one.accuracy <= 1 and math.isfinite(one.loss), "a score that is none")
        for epoch in one.history:
            require(all(map(math.isfinite, vars(epoch).values())), "a curve with a hole in it")
        require(
            all(map(math.isfinite, (*one.seconds, one.training_seconds))), "seconds that are none"
        )
    json.dumps([results.portrait, results.duplicates, results.environment], allow_nan=False)


def keras(path: Path) -> None:
    from sentilab import models

    model = models.load(path)
    answers = model.predict(np.ones((2, 12), np.int32), verbose=0)
    require(np.isfinite(answers).all(), "answers that are no numbers")
    require(not list(path.parent.rglob(TRACE)), "code of the file's ran")


JUDGES: dict[str, Judge] = {
    "study": study,
    "texts": texts,
    "parquet": parquet,
    "archive": archive,
    "run": run,
    "keras": keras,
}


def _any_of(path: Path, *reads: Callable[[], object]) -> None:
    """Raises the first refusal if all refuse; each refusal must be clear."""
    refusals = list(_refusals(path, reads))
    if len(refusals) == len(reads):
        raise refusals[0]


def _each_of(path: Path, *reads: Callable[[], object]) -> None:
    """Raises the first refusal; each refusal must be clear."""
    for one in list(_refusals(path, reads)):
        raise one


def _refusals(path: Path, reads: Sequence[Callable[[], object]]) -> Iterator[Exception]:
    from sentilab import SentilabError

    for read in reads:
        try:
            read()
        except SentilabError as error:
            _require_clear(error, path)
            yield error


def _require_clear(error: Exception, path: Path) -> None:
    # The input lies in a folder of its own: whatever names that, or the file, names it.
    said = str(error).replace(f"{path.parent}/", "")
    names = (path.name, path.stem)
    if fault := unclear(said, Path("\0"), names):
        raise Wrong(fault)


def judged(kind: str, path: Path) -> tuple[str, str]:
    """(verdict, what was said) of reading ``path`` in this process."""
    from sentilab import SentilabError

    try:
        JUDGES[kind](path)
        for leaked in path.parent.rglob(TRACE):
            raise Wrong(f"code of the file's ran: {leaked.name}")
    except SentilabError as error:
        try:
            _require_clear(error, path)
        except Wrong as wrong:
            return "FINDING", str(wrong)
        return "refused", str(error)[:1_500]
    except Wrong as error:
        return "FINDING", str(error)
    except BaseException as error:
        return "FINDING", f"{type(error).__name__}: {ascii(str(error))[:300]} {_where(error)}"
    return "accepted", ""


def _where(error: BaseException) -> str:
    import traceback

    own = [one for one in traceback.extract_tb(error.__traceback__) if "sentilab" in one.filename]
    return f"({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""


def good(folder: Path) -> None:
    """Good files of every kind, made in ``folder``, small."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sentilab import models, studies, workbench
    from sentilab.data.generated import generate
    from sentilab.probe import store
    from sentilab.training import Silence

    corpus = generate(train=120, test=60)
    labels = [corpus.label_names[one] for one in corpus.labels]
    splits = [str(one) for one in corpus.splits] if corpus.splits is not None else []
    rows = (
        list(zip(corpus.texts, labels, splits, strict=True))[:80]
        + list(zip(corpus.texts, labels, splits, strict=True))[-40:]
    )
    for name, separator in (("texts.csv", ","), ("texts.tsv", "\t")):
        lines = [separator.join((f'"{text}"', label, split)) for text, label, split in rows]
        (folder / name).write_text(
            "\n".join([separator.join(("text", "label", "split")), *lines, ""])
        )
    keys = ("text", "label", "split")
    (folder / "texts.jsonl").write_text(
        "".join(f"{json.dumps(dict(zip(keys, one, strict=True)))}\n" for one in rows)
    )
    (folder / "texts.txt").write_text("".join(f"{text}\n" for text, _, _ in rows))
    columns = dict(zip(("text", "label", "split"), map(list, zip(*rows, strict=True)), strict=True))
    numbers = list(range(len(rows)))
    pq.write_table(pa.table(columns), folder / "table.parquet")
    whole = {
        "split": columns["split"],
        "id": numbers,
        "text": columns["text"],
        "label": [int(one == "positive") for one in columns["label"]],
    }
    pq.write_table(pa.table(whole), folder / "imdb-labelled.parquet")
    pq.write_table(
        pa.table({"id": numbers, "text": columns["text"]}), folder / "imdb-unlabelled.parquet"
    )
    with tarfile.open(folder / "aclImdb_v1.tar.gz", "w:gz") as tar:
        for number, (text, label, split) in enumerate(rows):
            name = f"aclImdb/{split}/{label[:3]}/{number}_9.txt"
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    _write_npz(folder / "imdb.npz")
    plain = """
name = "small"
[data]
source = "generated"
words = 300
length = 12
[[run]]
name = "mlp-{epochs}"
model = "mlp"
model_settings = { embedding = 8, units = 8 }
epochs = [1, 2]
"""
    file = folder / "small.toml"
    file.write_text(plain)
    prepared = workbench.prepare_study(studies.read(str(file)), corpus, folder / "runs")
    results = prepared.carry_out(lambda *_: Silence(), lambda _: None)
    for one in results.runs:
        measured = store.module("calibration").measure(
            workbench.Subjects(lambda _: corpus).of(workbench.RunFolder(one.folder))
        )
        store.write(one.folder, "calibration", measured)
    _write_state(results.runs[0].folder)
    shutil.move(prepared.folder, folder / "study")
    first = next(
        one for one in sorted((folder / "study").glob("*/")) if (one / "model.keras").exists()
    )
    (folder / "mlp.keras").write_bytes((first / "model.keras").read_bytes())
    from sentilab.training.archive import keras_archive

    task = models.Task(words=300, length=12, classes=2)
    sizes = {"embedding": 8, "units": 8}
    (folder / "bilstm1.keras").write_bytes(keras_archive(models.build("bilstm1", task, sizes)))
    (folder / "other.keras").write_bytes(
        keras_archive(models.build("mlp", task, {**sizes, "units": 16}))
    )


def _write_state(folder: Path) -> None:
    from sentilab.training import RunFolder, resume

    run = RunFolder(folder)
    arrays = {"a": np.zeros(3, np.float32)}
    resume.save(
        resume.State(variables=arrays, history=list(run.history()), seconds=list(run.seconds())),
        run.state,
    )


def _write_npz(path: Path) -> None:
    """As NumPy has pickled Keras's sequences."""
    lists = np.empty(20, object)
    lists[:] = [[1, 14, 300 + one, 70_000] * 3 for one in range(20)]
    sequences, labels = io.BytesIO(), io.BytesIO()
    np.save(sequences, lists, allow_pickle=True)
    np.save(labels, np.arange(20) % 2)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for split in ("train", "test"):
            target.writestr(f"x_{split}.npy", sequences.getvalue())
            target.writestr(f"y_{split}.npy", labels.getvalue())


def undamaged(folder: Path, kind: str) -> list[Path]:
    """The good files that a kind's inputs come from."""
    names = {
        "study": ("small.toml",),
        "texts": ("texts.csv", "texts.tsv", "texts.jsonl", "texts.txt"),
        "parquet": ("table.parquet", "imdb-labelled.parquet", "imdb-unlabelled.parquet"),
        "archive": ("aclImdb_v1.tar.gz", "imdb.npz", "aclImdb"),
        "run": ("study",),
        "keras": ("mlp.keras", "bilstm1.keras"),
    }
    return [folder / one for one in names[kind]]


def work(folder: Path, kinds: Sequence[str]) -> None:
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    place = Path(tempfile.mkdtemp(prefix="inputs-", dir=folder)) / "within" / "it"
    for kind in kinds:
        for one in undamaged(folder, kind):
            place.mkdir(parents=True)
            copy = shutil.copytree if one.is_dir() else shutil.copy
            found = judged(kind, Path(copy(one, place / one.name)))
            assert found == ("accepted", ""), (one, found)
            remove(place.parent)

    def make(kind: str, seed: int) -> Path:
        remove(place.parent)
        place.mkdir(parents=True)
        return hostile(folder, kind, seed, place)

    serve(make, lambda kind, _, path: judged(kind, path))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kind", action="append", default=[], choices=sorted(KINDS))
    parser.add_argument(
        "--count", type=int, help="inputs of each kind; by default as many as the page has"
    )
    parser.add_argument("--seed", type=int, default=0, help="the first input's number")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE}")
    parser.add_argument("--verbose", action="store_true", help="say what came of each input")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    kinds = given.kind or list(KINDS)
    if given.work:
        return work(given.work, list(KINDS))
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        good(folder)
        worker = Worker("benchmarks.fuzz_inputs", folder)
        stack.callback(worker.stop)
        for kind in kinds:
            for seed in range(given.seed, given.seed + (given.count or COUNTS[kind])):
                found = worker.judge(kind, seed)
                outcomes.append(found)
                if given.verbose or found.verdict in ("FINDING", "UNMADE"):
                    print(f"{found.verdict} {found.kind} {found.seed}: {found.said}", flush=True)
    print(table(outcomes))
    if given.write:
        page = pages.page(PAGE)
        text = page.read_text(encoding="utf-8")
        page.write_text(pages.replaced(text, "inputs", table(outcomes)), encoding="utf-8")
    sys.exit(any(one.verdict in ("FINDING", "UNMADE") for one in outcomes))


def table(outcomes: Sequence[Outcome]) -> str:
    return tabled(outcomes, "inputs", "accepted")


if __name__ == "__main__":
    main()
