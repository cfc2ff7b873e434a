"""Are two results different?"""

from sentilab.compare.budget import expected_best
from sentilab.compare.chosen import honest_best
from sentilab.compare.contributions import METRICS
from sentilab.compare.corrections import holm
from sentilab.compare.differences import (
    Covers,
    Difference,
    accuracy_over_seeds,
    difference_of,
)
from sentilab.compare.paired import (
    Interval,
    PairedDifference,
    accuracy_interval,
    mcnemar_exact,
    mean_interval,
    paired_difference,
)
from sentilab.compare.power import seeds_to_detect, seeds_to_settle
from sentilab.compare.recommending import Recommendation, on_front, recommend
from sentilab.compare.replicas import Pairs, Replica, Setting, pairs, setting_of, siblings
from sentilab.compare.sequential import FIRST_LOOK, SequentialRule
from sentilab.compare.verdicts import Verdict, VerdictKind, verdict
from sentilab.compare.wins import winning

__all__ = [
    "FIRST_LOOK",
    "METRICS",
    "Covers",
    "Difference",
    "Interval",
    "PairedDifference",
    "Pairs",
    "Recommendation",
    "Replica",
    "SequentialRule",
    "Setting",
    "Verdict",
    "VerdictKind",
    "accuracy_interval",
    "accuracy_over_seeds",
    "difference_of",
    "expected_best",
    "holm",
    "honest_best",
    "mcnemar_exact",
    "mean_interval",
    "on_front",
    "paired_difference",
    "pairs",
    "recommend",
    "seeds_to_detect",
    "seeds_to_settle",
    "setting_of",
    "siblings",
    "verdict",
    "winning",
]
