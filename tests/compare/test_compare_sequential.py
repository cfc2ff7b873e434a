import numpy as np
import pytest
from planted import Planted

from sentilab.compare import SequentialRule, difference_of
from sentilab.compare.critical import critical_value
from sentilab.compare.sequential import FIRST_LOOK, nominal_alpha


def test_one_look_has_the_usual_level_and_more_looks_or_comparisons_a_stricter_one() -> None:
    assert SequentialRule(3).level == pytest.approx(0.95)
    levels = [SequentialRule(seeds, many).level for seeds, many in ((3, 1), (6, 1), (6, 4))]
    assert levels == sorted(levels)
    assert SequentialRule(6).level > 0.97


@pytest.mark.parametrize("texts_part", [0.0, 0.1, 1.0])
def test_any_false_alarm_over_all_looks_stays_at_or_below_five_percent(texts_part: float) -> None:
    """Differences of unit deviation from seed to seed, around texts whose part is given."""
    random = np.random.default_rng(int(10 * texts_part))
    most, simulations, alarms = 6, 3000, 0
    alpha = nominal_alpha(most, 0.05)
    for _ in range(simulations):
        seeds = random.standard_normal(most) + random.normal(0, np.sqrt(texts_part))
        for number in range(FIRST_LOOK, most + 1):
            part = seeds[:number].var(ddof=1) / number
            total = part + texts_part
            t = abs(seeds[:number].mean()) / np.sqrt(total)
            if t > critical_value(part / total, number - 1, alpha):
                alarms += 1
                break
    # Three standard errors: 3 * sqrt(0.05 * 0.95 / 3000).
    assert alarms / simulations <= 0.05 + 0.012


def test_a_large_difference_is_resolved_and_so_is_none() -> None:
    random = np.random.default_rng(4)
    rule = SequentialRule(5, margin=0.02)
    apart = Planted(0.1, 0.002, texts=4000).runs(random, 5)
    found = [rule.resolved(rule.difference(apart[0][:s], apart[1][:s])) for s in range(2, 6)]
    assert found[0] is None  # no look after two seeds
    assert any(one is not None and one.kind == "better" for one in found)
    level = Planted(0.0, 0.001, texts=20_000).runs(random, 5)
    last = rule.resolved(rule.difference(*level))
    assert last is not None
    assert last.kind == "same"


def test_a_difference_at_another_level_is_refused() -> None:
    first, second = Planted(0.0).runs(np.random.default_rng(1), 3)
    with pytest.raises(ValueError, match="level"):
        SequentialRule(6).resolved(difference_of(first, second))
    with pytest.raises(ValueError, match="at least"):
        SequentialRule(2)
