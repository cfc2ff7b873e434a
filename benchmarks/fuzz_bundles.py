"""The bundle's loader against damaged bundles: it must refuse with a clear error, or answer rightly.

    .venv/bin/python -m benchmarks.fuzz_bundles                 10,000 mutants; two minutes
    .venv/bin/python -m benchmarks.fuzz_bundles --mutants 500
    .venv/bin/python -m benchmarks.fuzz_bundles --kind golden --seed 17    one of them, to look at

Small models are trained, bundled, and damaged in every way of benchmarks/mutations.py. Each mutant is
loaded in a process of its own address space limit, and each ends as one of

    refused   a BundleError whose message names the bundle, and the file at fault
    loaded    and then its examples are answered as they say, and one text is explained
    FINDING   another error, a crash, more than 10 s, or more than 512 MiB beside what was held before

Writes benchmarks/results/fuzz_bundles.json and prints a table. Linux only: it reads /proc.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.bounded import MOST_RESIDENT, SECONDS, Outcome, Worker, remove, serve, unclear
from benchmarks.bounded import table as tabled
from benchmarks.driver import ROOT
from benchmarks.mutations import KINDS, mutant

ENGINES = ("auto", "native", "onnx", "int8")
MODELS = ("bilstm1", "bilstm1-masked", "bilstm2", "mlp", "cnn")
# An error need name no file where there is none to name.
WITHOUT_FILE = ("neither a folder nor a readable .zip", "there is no bundle here")


@dataclass(frozen=True)
class Case:
    kind: str
    seed: int

    @property
    def base(self) -> str:
        return MODELS[self.seed % len(MODELS)]

    @property
    def engine(self) -> str:
        """Mostly one that reads what was damaged."""
        usual = {
            "graph": ("onnx", "int8"),
            "weights": ("native",),
            "manifest_layers": ("native", "onnx"),
        }
        turns = next((usual[one] for one in usual if self.kind.startswith(one)), ENGINES)
        number = self.seed // len(MODELS)
        return turns[number % len(turns)] if number % 4 else ENGINES[number // 4 % len(ENGINES)]


def judged(path: Path, engine: str) -> tuple[str, str]:
    """(verdict, what was said) of loading ``path`` in this process."""
    import numpy as np

    from sentilab.bundle import BundleError, load

    try:
        predictor = load(path, engine=engine, threads=1)  # type: ignore[arg-type]
    except BundleError as error:
        return _judged_message(str(error), path)
    except BaseException as error:
        return "FINDING", f"{type(error).__name__}: {str(error)[:300]}"
    try:
        names = ("golden.json", "bundle.json")
        golden, manifest = (json.loads(predictor._bundle._content(one, 1 << 26)) for one in names)
        found = predictor.probabilities(golden["texts"])
        tolerance = 0.25 if engine == "int8" else 1e-5
        alone = np.concatenate([predictor.probabilities([one]) for one in golden["texts"]])
        wanted = np.asarray(golden["probabilities"], float)
        largest = max(np.abs(found - wanted).max(), np.abs(alone - wanted).max())
        if not largest <= tolerance:
            return "FINDING", f"loaded, and then its examples differ by {largest}"
        predictor.explain("A good film, and not at all a bad one.")
        _ = predictor.card, predictor.engine, predictor.predict(["good"])
        # What a service says of it must be writable.
        json.dumps(predictor.manifest.to_json(), allow_nan=False, ensure_ascii=False).encode()
        del manifest
    except BaseException as error:
        return "FINDING", f"loaded, and then {type(error).__name__}: {str(error)[:300]}"
    return "loaded", ""


def _judged_message(said: str, path: Path) -> tuple[str, str]:
    from sentilab.bundle.format import MANIFEST, OPTIONAL, REQUIRED

    fault = unclear(said, path, (MANIFEST, *REQUIRED, *OPTIONAL, *WITHOUT_FILE))
    if not fault and str(path) not in said:
        fault = f"a message that does not name the bundle: {said[:300]}"
    return ("FINDING", fault) if fault else ("refused", said.replace(str(path), "", 1))


def bases(folder: Path) -> dict[str, Path]:
    """Bundles of small models, made in ``folder``."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    from sentilab import models
    from sentilab.bundle import build_bundle
    from sentilab.data.generated import generate
    from sentilab.probe import Subject
    from sentilab.training import Preparation, RunFolder, RunSettings, train

    @models.register("cnn", summary="windows and their largest answers, which only ONNX computes")
    def cnn(task: Any, *, embedding: int = 8, units: int = 8) -> Any:
        import keras

        words = keras.Input((task.length,), dtype="int32")
        x = keras.layers.Embedding(task.words, embedding)(words)
        x = keras.layers.Conv1D(units, 3, activation="relu")(x)
        x = keras.layers.GlobalMaxPooling1D()(x)
        return keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x), name="cnn")

    corpus = generate(train=240, test=120)
    preparation = Preparation(corpus)
    made = {}
    for name in MODELS:
        model, _, masked = name.partition("-")
        sizes = {"embedding": 8, "units": 8, **({"masked": True} if masked else {})}
        plain = {"model": model, "model_settings": sizes, "words": 300, "length": 12}
        settings = RunSettings.from_dict(plain)
        run = RunFolder(folder / "runs" / name)
        train(settings, preparation.examples(settings), run.path)
        made[name] = folder / name
        build_bundle(Subject(run, corpus, preparation), made[name], name=f"small-{name}", int8=True)
    return made


def contents_of(bundle: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in sorted(bundle.iterdir())}


def work(folder: Path) -> None:
    kept = {name: contents_of(folder / name) for name in MODELS}
    place = Path(tempfile.mkdtemp(prefix="mutants-", dir=folder))
    # What every load needs is loaded first, so that a mutant is charged for itself alone.
    for name in MODELS:
        for engine in ENGINES if name != "cnn" else ("onnx",):
            assert judged(folder / name, engine) == ("loaded", ""), (name, engine)

    def make(kind: str, seed: int) -> Path:
        path = place / f"{kind}-{seed}{'.zip' if seed % 2 else ''}"
        try:
            mutant(kept[Case(kind, seed).base], kind, seed, path)
        except Exception:
            remove(path)
            raise
        return path

    serve(make, lambda kind, seed, path: judged(path, Case(kind, seed).engine))


def planned(mutants: int, only: Sequence[str], seed: int) -> Iterator[Case]:
    """Kinds in turn; of bombs, which take long to make, a tenth."""
    kinds = list(only or KINDS)
    given, number = 0, 0
    while given < mutants:
        for kind in kinds:
            if kind == "zip_bomb" and number % 10 and not only:
                continue
            if given < mutants:
                yield Case(kind, seed + number)
                given += 1
        number += 1


def table(outcomes: Sequence[Outcome]) -> str:
    return tabled(outcomes, "mutants", "loaded")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--kind", action="append", default=[], choices=sorted(KINDS))
    parser.add_argument("--seed", type=int, default=0, help="the first mutant's number")
    parser.add_argument("--out", type=Path, help="in place of benchmarks/results")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        return work(given.work)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        bases(folder)
        worker = Worker("benchmarks.fuzz_bundles", folder)
        stack.callback(worker.stop)
        for number, case in enumerate(planned(given.mutants, given.kind, given.seed), start=1):
            found = worker.judge(case.kind, case.seed)
            outcomes.append(found)
            if found.verdict in ("FINDING", "UNMADE"):
                print(f"{found.verdict} {found.kind} {found.seed}: {found.said}", flush=True)
            if number % 1_000 == 0:
                print(f"{number:,} mutants", flush=True)
    print(table(outcomes))
    result = {
        "mutants": len(outcomes),
        "seconds": SECONDS,
        "mebibytes": MOST_RESIDENT >> 20,
        "table": table(outcomes),
        "findings": [asdict(one) for one in outcomes if one.verdict in ("FINDING", "UNMADE")],
    }
    out = given.out or ROOT / "benchmarks" / "results" / "fuzz_bundles.json"
    out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.exit(bool(result["findings"]))


if __name__ == "__main__":
    main()
