"""Run folders out to trackers that others keep: MLflow and TensorBoard. Nothing is read back."""

from sentilab.tracking.recording import Point, Recording, recording_of
from sentilab.tracking.trackers import (
    Tracker,
    Trackers,
    ended_runs,
    open_tracker,
    said,
    study_name,
    without_secrets,
)

__all__ = [
    "Point",
    "Recording",
    "Tracker",
    "Trackers",
    "ended_runs",
    "open_tracker",
    "recording_of",
    "said",
    "study_name",
    "without_secrets",
]
