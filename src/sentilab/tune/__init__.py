"""A model and a budget -> the settings that suit the data best. See ``Tuning``."""

from sentilab.tune.records import Again, Finalist, Scoring, Tuned
from sentilab.tune.search import Audience, Tuning
from sentilab.tune.settings import DEFAULT_TRIALS, Budget, Search, searchable
from sentilab.tune.trials import Trial

__all__ = [
    "DEFAULT_TRIALS",
    "Again",
    "Audience",
    "Budget",
    "Finalist",
    "Scoring",
    "Search",
    "Trial",
    "Tuned",
    "Tuning",
    "searchable",
]
