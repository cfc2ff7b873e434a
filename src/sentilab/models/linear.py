"""What linear models over n-grams share: the graph, counting, and fitting each label by scikit-learn.

A text is the set of its n-grams of 1 to ``orders`` words; those that stand in ``least`` of the
training texts or more are known, at most ``features`` of them, the most frequent. The graph looks them
up (sentilab.layers.Ngrams), adds up what each distinct one weighs and, where the rows are
normalised, divides by the row's length. More than two labels are each told from the rest, and their
probabilities divided by their sum.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SettingsError
from sentilab.models.backend import import_keras
from sentilab.models.registry import Task
from sentilab.models.space import Declared, Range

if TYPE_CHECKING:
    from keras import Model

    from sentilab.text.ngrams import NgramCounts

Floats = NDArray[np.float32]

# What suits these models: they read whole reviews, and nearly every word that could be known.
DEFAULTS = {"words": 60_000, "length": 1_000, "epochs": 1}

# Log odds of what was so in all training texts.
CERTAIN = 15.0

SPACE: Declared = {"orders": Range(1, 4), "least": Range(1, 5)}


# ---- the graph --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """A linear model's graph and those of its layers that hold what was fitted."""

    model: Any
    ngrams: Any
    sums: Any
    output: Any

    def put(
        self, hashes: NDArray[np.uint32], columns: Floats, bias: NDArray[np.floating[Any]]
    ) -> None:
        """The n-grams known, their ``columns`` (features, outputs + norms), ``bias`` (outputs,)."""
        numbers = self.ngrams.set_table(hashes)
        rows = np.zeros(self.sums.columns.shape, np.float32)
        rows[numbers] = columns
        self.sums.columns.assign(rows)
        self.output.set_weights([np.eye(len(bias), dtype=np.float32), np.float32(bias)])


def parts(task: Task, name: str, *, orders: int, slots: int, norms: int) -> Parts:
    """The graph, which knows no n-gram yet; ``norms`` as sentilab.layers.NgramSums has it."""
    from sentilab import layers

    keras = import_keras()
    outputs = outputs_of(task)
    words = keras.Input((None,), dtype="int32", name="words")
    ngrams = layers.Ngrams(orders, slots, name="ngrams")
    sums = layers.NgramSums(slots, outputs, norms, name="sums")
    if outputs == 1:
        output = keras.layers.Dense(1, activation="sigmoid", name="output")
        answer = output(sums(ngrams(words)))
    else:
        # A softmax of the logarithms of p is p over the sum of all p.
        output = keras.layers.Dense(outputs, activation="log_sigmoid", name="scores")
        answer = keras.layers.Softmax(name="output")(output(sums(ngrams(words))))
    return Parts(keras.Model(words, answer, name=name), ngrams, sums, output)


def outputs_of(task: Task) -> int:
    """Scores of a model: one for two labels, that of the second; else one a label."""
    return 1 if task.classes == 2 else task.classes


def aims(task: Task) -> Sequence[int]:
    """The label that each score speaks for."""
    return [1] if task.classes == 2 else range(task.classes)


# ---- fitting ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fitted:
    """One label told from the rest: the score of a text is the sum over its n-grams of what
    ``weights`` say, each times its ``values``, over the row's length if that is asked, plus ``bias``.
    """

    values: Floats
    weights: NDArray[np.floating[Any]]
    bias: float


def solve(
    task: Task,
    x: NDArray[np.int32],
    labels: NDArray[np.int64],
    name: str,
    fit: "Callable[[NgramCounts, NDArray[np.bool_]], Fitted]",
    *,
    orders: int,
    least: int,
    features: int,
    normalised: bool,
    shared: bool,
) -> "Model":
    """Counts, fits each label against the rest, and puts it all into a graph.

    ``shared``: the values of a row, and so its length, are the same for all labels. The model's
    ``ngrams_path`` says what counted: the kernel, or NumPy and why.

    Raises SettingsError if no n-gram is frequent enough.
    """
    from sentilab.kernels.ngrams import count

    known = count(x, orders, least=least, features=features)
    if not len(known.hashes):
        raise SettingsError(
            f"{name}: no n-gram stands in {least} of the {len(x):,} training texts; "
            "a smaller least keeps more of them."
        )
    fitted = [fit(known, labels == aim) for aim in aims(task)]
    columns = [one.weights * one.values for one in fitted]
    if normalised:
        columns += [one.values**2 for one in (fitted[:1] if shared else fitted)]
    norms = len(columns) - outputs_of(task)
    bias = np.asarray([one.bias for one in fitted])
    return assembled(task, name, orders, known.hashes, np.stack(columns, axis=1), norms, bias)


def assembled(
    task: Task,
    name: str,
    orders: int,
    hashes: NDArray[np.uint32],
    columns: NDArray[np.floating[Any]],
    norms: int,
    bias: NDArray[np.floating[Any]],
) -> "Model":
    """The graph with these n-grams, their ``columns`` (features, outputs + norms), ``bias`` (outputs,)."""
    from sentilab.kernels.ngrams import path
    from sentilab.text.ngrams import NoPlace, slots_for

    slots = slots_for(len(hashes))
    while True:
        made = parts(task, name, orders=orders, slots=slots, norms=norms)
        try:
            made.put(hashes, columns.astype(np.float32), bias)
        except NoPlace:
            slots += slots // 10 + 1
        else:
            made.model.ngrams_path = path()
            return made.model


def rows(known: "NgramCounts", values: Floats, normalised: bool) -> Any:
    """The texts as a matrix (texts, features) for scikit-learn: ``values`` where a text has an n-gram.

    ``normalised``: each row over its length, but for rows of zeros.
    """
    matrix = known.matrix(values)
    if normalised:
        has = np.diff(known.starts)
        squares = np.zeros(len(has))
        squares[has > 0] = np.add.reduceat(
            matrix.data.astype(float) ** 2, known.starts[:-1][has > 0]
        )
        lengths = np.sqrt(np.where(squares > 0, squares, 1))
        matrix.data /= np.repeat(lengths, has).astype(np.float32)
    return matrix


def logistic_regression(strength: float, seed: int) -> Any:
    """Scikit-learn's, to be fitted; ``strength`` is its C."""
    from sklearn.linear_model import LogisticRegression

    # The dual is solved in seconds where there are many more n-grams than texts.
    return LogisticRegression(
        C=strength, solver="liblinear", dual=True, max_iter=1_000, random_state=seed
    )


def fitted_by(
    estimator: Any, matrix: Any, positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Weights (features,) and bias that scikit-learn's ``estimator`` finds for the ``positive`` rows."""
    if positive.all() or not positive.any():
        # It refuses to fit one label, and all that is known is that this is always, or never, right.
        return np.zeros(matrix.shape[1]), CERTAIN if positive.all() else -CERTAIN
    found = estimator.fit(matrix, positive)
    return found.coef_[0], float(found.intercept_[0])


def empty(task: Task, name: str, *, orders: int, features: int, norms: int) -> "Model":
    """The graph as large as it may become; fitted, it has room for the n-grams found."""
    from sentilab.text.ngrams import slots_for

    return parts(task, name, orders=orders, slots=slots_for(features), norms=norms).model
