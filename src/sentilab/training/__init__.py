"""One run: settings -> weights, metrics, predictions. See ``train``."""

from sentilab.training.examples import Examples, Part, Preparation
from sentilab.training.folder import Predictions, RunFolder, seconds_of
from sentilab.training.options import (
    AdversarialTraining,
    EarlyStopping,
    Pretraining,
    Reading,
    Schedule,
    Teaching,
    WeightAveraging,
)
from sentilab.training.progress import LanguageEpoch, LanguageStep, Listener, Silence, Step
from sentilab.training.run import TrainingDiverged, train
from sentilab.training.settings import (
    DEFAULT_SEED,
    Kernels,
    Protocol,
    RunSettings,
)
from sentilab.training.stopping import EpochMetrics, Verdict, judge, kept_epoch
from sentilab.training.task import Crew, Training
from sentilab.training.teaching import Teacher

__all__ = [
    "DEFAULT_SEED",
    "AdversarialTraining",
    "Crew",
    "EarlyStopping",
    "EpochMetrics",
    "Examples",
    "Kernels",
    "LanguageEpoch",
    "LanguageStep",
    "Listener",
    "Part",
    "Predictions",
    "Preparation",
    "Pretraining",
    "Protocol",
    "Reading",
    "RunFolder",
    "RunSettings",
    "Schedule",
    "Silence",
    "Step",
    "Teacher",
    "Teaching",
    "Training",
    "TrainingDiverged",
    "Verdict",
    "WeightAveraging",
    "judge",
    "kept_epoch",
    "seconds_of",
    "train",
]
