"""Whole files of texts -> the same rows with a bundle's answers."""

from sentilab.scoring.job import Predictor, Progress, Scored, score_file
from sentilab.scoring.journal import ScoringError

__all__ = ["Predictor", "Progress", "Scored", "ScoringError", "score_file"]
