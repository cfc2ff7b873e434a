from dataclasses import replace
from typing import Any

import pytest
from tune_small import small_search

from sentilab.errors import SettingsError
from sentilab.models import Choices, Range
from sentilab.tune import Budget, Search, Trial
from sentilab.tune.importance import importance
from sentilab.tune.proposals import Hopeless, propose


def trial(number: int, settings: dict[str, Any], accuracy: float | None, **changes: Any) -> Trial:
    plain: dict[str, Any] = {
        "state": "complete",
        "values": (accuracy or 0.0,),
        "accuracy": accuracy,
        "loss": None if accuracy is None else 1 - accuracy,
    }
    return Trial(number, settings, f"run-{number}", **(plain | changes))


def searched(search: Search, trials: int) -> list[Trial]:
    """Trials whose accuracy is the learning rate's distance from 0.004 and nothing else."""
    made: list[Trial] = []
    for number in range(trials):
        settings = propose(search, made, number)
        assert settings is not None
        made.append(trial(number, settings, 0.9 - 10 * abs(settings["learning_rate"] - 0.004)))
    return made


def test_the_first_trial_has_the_models_defaults() -> None:
    assert propose(small_search(), [], 0) == {
        "units": 64,
        "learning_rate": 0.001,
        "batch_size": 32,
        "epochs": 2,
    }


def test_the_same_seed_proposes_the_same_and_another_does_not() -> None:
    first = searched(small_search(), 12)
    assert searched(small_search(), 12) == first
    assert searched(small_search(seed=2), 12)[1:] != first[1:]


def test_every_proposal_lies_in_the_space_and_none_comes_twice() -> None:
    search = small_search()
    made = searched(search, 20)
    for one in made:
        for key, among in search.space.items():
            if isinstance(among, Range):
                assert among.low <= one.settings[key] <= among.high
            else:
                assert one.settings[key] in among.values
    assert len({repr(one.settings) for one in made}) == len(made)


def test_later_trials_learn_from_earlier_ones() -> None:
    rates = [one.settings["learning_rate"] for one in searched(small_search(), 30)]
    away = [abs(one - 0.004) for one in rates]
    assert sum(away[-8:]) < sum(away[1:9])


def test_a_space_is_left_when_nothing_new_is_in_it() -> None:
    fixed = {"units": 8, "learning_rate": 0.001, "embedding": 4}
    search = small_search(fixed=fixed)
    assert search.space == {"batch_size": Choices((16, 32, 64, 128)), "epochs": Range(1, 3)}
    made: list[Trial] = []
    while (settings := propose(search, made, len(made))) is not None:
        made.append(trial(len(made), settings, 0.5 + len(made) / 100))
    assert len(made) == 12


def test_a_failed_trial_is_told_as_the_worst() -> None:
    search = small_search()
    made = searched(search, 10)
    failed = [replace(one, state="failed", accuracy=None, loss=None) for one in made]
    assert propose(search, [*made[:9], failed[9]], 10) is not None


def test_a_trial_below_the_median_is_hopeless_and_one_above_is_not() -> None:
    search = small_search()
    others = [
        trial(number, search.start, 0.9, values=(0.6 + number / 100, 0.9)) for number in range(5)
    ]
    assert Hopeless(search, others).after(1, 0.55)
    assert not Hopeless(search, others).after(1, 0.7)
    late = Hopeless(search, others)
    assert not late.after(1, 0.7)
    assert late.after(2, 0.8)


def test_nothing_is_hopeless_before_there_is_enough_to_compare_with_or_where_it_is_off() -> None:
    search = small_search()
    others = [trial(number, search.start, 0.9) for number in range(5)]
    assert not Hopeless(search, others[:3]).after(1, 0.1)
    assert not Hopeless(replace(search, pruning="none"), others).after(1, 0.1)


def test_by_log_loss_lower_is_better() -> None:
    search = small_search(objective="log-loss")
    others = [trial(number, search.start, 0.9, values=(0.3,)) for number in range(5)]
    assert Hopeless(search, others).after(1, 0.5)
    assert not Hopeless(search, others).after(1, 0.2)


def test_the_setting_that_decides_is_said_to_matter() -> None:
    search = small_search()
    found = importance(search, searched(search, 24))
    assert found is not None
    first = found.shares[0]
    assert first.setting == "learning_rate"
    assert first.low <= first.share <= first.high
    assert sum(one.share for one in found.shares) == pytest.approx(1)
    assert found.explained > 0.5


def test_where_chance_decides_the_settings_explain_nothing() -> None:
    import numpy as np

    search = small_search()
    noise = np.random.default_rng(3).normal(0.8, 0.01, 24)
    made = [
        replace(one, accuracy=float(value))
        for one, value in zip(searched(search, 24), noise, strict=True)
    ]
    found = importance(search, made)
    assert found is not None
    assert found.explained < 0.1


def test_few_trials_say_nothing_of_what_matters() -> None:
    search = small_search()
    assert importance(search, searched(search, 9)) is None
    same = [replace(one, accuracy=0.5) for one in searched(search, 12)]
    assert importance(search, same) is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model": "mlp-unflattened"}, "declares no space to search"),
        ({"model": "mlpp"}, 'Did you mean "mlp"'),
        ({"fixed": {"unit": 4}}, '"unit" is neither a setting of mlp nor one of its run'),
        ({"fixed": {"units": "many"}}, "it must be a whole number"),
        ({"fixed": {"batch_size": 0}}, "batch_size is 0"),
        ({"objective": "f1"}, "it must be accuracy or log-loss"),
        ({"seeds": 0}, "seeds is 0"),
        (
            {
                "fixed": dict.fromkeys(
                    ("embedding", "units", "learning_rate", "batch_size", "epochs"), 1
                )
            },
            "Every setting that could be searched is fixed",
        ),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        Search(**({"model": "mlp"} | changes))


@pytest.mark.parametrize("given", [{}, {"trials": 0}, {"seconds": 0.0}])
def test_a_budget_must_allow_something(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Budget(**given)
