"""A way to score reviews, in a process of its own; see ``benchmarks.worker`` for how it is asked.

    python -m benchmarks.predict_worker NAME BUNDLE KERAS REVIEWS FOLDER

NAME is native, onnx or int8: Sentilab's engines, which score the file REVIEWS (CSV) into FOLDER, as
`sentilab predict --file` does; or keras-32, keras-256: stock Keras on the model file KERAS, which gets the
texts in memory, prepared by the steps of Keras's own legacy tokenizer, and writes nothing. Asked for "all",
a worker scores all reviews; for "warm", as few as compile what there is to compile.
"""

import csv
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.worker import Answer, Handler, serve


def sentilab(engine: Any, bundle: Path, reviews: Path, folder: Path) -> Handler:
    from sentilab.bundle import load
    from sentilab.scoring import score_file

    predictor = load(bundle, engine=engine, threads=1)
    out = folder / f"{engine}.csv"

    def score(request: Answer) -> Answer:
        if request["do"] == "warm":
            predictor.probabilities(["a fine film"] * 256)
            return {"seconds": 0.0, "engine": predictor.engine}
        scored = score_file(
            predictor, reviews, out, workers=len(os.sched_getaffinity(0)), restart=True
        )
        with out.open(encoding="utf-8", newline="") as file:
            positive = sum(row["label"] == predictor.labels[1] for row in csv.DictReader(file))
        return {"seconds": scored.seconds, "positive": positive}

    return score


def keras(batch: int, bundle: Path, model_file: Path, reviews: Path) -> Handler:
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    from sentilab.text import Vocabulary
    from sentilab.text.words import FILTERS

    vocabulary = Vocabulary.from_json((bundle / "vocabulary.json").read_text(encoding="utf-8"))
    index, length = vocabulary.index, vocabulary.encoding.length
    model = keras.saving.load_model(model_file)
    with reviews.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    to_spaces = str.maketrans(dict.fromkeys(FILTERS, " "))

    def words(text: str) -> list[str]:
        # As keras.preprocessing.text.text_to_word_sequence did it, which Keras 3 no longer has.
        return [word for word in text.lower().translate(to_spaces).split(" ") if word]

    def predicted(some: list[str]) -> Any:
        ids = [[1, *(index.get(word, 2) for word in words(text))] for text in some]
        return model.predict(
            keras.utils.pad_sequences(ids, maxlen=length), batch_size=batch, verbose=0
        )

    def score(request: Answer) -> Answer:
        some = texts
        if request["do"] == "warm":
            # The last batch is smaller, and compiled by itself.
            some = texts[: batch + len(texts) % batch]
        started = perf_counter()
        found = predicted(some)
        seconds = perf_counter() - started
        return {"seconds": seconds, "positive": int((found[:, -1] > 0.5).sum()), "engine": "JAX"}

    return score


def main() -> None:
    name, bundle, model_file, reviews, folder = sys.argv[1], *map(Path, sys.argv[2:])
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    kind, _, batch = name.partition("-")
    handler: Callable[[Answer], Answer] = (
        keras(int(batch), bundle, model_file, reviews)
        if kind == "keras"
        else sentilab(name, bundle, reviews, folder)
    )
    serve({"warm": handler, "all": handler}, sys.stdin, answers)


if __name__ == "__main__":
    main()
