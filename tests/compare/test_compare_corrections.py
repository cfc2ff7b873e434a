import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentilab.compare import holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_holms_adjusted_values_worked_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(p_values)
def test_adjusted_values_keep_the_order_and_lie_between_p_and_bonferroni(
    found: list[float],
) -> None:
    adjusted = holm(found)
    for p, corrected in zip(found, adjusted, strict=True):
        assert p <= corrected <= min(1, len(found) * p)
    order = np.argsort(found)
    assert (np.diff(np.asarray(adjusted)[order]) >= 0).all()


def test_any_false_alarm_among_ten_comparisons_stays_at_or_below_five_percent() -> None:
    random = np.random.default_rng(1)
    alarms = np.mean([min(holm(list(random.random(10)))) <= 0.05 for _ in range(4000)])
    # Three standard errors: 3 * sqrt(0.05 * 0.95 / 4000).
    assert alarms <= 0.05 + 0.0104
