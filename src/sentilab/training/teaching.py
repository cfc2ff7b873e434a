"""Self-training: a finished run answers unlabelled texts, and its answers join a training part.

No label of a held-out text has a part in it: the teacher may have been trained on no text that the
student does not train on, and the unlabelled texts that repeat a labelled one are left out.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab import models
from sentilab.data import Unlabelled
from sentilab.errors import SettingsError
from sentilab.models.ensemble import NAME as ENSEMBLE
from sentilab.text import Encoding, Tokens, Vocabulary, joined
from sentilab.training.examples import Examples, Part, Preparation
from sentilab.training.folder import RunFolder, shares_of
from sentilab.training.options import Teaching
from sentilab.training.scoring import score
from sentilab.training.settings import RunSettings
from sentilab.training.unlabelled import fresh

Rows = NDArray[np.int64]


@dataclass
class Teacher:
    """A finished run whose answers may stand in for labels; each text is asked for once.

    ``seconds`` is how long it has answered so far.

    Raises SettingsError if the run has not finished.
    """

    run: RunFolder
    seconds: float = 0.0
    _answers: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        result = self.run.read_json("result.json") or {}
        if result.get("status") != "finished":
            raise SettingsError(f"{self.run.path}: only a finished run can teach.")

    @cached_property
    def settings(self) -> RunSettings:
        return self.run.settings()

    @property
    def data_fingerprint(self) -> str:
        return str(self.run.data()["fingerprint"])

    @property
    def fingerprint(self) -> str:
        """That of its settings and data."""
        return self.settings.fingerprint(self.data_fingerprint)

    def teaching(self, unlabelled: Unlabelled, **how: Any) -> Teaching:
        """The settings of a run that it teaches on these texts; ``how`` are further ones of Teaching.

        Raises SettingsError for a setting that does not exist or is out of its range.
        """
        try:
            return Teaching(self.fingerprint, unlabelled.name, unlabelled.fingerprint, **how)
        except TypeError as error:
            raise SettingsError(f"These settings of teaching do not fit: {error}.") from error

    def answers(self, tokens: Tokens, fingerprint: str) -> NDArray[np.float32]:
        """Probabilities (texts, classes) for all texts of ``tokens``, whose texts the fingerprint names."""
        if fingerprint not in self._answers:
            started = time.perf_counter()
            vocabulary = self.run.vocabulary()
            path = self.run.checked(self.run.model)
            model = models.load(path, kernels=self.settings.kernels or "auto")
            rows = np.arange(len(tokens.lengths))
            x = vocabulary.encode_tokens(tokens, rows)
            self._answers[fingerprint] = score(model, Part(x, rows, rows.astype(str)))
            self.seconds += time.perf_counter() - started
        return self._answers[fingerprint]


def taught(examples: Examples, settings: RunSettings, preparation: Preparation) -> Examples:
    """``examples`` with the unlabelled texts that the teacher is sure of in the training part.

    Raises SettingsError if teacher or texts are missing, are others than the settings name, or if the
    teacher knows labels that the student may not know.
    """
    asked, teacher, tokens = _material(settings, preparation)
    _require_no_leak(teacher, settings, preparation)
    rows = fresh(preparation.tokens, tokens)
    probabilities = teacher.answers(tokens, asked.unlabelled_fingerprint)[rows]
    sure = probabilities.max(axis=1) >= asked.confidence
    chosen, answers = rows[sure], probabilities[sure]
    labels = answers.argmax(axis=1)
    added = Part(
        x=examples.vocabulary.encode_tokens(tokens, chosen),
        labels=labels.astype(np.int64),
        ids=np.char.add("unlabelled/", chosen.astype(str)),
        targets=answers if asked.soft else None,
        weights=np.full(len(chosen), asked.weight, np.float32) if asked.weight != 1 else None,
    )
    counts = np.bincount(labels, minlength=examples.classes).tolist()
    told = {
        "teacher": {"folder": teacher.run.path.name, "fingerprint": teacher.fingerprint},
        "unlabelled": {"name": asked.unlabelled, "fingerprint": asked.unlabelled_fingerprint},
        "texts": len(tokens.lengths),
        "left_out_as_repeats": len(tokens.lengths) - len(rows),
        "learned": len(chosen),
        "learned_by_label": dict(zip(examples.label_names, counts, strict=True)),
        "labelled": len(examples.train.labels),
        "seconds": {
            **shares_of(teacher.run),
            f"answers/{teacher.fingerprint}": teacher.seconds,
        },
    }
    return replace(examples, train=_together(examples.train, added, examples.classes), taught=told)


def learned_vocabulary(settings: RunSettings, preparation: Preparation, train: Rows) -> Vocabulary:
    """The vocabulary of the rows ``train`` and of the unlabelled texts that repeat no labelled one.

    Raises SettingsError as ``taught`` does.
    """
    _, _, tokens = _material(settings, preparation)
    more = len(preparation.tokens.lengths) + fresh(preparation.tokens, tokens)
    rows = np.concatenate([train, more])
    encoding = Encoding(settings.words, settings.length)
    return Vocabulary.learn(joined(preparation.tokens, tokens), rows, encoding)


def require_taught(settings: RunSettings, examples: Examples) -> None:
    """Raises SettingsError if a run that is to be taught was given examples without a teacher's, or one
    that cannot learn from what the teacher gives.
    """
    asked = settings.teaching
    if asked is None:
        return
    if examples.taught is None:
        raise SettingsError("This run is to be taught, and its examples were prepared without it.")
    if settings.model == ENSEMBLE:
        raise SettingsError("An ensemble is made of finished runs; teach its members instead.")
    if models.describe(settings.model).solver is not None and (asked.soft or asked.weight != 1):
        raise SettingsError(
            f"{settings.model} is solved for in one go and learns labels alone: it takes neither "
            "soft answers nor a weight.\n  Leave out teaching.soft and teaching.weight."
        )


def _material(settings: RunSettings, preparation: Preparation) -> tuple[Teaching, Teacher, Tokens]:
    asked, teacher = settings.teaching, preparation.teacher
    assert asked is not None
    if teacher is None or teacher.fingerprint != asked.teacher:
        raise SettingsError(
            "The run is to be taught by another, and "
            + ("none is named." if teacher is None else f"{teacher.run.path} is not that one.")
            + "\n  Name it with --teacher."
        )
    return asked, teacher, preparation.unlabelled_tokens(asked, "taught on")


def _require_no_leak(teacher: Teacher, settings: RunSettings, preparation: Preparation) -> None:
    where = f"{teacher.run.path}: this run cannot teach"
    if teacher.data_fingerprint != preparation.dataset.fingerprint:
        raise SettingsError(
            f"{where}: it was trained on other data than {preparation.dataset.name}, and what it "
            "knows of the texts held out here cannot be told."
        )
    own = preparation.partition(settings).train
    for one in _trained(teacher.settings, where):
        foreign = np.setdiff1d(preparation.partition(one).train, own)
        if len(foreign):
            raise SettingsError(
                f"{where}: it was trained on {len(foreign):,} texts that the student holds out, and "
                "would pass their labels on.\n"
                "  Train both with the same protocol, split_seed, validation_fraction and fold."
            )


def _trained(settings: RunSettings, where: str) -> Iterable[RunSettings]:
    """The runs whose labels have gone into a teacher's weights: itself, or an ensemble's members."""
    if settings.model != ENSEMBLE:
        return (settings,)
    from sentilab.training import ensembling

    how = ensembling.how_of(settings)
    if how.kind != "averaging" or how.calibrated:
        raise SettingsError(
            f"{where}: an ensemble that has learned its weights has learned them from labels that the "
            "student holds out.\n  Let one teach that averages, without calibration."
        )
    return ensembling.members_of(settings)


def _together(labelled: Part, added: Part, classes: int) -> Part:
    targets = weights = None
    if added.targets is not None:
        certain = np.eye(classes, dtype=np.float32)[labelled.labels]
        targets = np.concatenate([certain, added.targets])
    if added.weights is not None:
        ones = np.ones(len(labelled.labels), np.float32)
        weights = np.concatenate([ones, added.weights])
    return Part(
        x=np.concatenate([labelled.x, added.x]),
        labels=np.concatenate([labelled.labels, added.labels]),
        ids=np.concatenate([labelled.ids, added.ids]),
        targets=targets,
        weights=weights,
    )
