"""Many runs: a study file in, run folders and their results out."""

from sentilab.studies.plan import Named, Plan, Training, plan
from sentilab.studies.records import Question, Recorded, Run, StudyResults
from sentilab.studies.spec import PlannedRun, StudySpec, packaged, protocols, read
from sentilab.studies.study import Study, is_study, read_results

__all__ = [
    "Named",
    "Plan",
    "PlannedRun",
    "Question",
    "Recorded",
    "Run",
    "Study",
    "StudyResults",
    "StudySpec",
    "Training",
    "is_study",
    "packaged",
    "plan",
    "protocols",
    "read",
    "read_results",
]
