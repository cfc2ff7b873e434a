"""Many runs: a study file in, run folders and their results out."""

from sentilab.studies.collect import collect
from sentilab.studies.crossvalidation import CrossValidated, CrossValidation, Validated
from sentilab.studies.plan import Named, Plan, plan
from sentilab.studies.progress import Snapshot, read_progress
from sentilab.studies.records import Question, Recorded, Run, StudyResults
from sentilab.studies.resolving import Resolution, named_comparisons, until_resolved
from sentilab.studies.spec import PlannedRun, StudySpec, packaged, protocols, read
from sentilab.studies.study import Study, is_study, read_results, run_names
from sentilab.training.task import Training

__all__ = [
    "CrossValidated",
    "CrossValidation",
    "Named",
    "Plan",
    "PlannedRun",
    "Question",
    "Recorded",
    "Resolution",
    "Run",
    "Snapshot",
    "Study",
    "StudyResults",
    "StudySpec",
    "Training",
    "Validated",
    "collect",
    "is_study",
    "named_comparisons",
    "packaged",
    "plan",
    "protocols",
    "read",
    "read_progress",
    "read_results",
    "run_names",
    "until_resolved",
]
