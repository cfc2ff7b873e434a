"""One run: settings -> weights, metrics, predictions. See ``train``."""

from sentilab.training.examples import Examples, Part, Preparation
from sentilab.training.folder import Predictions, RunFolder
from sentilab.training.progress import Listener, Silence, Step
from sentilab.training.run import TrainingDiverged, train
from sentilab.training.settings import (
    DEFAULT_SEED,
    EarlyStopping,
    Kernels,
    Protocol,
    RunSettings,
)
from sentilab.training.stopping import EpochMetrics, Verdict, judge, kept_epoch

__all__ = [
    "DEFAULT_SEED",
    "EarlyStopping",
    "EpochMetrics",
    "Examples",
    "Kernels",
    "Listener",
    "Part",
    "Predictions",
    "Preparation",
    "Protocol",
    "RunFolder",
    "RunSettings",
    "Silence",
    "Step",
    "TrainingDiverged",
    "Verdict",
    "judge",
    "kept_epoch",
    "train",
]
