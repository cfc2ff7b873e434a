"""Who is measured: each trains and runs the notebook's models its own way, behind one interface."""

import os
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import EMBEDDING, WORDS, Case

LEARNING_RATE = 0.001

TITLES = {
    "sentilab": "Sentilab",
    "keras-jax": "Keras on JAX",
    "keras-tensorflow": "Keras on TensorFlow",
    "torch": "torch",
}
"""The contenders, in the order in which they take turns."""

BASELINE = "keras-jax"

NEEDS = {
    "sentilab": ("sentilab", "keras", "jax", "jaxlib"),
    "keras-jax": ("keras", "jax", "jaxlib"),
    "keras-tensorflow": ("keras", "tensorflow-cpu"),
    "torch": ("torch",),
}
"""The distributions whose versions decide a contender's speed."""


class Absent(Exception):
    """A contender's library is not installed."""


class Contender(Protocol):
    """A compiled model over rows ``x`` (texts, length) and labels ``y`` (texts,).

    Each method returns the seconds that it took. ``step`` trains on the first ``count`` batches,
    ``predict`` runs them, ``epoch`` trains on all rows, or, if ``count`` is 0, on the last two
    batches, of which the last may be smaller.
    """

    def step(self, count: int) -> float: ...

    def predict(self, count: int) -> float: ...

    def epoch(self, count: int) -> float: ...


def versions(name: str) -> dict[str, str]:
    """Versions of what the contender ``name`` runs on; raises Absent if something is missing."""
    found = {}
    for package in NEEDS[name]:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            raise Absent(f"{package} is not installed") from None
    if name == "sentilab":
        try:
            import sentilab.layers  # noqa: F401
        except ImportError as error:
            raise Absent(f"sentilab.layers cannot be imported: {error}") from None
    return found


def build(
    name: str, case: Case, x: NDArray[np.int32], y: NDArray[np.float32], threads: int
) -> Contender:
    """The contender ``name`` with the model of ``case``, on ``threads`` threads."""
    if name == "torch":
        return Torch(case, x, y, threads)
    if name == "keras-tensorflow":
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    else:
        # JAX takes as many threads as the process has cores, which the worker has seen to.
        os.environ["KERAS_BACKEND"] = "jax"
    make = build_sentilab if name == "sentilab" else build_stock
    return Keras(make(case), x, y, case.batch)


def build_stock(case: Case) -> Any:
    """The notebook's model of Keras's own layers, compiled as there."""
    import keras

    model = mlp(case) if not case.layers else bilstm(case, keras.layers)
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    return model


def build_sentilab(case: Case) -> Any:
    """The same model as Sentilab's own training builds and compiles it."""
    from sentilab import kernels

    # What the command line does before it trains: XLA's memory is kept from step to step.
    kernels.keep_freed_memory()

    from sentilab import layers, models
    from sentilab.training import RunSettings
    from sentilab.training.steps import compile_model

    if case.layers:
        name, model = f"bilstm{case.layers}", bilstm(case, layers)
    else:
        name, task = "mlp", models.Task(WORDS, case.length, classes=2)
        model = models.build(name, task, {"embedding": EMBEDDING, "units": case.units})
    compile_model(model, RunSettings(name, batch_size=case.batch, learning_rate=LEARNING_RATE), 2)
    return model


def bilstm(case: Case, layers: Any) -> Any:
    """The notebook's LSTMs; ``layers`` has Embedding, LSTM and Bidirectional."""
    import keras

    words = keras.Input((None,), dtype="int32")
    x = layers.Embedding(WORDS, EMBEDDING)(words)
    for layer in range(1, case.layers + 1):
        lstm = layers.LSTM(case.units, return_sequences=layer < case.layers)
        x = layers.Bidirectional(lstm)(x)
    return keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x))


def mlp(case: Case) -> Any:
    """The notebook's dense layers."""
    import keras

    words = keras.Input((case.length,), dtype="int32")
    x = keras.layers.Flatten()(keras.layers.Embedding(WORDS, EMBEDDING)(words))
    x = keras.layers.Dense(case.units, activation="relu")(x)
    x = keras.layers.Dense(case.units, activation="relu")(x)
    return keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x))


class Keras:
    """``fit`` and ``predict`` of a compiled Keras model, whatever its layers and backend.

    The clock starts when ``fit`` has set itself up and its first batch begins: the set-up is paid
    once an epoch, and would weigh more in a few steps than in 782.
    """

    def __init__(self, model: Any, x: NDArray[Any], y: NDArray[Any], batch: int) -> None:
        import keras

        class Clock(keras.callbacks.Callback):  # type: ignore[misc]
            began = 0.0

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                self.began = time.perf_counter()

            def on_predict_begin(self, logs: Any = None) -> None:
                self.began = time.perf_counter()

        self.model, self.x, self.y, self.batch, self.clock = model, x, y, batch, Clock()

    def step(self, count: int) -> float:
        return self._fit(slice(count * self.batch))

    def epoch(self, count: int) -> float:
        return self._fit(slice(None) if count else last_two(len(self.x), self.batch))

    def predict(self, count: int) -> float:
        rows = self.x[: count * self.batch]
        self.model.predict(rows, batch_size=self.batch, verbose=0, callbacks=[self.clock])
        return time.perf_counter() - self.clock.began

    def _fit(self, rows: slice) -> float:
        self.model.fit(
            self.x[rows],
            self.y[rows],
            batch_size=self.batch,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[self.clock],
        )
        return time.perf_counter() - self.clock.began


def last_two(texts: int, batch: int) -> slice:
    """The rows of the last two batches."""
    return slice(max(0, (texts - 1) // batch - 1) * batch, texts)


class Torch:
    """The loop that one writes by hand around nn.LSTM: fused Adam, loss and accuracy summed up."""

    def __init__(self, case: Case, x: NDArray[Any], y: NDArray[Any], threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        torch.set_num_interop_threads(threads)
        self.torch, self.batch = torch, case.batch
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.model = torch_model(case)
        self.optimizer = torch.optim.Adam(self.model.parameters(), LEARNING_RATE, fused=True)
        self.loss = torch.nn.BCEWithLogitsLoss()

    def step(self, count: int) -> float:
        return self._train(slice(count * self.batch))

    def epoch(self, count: int) -> float:
        return self._train(slice(None) if count else last_two(len(self.x), self.batch))

    def predict(self, count: int) -> float:
        torch = self.torch
        began = time.perf_counter()
        self.model.eval()
        with torch.no_grad():
            answers = [
                torch.sigmoid(self.model(self.x[first : first + self.batch]))
                for first in range(0, count * self.batch, self.batch)
            ]
            torch.cat(answers).numpy()
        return time.perf_counter() - began

    def _train(self, rows: slice) -> float:
        began = time.perf_counter()
        self.model.train()
        total, correct = self.torch.zeros(()), self.torch.zeros(())
        every = zip(self.x[rows].split(self.batch), self.y[rows].split(self.batch), strict=True)
        for x, y in every:
            self.optimizer.zero_grad()
            logits = self.model(x)
            loss = self.loss(logits, y)
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(x)
            correct += ((logits.detach() > 0) == (y > 0.5)).sum()
        float(total), float(correct)
        return time.perf_counter() - began


def torch_model(case: Case) -> Any:
    """The notebook's model in torch; it gives logits of shape (batch,)."""
    from torch import Tensor, cat, nn

    class BiLSTM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(WORDS, EMBEDDING)
            self.lstm = nn.LSTM(
                EMBEDDING, case.units, case.layers, batch_first=True, bidirectional=True
            )
            self.output = nn.Linear(2 * case.units, 1)

        def forward(self, words: Tensor) -> Tensor:
            _, (last, _) = self.lstm(self.embedding(words))
            return self.output(cat((last[-2], last[-1]), dim=1)).squeeze(1)

    if case.layers:
        return BiLSTM()
    return nn.Sequential(
        nn.Embedding(WORDS, EMBEDDING),
        nn.Flatten(),
        nn.Linear(case.length * EMBEDDING, case.units),
        nn.ReLU(),
        nn.Linear(case.units, case.units),
        nn.ReLU(),
        nn.Linear(case.units, 1),
        nn.Flatten(0),
    )


def lstm_path(name: str, contender: Contender) -> str:
    """Which LSTM Sentilab says that it computes with; "" for others."""
    if name != "sentilab" or not isinstance(contender, Keras):
        return ""
    from sentilab.layers import lstm_path

    return lstm_path(contender.model)
