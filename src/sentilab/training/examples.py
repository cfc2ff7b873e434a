"""The arrays that a run trains and is judged on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab import data
from sentilab.text import Encoding, Tokens, Vocabulary, cached_tokens
from sentilab.training.settings import RunSettings


@dataclass(frozen=True)
class Part:
    """Encoded texts ``x`` of shape (texts, length), their ``labels`` and ``ids`` of shape (texts,)."""

    x: NDArray[np.int32]
    labels: NDArray[np.int64]
    ids: NDArray[np.str_]


@dataclass(frozen=True)
class Examples:
    """What the settings make of a dataset.

    Under the protocols "notebook" and "validation" ``validation is test``.
    """

    train: Part
    validation: Part
    test: Part
    vocabulary: Vocabulary
    label_names: tuple[str, ...]
    data_name: str
    data_fingerprint: str
    data_without: str = ""

    @property
    def classes(self) -> int:
        return len(self.label_names)


@dataclass
class Preparation:
    """Turns one dataset into examples; what several runs share is computed once.

    ``cache`` is the folder for tokenised texts (None: no cache).
    """

    dataset: data.Dataset
    cache: Path | None = None
    _tokens: Tokens | None = None
    _partitions: dict[tuple[Any, ...], data.Partition] = field(default_factory=dict)
    _examples: dict[tuple[Any, ...], Examples] = field(default_factory=dict)

    @property
    def tokens(self) -> Tokens:
        """Every text's words."""
        if self._tokens is None:
            self._tokens = cached_tokens(self.dataset, self.cache)
        return self._tokens

    def partition(self, settings: RunSettings) -> data.Partition:
        """Which rows train, validate and test."""
        key = _partition_key(settings)
        if key not in self._partitions:
            self._partitions[key] = data.partition(
                self.dataset,
                settings.protocol,
                validation_fraction=settings.validation_fraction,
                seed=settings.split_seed,
                fold=None if settings.folds is None else (settings.fold or 1, settings.folds),
            )
        return self._partitions[key]

    def examples(self, settings: RunSettings) -> Examples:
        """Encoded parts; the vocabulary is learned from the training part alone."""
        key = (*_partition_key(settings), settings.words, settings.length)
        if key not in self._examples:
            rows = self.partition(settings)
            vocabulary = Vocabulary.learn(
                self.tokens, rows.train, Encoding(settings.words, settings.length)
            )
            test = self._part(rows.test, vocabulary)
            shared = rows.validation is rows.test
            self._examples[key] = Examples(
                train=self._part(rows.train, vocabulary),
                validation=test if shared else self._part(rows.validation, vocabulary),
                test=test,
                vocabulary=vocabulary,
                label_names=self.dataset.label_names,
                data_name=self.dataset.name,
                data_fingerprint=self.dataset.fingerprint,
                data_without=self.dataset.without,
            )
        return self._examples[key]

    def _part(self, rows: NDArray[np.int64], vocabulary: Vocabulary) -> Part:
        return Part(
            x=vocabulary.encode_tokens(self.tokens, rows),
            labels=self.dataset.labels[rows],
            ids=np.asarray(self.dataset.ids)[rows],
        )


def _partition_key(settings: RunSettings) -> tuple[Any, ...]:
    return (
        settings.protocol,
        settings.validation_fraction,
        settings.split_seed,
        settings.folds,
        settings.fold,
    )
