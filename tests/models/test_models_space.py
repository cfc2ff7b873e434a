from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models import Choices, Range
from sentilab.models.space import OF_A_RUN, checked
from sentilab.training import RunSettings
from sentilab.tune import Search, searchable

OWN = {"units": 64, "dropout": 0.5, "masked": False, "kind": "max"}


def test_every_setting_of_a_run_that_may_be_searched_is_one() -> None:
    assert set(OF_A_RUN) <= {one.name for one in fields(RunSettings)}


def test_a_space_may_have_settings_of_the_model_and_of_its_run() -> None:
    space = checked(
        "mine",
        {
            "units": Range(8, 64, log=True),
            "dropout": Range(0, 1),
            "masked": [False, True],
            "learning_rate": Range(0.001, 0.01),
            "label_smoothing": [None, 0.1],
            "schedule": [None, {"kind": "linear"}],
        },
        OWN,
    )
    assert space["units"] == Range(8, 64, log=True)
    assert space["masked"] == Choices((False, True))


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        ({"unit": [1, 2]}, 'space, unit: .*did you mean "units"'),
        ({"seed": [1, 2]}, "neither a setting of the model nor one of a run"),
        ({"units": Range(0.5, 2.5)}, "this setting takes whole numbers"),
        ({"units": [1, True]}, "True will not do"),
        ({"units": [1, None]}, "None will not do"),
        ({"kind": [1, 2]}, "this setting takes texts"),
        ({"masked": Range(0, 1)}, "this setting takes true or false"),
        ({"units": "64"}, "neither a Range nor a list"),
        ({"units": [64]}, "two or more different values"),
        ({"units": [64, 64]}, "two or more different values"),
    ],
)
def test_a_space_that_cannot_be_meant_is_refused(space: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        checked("mine", space, OWN)


@pytest.mark.parametrize("bounds", [(2, 1), (1, 1), (1, float("inf")), (True, 2)])
def test_a_range_needs_two_bounds_in_order(bounds: tuple[Any, Any]) -> None:
    with pytest.raises(SettingsError):
        Range(*bounds)
    with pytest.raises(SettingsError, match="logarithmic"):
        Range(0, 1, log=True)


def test_what_is_nearest_lies_in_the_space() -> None:
    assert Range(8, 64).nearest(100) == 64
    assert Range(1, 100, log=True).nearest(None) == 10
    assert Choices((1, 2)).nearest(2) == 2
    assert Choices((1, 2)).nearest(7) == 1


def test_every_space_that_comes_with_sentilab_can_be_searched() -> None:
    assert {"mlp", "bilstm1", "bilstm2"} <= set(searchable())
    for name in searchable():
        search = Search(name)
        assert search.run_settings(search.start).model == name
        assert models.describe(name).space.keys() == search.start.keys()
