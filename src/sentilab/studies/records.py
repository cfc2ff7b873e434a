"""What is known of a study: its runs as their folders tell, and the data they saw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sentilab.training import EpochMetrics, Predictions, Protocol, RunFolder, RunSettings

__all__ = [
    "EpochMetrics",
    "Predictions",
    "Protocol",
    "Question",
    "QuestionKind",
    "Recorded",
    "Run",
    "RunSettings",
    "Status",
    "StudyResults",
]

Status = Literal["finished", "running", "planned", "refused", "failed"]

QuestionKind = Literal[
    "data",  # how are the data represented?
    "summary",  # the named run's parameter count, worked arithmetic and final accuracy
    "compare",  # how does accuracy change between these runs along `axis`?
    "longer",  # what does training longer do? (one run's curve, against a shorter run)
    "best",  # which of these runs is best, and is that real?
    "refused",  # why does this model not train?
    "stopping",  # when did early stopping end these runs, and which epoch was best?
    "frontier",  # what does accuracy cost, and which of these runs to take?
    "conclusion",  # the best model of one kind against the best of another
]


@dataclass(frozen=True)
class Recorded:
    """What the notebook recorded for a run: a figure where it gave one, always a sentence."""

    accuracy: float | None = None
    best_accuracy: float | None = None
    epochs_run: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Question:
    """One question of the notebook, and the runs (by name in the study file) that answer it.

    ``axis`` is the setting that differs between them; ``baseline`` the run that the others are
    held against; ``notebook_says`` the notebook's own answer in short.
    """

    kind: QuestionKind
    title: str
    asks: str
    runs: tuple[str, ...] = ()
    axis: str | None = None
    baseline: str | None = None
    notebook_says: str = ""


@dataclass(frozen=True)
class Run:
    """One run of a study. Figures are None until the run has finished.

    ``name`` is "<name in the study file>@<protocol>-<seed>". ``accuracy`` and ``loss`` are of the
    kept weights on the test texts; ``chosen_epoch`` (from 1) is the epoch whose weights were kept;
    ``seconds`` has one entry an epoch, validation included; ``pretraining_seconds`` are spent before,
    once for all runs that share the pretraining. ``anatomy`` is
    sentilab.models.Anatomy as JSON. ``prediction_ms`` is for 1,000 encoded texts, ``size`` the bytes
    of the weights.
    """

    name: str
    title: str
    settings: RunSettings
    status: Status
    folder: Path
    reason: str = ""
    parameters: int | None = None
    history: tuple[EpochMetrics, ...] = ()
    seconds: tuple[float, ...] = ()
    pretraining_seconds: float = 0.0
    stopped_early: bool = False
    chosen_epoch: int | None = None
    accuracy: float | None = None
    loss: float | None = None
    recorded: Recorded | None = None
    anatomy: dict[str, Any] | None = None
    environment: dict[str, Any] | None = None
    prediction_ms: float | None = None
    size: int | None = None

    @property
    def training_seconds(self) -> float:
        """What the run would take to train alone."""
        return sum(self.seconds) + self.pretraining_seconds

    @property
    def validation_accuracy(self) -> float:
        """Of the weights that were kept, on the validation texts."""
        return self.history[(self.chosen_epoch or len(self.history)) - 1].val_accuracy

    def predictions(self) -> Predictions:
        """Reads predictions.parquet; raises SentilabError before the run has finished."""
        return RunFolder(self.folder).predictions()


@dataclass(frozen=True)
class StudyResults:
    """All that a report is made from.

    ``portrait`` is sentilab.text.Portrait as JSON. ``runs`` holds every run of every protocol and
    seed, the unfinished ones too, in the study's order. ``duplicates`` has one entry a protocol.
    """

    name: str
    title: str
    description: str
    questions: tuple[Question, ...]
    runs: tuple[Run, ...]
    protocols: tuple[Protocol, ...]
    seeds: tuple[int, ...]
    portrait: dict[str, Any]
    data_name: str
    data_origin: str
    label_names: tuple[str, ...]
    is_generated: bool
    notices: tuple[str, ...]
    duplicates: dict[str, Any]
    environment: dict[str, Any]
    finished: bool
