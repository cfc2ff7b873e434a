"""The arrays that a run trains and is judged on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab import data
from sentilab.errors import SettingsError
from sentilab.models.ensemble import NAME as ENSEMBLE
from sentilab.models.ensemble import united
from sentilab.text import Encoding, Tokens, Vocabulary, cached_tokens
from sentilab.training import shared
from sentilab.training.pretraining.corpus import Corpus
from sentilab.training.pretraining.reading import read
from sentilab.training.settings import RunSettings
from sentilab.training.shared import Mapped

if TYPE_CHECKING:
    from sentilab.training.options import Pretraining, Reading, Teaching
    from sentilab.training.teaching import Teacher


@dataclass(frozen=True)
class Part:
    """Encoded texts ``x`` of shape (texts, length), their ``labels`` and ``ids`` of shape (texts,).

    Where they are there, ``targets`` (texts, classes) are the probabilities to be learned, and
    ``weights`` (texts,) say how much each text counts.
    """

    x: NDArray[np.int32]
    labels: NDArray[np.int64]
    ids: NDArray[np.str_]
    targets: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Examples:
    """What the settings make of a dataset.

    Under the protocols "notebook" and "validation" ``validation is test``. ``corpus`` is what a
    pretraining reads, if there is to be one; ``taught`` tells of the texts that a teacher labelled, if
    the training part has such; ``unlabelled`` (texts, length) are those that training reads without.
    ``mapped`` are the parts' arrays that lie in files which others could write to.
    """

    train: Part
    validation: Part
    test: Part
    vocabulary: Vocabulary
    label_names: tuple[str, ...]
    data_name: str
    data_fingerprint: str
    data_without: str = ""
    corpus: Corpus | None = None
    taught: dict[str, Any] | None = None
    unlabelled: NDArray[np.int32] | None = None
    mapped: tuple[Mapped, ...] = ()

    @property
    def classes(self) -> int:
        return len(self.label_names)

    def require_whole(self) -> None:
        """Raises shared.DamagedShare, an OSError, if files that they are ``mapped`` from have changed."""
        shared.require_whole(self.mapped)


@dataclass
class Preparation:
    """Turns one dataset into examples; what several runs share is computed once.

    ``cache`` is the folder for tokenised texts (None: no cache). ``unlabelled`` are texts beside the
    labelled ones, for runs that ask for them, and ``teacher`` is the run that labels them. ``share`` is the
    folder of data that several processes map into their memory, where they do (see ``shared``).
    """

    dataset: data.Dataset
    cache: Path | None = None
    unlabelled: data.Unlabelled | None = None
    teacher: "Teacher | None" = None
    share: Path | None = None
    _tokens: Tokens | None = None
    _unlabelled_tokens: Tokens | None = None
    _source: tuple[Mapped, ...] = ()
    _partitions: dict[tuple[Any, ...], data.Partition] = field(default_factory=dict)
    _examples: dict[tuple[Any, ...], Examples] = field(default_factory=dict)

    @classmethod
    def shared(cls, folder: Path) -> "Preparation":
        """That which another process wrote to ``folder`` with ``write_shared``.

        Raises shared.DamagedShare, an OSError, for a file that is not what was written.
        """
        found = shared.read(folder)
        return cls(
            found.dataset,
            unlabelled=found.unlabelled,
            share=folder,
            _tokens=found.tokens,
            _unlabelled_tokens=found.unlabelled_tokens,
            _source=found.mapped,
        )

    def write_shared(self, folder: Path) -> None:
        """Writes to ``folder`` what other processes need for the same examples."""
        more = None if self.unlabelled is None else cached_tokens(self.unlabelled, self.cache)
        shared.write(folder, self.dataset, self.tokens, self.unlabelled, more)

    def mend_shared(self, folder: Path) -> None:
        """Writes it anew if it is no longer what was written."""
        try:
            shared.read(folder)
        except shared.DamagedShare:
            self.write_shared(folder)

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
                fold=_numbered(settings.fold, settings.folds),
                inner_fold=_numbered(settings.inner_fold, settings.inner_folds),
            )
        return self._partitions[key]

    def examples(self, settings: RunSettings, vocabulary: Vocabulary | None = None) -> Examples:
        """Encoded parts; the vocabulary is learned from the training part alone.

        With pretraining it is learned from what that reads; an ensemble's has all words of its members.
        A ``vocabulary`` that a run has learned is taken as it is; what it was pretrained on, or taught,
        is then not read again.

        Raises SettingsError if the unlabelled texts are missing, or others than the settings name, and
        shared.DamagedShare, an OSError, if shared data are no longer what was written.
        """
        key = (*_examples_key(settings), vocabulary)
        if key not in self._examples:
            self._drop_other_folds(settings)
            rows = self.partition(settings)
            corpus = None
            new = vocabulary is None
            if vocabulary is None:
                vocabulary, corpus = self._learned(settings, rows.train)
            mapped: list[Mapped] = []
            test = self._part(rows.test, vocabulary, mapped)
            is_one = rows.validation is rows.test
            made = Examples(
                train=self._part(rows.train, vocabulary, mapped),
                validation=test if is_one else self._part(rows.validation, vocabulary, mapped),
                test=test,
                vocabulary=vocabulary,
                label_names=self.dataset.label_names,
                data_name=self.dataset.name,
                data_fingerprint=self.dataset.fingerprint,
                data_without=self.dataset.without,
                corpus=corpus,
                unlabelled=self._unlabelled(settings, vocabulary) if new else None,
                mapped=tuple(mapped),
            )
            if new and settings.teaching is not None:
                from sentilab.training.teaching import taught

                self._drop_taught()  # each seed is taught by another, and has texts of its own
                made = taught(made, settings, self)
            shared.require_whole((*self._source, *mapped))
            self._examples[key] = made
        return self._examples[key]

    def _drop_other_folds(self, settings: RunSettings) -> None:
        """Folds come one after another, and each has nearly all texts encoded anew."""
        fold = _fold_key(settings)
        self._examples = {
            key: kept for key, kept in self._examples.items() if key[FOLD] in (NO_FOLD, fold)
        }

    def _drop_taught(self) -> None:
        self._examples = {key: kept for key, kept in self._examples.items() if not kept.taught}

    def forget_other_than(self, settings: RunSettings) -> None:
        """Lets go of examples made for other settings: a search makes more than memory holds."""
        key = _examples_key(settings)
        self._examples = {one: kept for one, kept in self._examples.items() if one[:-1] == key}

    def _learned(
        self, settings: RunSettings, train: NDArray[np.int64]
    ) -> tuple[Vocabulary, Corpus | None]:
        encoding, asked = Encoding(settings.words, settings.length), settings.pretraining
        if settings.model == ENSEMBLE:
            from sentilab.training.ensembling import members_of

            learned = [
                self._learned(one, self.partition(one).train)[0] for one in members_of(settings)
            ]
            return united(learned, encoding), None
        if asked is None:
            if settings.teaching is not None and settings.teaching.vocabulary:
                from sentilab.training.teaching import learned_vocabulary

                return learned_vocabulary(settings, self, train), None
            return Vocabulary.learn(self.tokens, train, encoding), None
        unlabelled = self.unlabelled_tokens(asked, "pretrained on") if asked.unlabelled else None
        return read(self.tokens, train, unlabelled, encoding, labelled=asked.labelled)

    def unlabelled_tokens(self, asked: "Pretraining | Teaching | Reading", purpose: str) -> Tokens:
        """The words of the unlabelled texts that the run asks for, to be ``purpose``.

        Raises SettingsError if they are missing, or others than the settings name.
        """
        given = self.unlabelled
        if given is None or given.fingerprint != asked.unlabelled_fingerprint:
            raise SettingsError(
                f'The run is to be {purpose} the unlabelled texts "{asked.unlabelled}", and '
                + ("there are none here." if given is None else f"{given.origin} are others.")
                + "\n  Name them with --unlabelled."
            )
        if self._unlabelled_tokens is not None:
            return self._unlabelled_tokens
        return cached_tokens(given, self.cache)

    def _unlabelled(
        self, settings: RunSettings, vocabulary: Vocabulary
    ) -> NDArray[np.int32] | None:
        """What training reads beside the labelled texts, without those that repeat one of these."""
        if settings.reading is None:
            return None
        from sentilab.training.unlabelled import fresh

        tokens = self.unlabelled_tokens(settings.reading, "trained on")
        return vocabulary.encode_tokens(tokens, fresh(self.tokens, tokens))

    def _part(self, rows: NDArray[np.int64], vocabulary: Vocabulary, mapped: list[Mapped]) -> Part:
        if self.share is None:
            x = vocabulary.encode_tokens(self.tokens, rows)
        else:
            there = shared.encoded(self.share, vocabulary, self.tokens, rows, self._source)
            mapped.append(there)
            x = there.array
        return Part(x, labels=self.dataset.labels[rows], ids=np.asarray(self.dataset.ids)[rows])


def _partition_key(settings: RunSettings) -> tuple[Any, ...]:
    return (
        settings.protocol,
        settings.validation_fraction,
        settings.split_seed,
        _fold_key(settings),
    )


def _examples_key(settings: RunSettings) -> tuple[Any, ...]:
    asked = settings.pretraining
    read = None if asked is None else (asked.unlabelled_fingerprint, asked.labelled)
    # An ensemble's vocabulary depends on its members.
    members = repr(settings.model_settings) if settings.model == ENSEMBLE else ""
    size = (settings.words, settings.length)
    return (*_partition_key(settings), *size, read, settings.teaching, settings.reading, members)


# Where the fold stands in the key of a partition, and what stands there where there is none.
FOLD = 3
NO_FOLD = (None, None, None, None)


def _fold_key(settings: RunSettings) -> tuple[int | None, ...]:
    return (settings.folds, settings.fold, settings.inner_folds, settings.inner_fold)


def _numbered(fold: int | None, folds: int | None) -> tuple[int, int] | None:
    return None if fold is None or folds is None else (fold, folds)
