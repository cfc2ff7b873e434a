"""The models as a scikit-learn classifier over raw texts."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from sentilab import models
from sentilab.text import Encoding, Vocabulary, tokenize
from sentilab.training import DEFAULT_SEED, Kernels, Part, RunSettings, Silence
from sentilab.training.scoring import score
from sentilab.training.steps import compile_model, train_epoch


class SentimentClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A text classifier: ``fit(texts, labels)``, then ``predict(texts)``.

    Parameters are those of a run (sentilab.RunSettings): ``model`` is a registered model's name
    and ``model_settings`` its own settings; ``words`` and ``length`` are the encoding's. Texts are
    strings in any one-dimensional sequence; labels are strings or numbers, two or more different.

    After fitting, ``classes_`` holds the labels in order, ``vocabulary_`` the words, ``model_``
    the Keras model and ``history_`` the (loss, accuracy) of each epoch.

    Equal parameters and data give equal weights, bit for bit, on the same machine.
    """

    def __init__(
        self,
        model: str = "mlp",
        *,
        model_settings: dict[str, Any] | None = None,
        batch_size: int = 32,
        epochs: int = 2,
        learning_rate: float = 0.001,
        seed: int = DEFAULT_SEED,
        words: int = 20_000,
        length: int = 200,
        kernels: Kernels | None = None,
    ) -> None:
        self.model = model
        self.model_settings = model_settings
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.seed = seed
        self.words = words
        self.length = length
        self.kernels = kernels

    def fit(self, X: Iterable[str], y: ArrayLike) -> "SentimentClassifier":  # noqa: N803
        """Learns the vocabulary and trains a new model.

        Raises ValueError if texts and labels do not fit each other, SettingsError for a parameter
        out of its range, ModelCannotTrain for a model whose output does not fit labels.
        """
        texts = _texts(X)
        check_classification_targets(y)
        self.classes_, labels = np.unique(column_or_1d(y), return_inverse=True)
        if len(texts) != len(labels):
            raise ValueError(f"There are {len(texts)} texts and {len(labels)} labels.")
        if len(self.classes_) < 2:
            raise ValueError(
                f"Classifiers need at least two labels; the only one here is {self.classes_[0]!r}."
            )
        settings = RunSettings(
            model=self.model,
            model_settings=self.model_settings or {},
            batch_size=self.batch_size,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            seed=self.seed,
            words=self.words,
            length=self.length,
            kernels=self.kernels,
        )
        models.check_settings(settings.model, settings.model_settings)
        tokens = tokenize(texts)
        rows = np.arange(len(texts))
        self.vocabulary_ = Vocabulary.learn(tokens, rows, Encoding(self.words, self.length))
        part = Part(self.vocabulary_.encode_tokens(tokens, rows), labels, rows.astype(str))

        task = models.Task(self.words, self.length, len(self.classes_))
        models.import_keras().utils.set_random_seed(self.seed)
        self.model_ = models.build(
            settings.model, task, settings.model_settings, kernels=settings.kernels or "auto"
        )
        models.require_trainable(self.model_, task)
        compile_model(self.model_, settings, task.classes)
        self.history_ = [
            train_epoch(self.model_, settings, part, epoch, Silence())
            for epoch in range(1, self.epochs + 1)
        ]
        return self

    def predict_proba(self, X: Iterable[str]) -> NDArray[np.float32]:  # noqa: N803
        """Probabilities of shape (texts, classes), in the order of ``classes_``."""
        check_is_fitted(self)
        x = self.vocabulary_.encode(_texts(X))
        return score(self.model_, Part(x, np.zeros(len(x), np.int64), np.zeros(len(x), np.str_)))

    def predict(self, X: Iterable[str]) -> NDArray[Any]:  # noqa: N803
        """The likeliest label of each text: shape (texts,)."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags


def _texts(given: Iterable[str]) -> list[str]:
    if isinstance(given, str):
        raise ValueError("X is one text; give a sequence of texts, as in [text].")
    texts = list(given)
    if not texts:
        raise ValueError("There are no texts: X is empty.")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"X must hold texts; row {row} is {text!r}, of type {type(text).__name__}."
            )
    return texts
