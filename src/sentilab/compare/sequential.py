"""Training seed after seed until a comparison is resolved, without being fooled by looking often.

Whoever looks after every new seed and stops at the first p-value below 0.05 is wrong far more often
than in 5% of cases. Here every look uses the same stricter level, chosen so that the intervals of
all looks hold at once in 95% of cases (repeated confidence intervals, Jennison and Turnbull 1989;
2000, chapter 9; the constant level is Pocock's, 1977). Whatever is concluded from them at any look,
that there is a difference or that there is none larger than the margin, is then wrong in at most
5% of cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from sentilab.compare.differences import Difference, difference_of
from sentilab.compare.verdicts import ALPHA, Verdict, verdict
from sentilab.training import Predictions

FIRST_LOOK = 3  # seeds; two say too little of the spread for an interval to be of use

SEQUENCES = 200_000
SEED = 297


@dataclass(frozen=True)
class SequentialRule:
    """Looks after 3, 4, ..., ``max_seeds`` seeds, in each of ``comparisons`` comparisons.

    ``margin`` is the difference below which none matters, in the metric's own unit. All error
    rates are of any error in any of the comparisons (Bonferroni).
    """

    max_seeds: int
    comparisons: int = 1
    margin: float = 0.01

    def __post_init__(self) -> None:
        """Raises ValueError for fewer seeds than the first look takes, or no comparison."""
        if self.max_seeds < FIRST_LOOK or self.comparisons < 1:
            raise ValueError(
                f"max_seeds is {self.max_seeds} and comparisons {self.comparisons}; they must be "
                f"at least {FIRST_LOOK} and 1."
            )

    @cached_property
    def level(self) -> float:
        """The level of each look's interval, between 0.95 and 1."""
        return 1 - nominal_alpha(self.max_seeds, ALPHA / self.comparisons)

    def looks_at(self, seeds: int) -> bool:
        """Whether there is a look after this many seeds."""
        return FIRST_LOOK <= seeds <= self.max_seeds

    def difference(
        self,
        first: Sequence[Predictions],
        second: Sequence[Predictions],
        metric: str = "accuracy",
    ) -> Difference:
        """The difference with this rule's interval; errors as of ``difference_of``."""
        return difference_of(first, second, metric, level=self.level)

    def resolved(
        self, difference: Difference, names: tuple[str, str] = ("A", "B")
    ) -> Verdict | None:
        """What this look's ``difference`` resolves, or None: train another seed.

        Raises ValueError for a difference that is not at this rule's level; see ``difference``.
        """
        if difference.level != self.level:
            raise ValueError(f"The difference's level is {difference.level}, not {self.level}.")
        if not self.looks_at(difference.seeds):
            return None
        found = verdict(
            difference,
            margin=self.margin,
            adjusted_p=min(1.0, difference.p_value * ALPHA / (1 - self.level)),
            names=names,
        )
        return None if found.kind == "unclear" else found


@lru_cache(maxsize=64)
def nominal_alpha(max_seeds: int, alpha: float) -> float:
    """The level of each look at which any of them errs with probability ``alpha``.

    Found from simulated sequences of differences between seeds, by a fixed seed. The texts' part of
    the variance is taken as nil: looks then have least in common, and most chances to err.
    """
    from scipy.special import stdtr

    if max_seeds == FIRST_LOOK:
        return alpha
    random = np.random.default_rng(SEED)
    total = np.zeros(SEQUENCES)
    squares = np.zeros(SEQUENCES)
    smallest = np.ones(SEQUENCES)
    for seeds in range(1, max_seeds + 1):
        new = random.standard_normal(SEQUENCES)
        total += new
        squares += new**2
        if seeds >= FIRST_LOOK:
            deviation = np.sqrt((squares - total**2 / seeds) / (seeds - 1))
            t = np.abs(total) / (np.sqrt(seeds) * deviation)
            np.minimum(smallest, 2 * stdtr(seeds - 1, -t), out=smallest)
    return float(np.quantile(smallest, alpha))
