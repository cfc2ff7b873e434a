from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentilab.compare import expected_best

scores = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(scores)
def test_more_trials_never_do_worse_and_all_of_them_reach_the_best(found: list[float]) -> None:
    for replace in (False, True):
        best = expected_best(found, replace=replace)
        assert len(best) == len(found)
        assert best[0] == pytest.approx(np.mean(found))
        assert (np.diff(best) >= -1e-12).all()
    assert expected_best(found)[-1] == pytest.approx(max(found))
    assert (expected_best(found, replace=True) <= expected_best(found) + 1e-12).all()


def test_expected_best_is_the_mean_over_all_choices_of_trials() -> None:
    found = [0.3, 0.9, 0.5, 0.6]
    for trials in range(1, 5):
        without = np.mean([max(one) for one in combinations(found, trials)])
        repeated = np.mean([max(one) for one in product(found, repeat=trials)])
        assert expected_best(found)[trials - 1] == pytest.approx(without)
        assert expected_best(found, replace=True)[trials - 1] == pytest.approx(repeated)


def test_without_a_score_there_is_no_best() -> None:
    with pytest.raises(ValueError, match="score"):
        expected_best([])
