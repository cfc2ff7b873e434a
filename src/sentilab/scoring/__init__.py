"""Whole files of texts -> the same rows with a bundle's answers."""

from sentilab.scoring.job import Predictor, Progress, Scored, score_file
from sentilab.scoring.journal import ScoringError
from sentilab.scoring.partitions import Advance, Asked, Ledger, on_processes, score_folder

__all__ = [
    "Advance",
    "Asked",
    "Ledger",
    "Predictor",
    "Progress",
    "Scored",
    "ScoringError",
    "on_processes",
    "score_file",
    "score_folder",
]
