"""The whole suite, made anew each time from templates, words and a seed."""

from functools import lru_cache

from sentilab.probe.behaviour import fairness, robustness, wording
from sentilab.probe.behaviour.cases import Check

# Another version may have other cases: results of different versions are not to be compared.
VERSION = 1


@lru_cache(maxsize=4)
def suite(length: int) -> tuple[Check, ...]:
    """Every check, for a model that reads the last ``length`` tokens of a text."""
    return (
        *wording.checks(),
        *robustness.checks(),
        *fairness.checks(),
        *robustness.length_checks(length),
    )
