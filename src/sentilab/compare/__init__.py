"""Are two results different?"""

from sentilab.compare.paired import (
    Interval,
    PairedDifference,
    accuracy_interval,
    mcnemar_exact,
    mean_interval,
    paired_difference,
)

__all__ = [
    "Interval",
    "PairedDifference",
    "accuracy_interval",
    "mcnemar_exact",
    "mean_interval",
    "paired_difference",
]
