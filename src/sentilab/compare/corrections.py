"""p-values of several comparisons, corrected for their number."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the given order; the chance of any false alarm is kept.

    To call a comparison different where its adjusted value is at most 0.05 is wrong anywhere among
    them in at most 5% of cases, however they depend on each other.
    Source: Holm (1979).
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for done, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - done) * p_values[index]))
        adjusted[index] = largest
    return adjusted
