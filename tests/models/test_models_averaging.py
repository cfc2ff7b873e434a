"""What averaging, fasttext and cnn have in common, and the deep averaging network's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentilab import models
from sentilab.models import Task
from sentilab.training import RunSettings

SMALL: dict[str, dict[str, Any]] = {
    "averaging": {"embedding": 6, "units": 5},
    "fasttext": {"embedding": 6, "orders": 3, "buckets": 40},
    "cnn": {"embedding": 6, "filters": 5},
}


def texts() -> np.ndarray:
    drawn = np.random.default_rng(0).integers(4, 50, (4, 12), dtype=np.int32)
    drawn[0, :9] = 0
    drawn[1] = 0
    return drawn


def built(name: str, classes: int = 2) -> Any:
    """A model whose every weight is drawn: at the start biases and row 0 could hide a mistake."""
    model = models.build(name, Task(50, 12, classes), SMALL[name])
    random = np.random.default_rng(1)
    model.set_weights(
        [0.3 * random.standard_normal(one.shape).astype(one.dtype) for one in model.get_weights()]
    )
    return model


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("classes", [2, 3])
def test_any_amount_of_padding_in_front_changes_nothing(name: str, classes: int) -> None:
    model, x = built(name, classes), texts()
    alone = model.predict(x, verbose=0)
    assert np.ptp(alone[:, 0]) > 0.001
    for more in (1, 29):
        padded = model.predict(np.pad(x, ((0, 0), (more, 0))), verbose=0)
        np.testing.assert_allclose(padded, alone, rtol=0, atol=1e-6)
    short = model.predict(x[:1, 9:], verbose=0)
    np.testing.assert_allclose(short, alone[:1], rtol=0, atol=1e-6)
    assert models.ignores_padding(model)


@pytest.mark.parametrize("name", list(SMALL))
def test_a_saved_model_answers_as_before(name: str, tmp_path: Path) -> None:
    model = built(name)
    model.save(tmp_path / "model.keras")
    loaded = models.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(texts(), verbose=0), model.predict(texts(), verbose=0)
    )


@pytest.mark.parametrize("name", list(SMALL))
def test_settings_that_suit_the_model_make_a_run(name: str) -> None:
    settings = RunSettings.from_dict({"model": name, **models.describe(name).defaults})
    assert settings.bucketed


@pytest.mark.parametrize(
    ("name", "parameters"), [("averaging", 1_944_961), ("fasttext", 5_280_017), ("cnn", 4_013_701)]
)
def test_parameters_are_as_many_as_the_documentation_says(name: str, parameters: int) -> None:
    assert models.build(name, Task(30_000, 400, 2)).count_params() == parameters


def test_the_order_of_words_plays_no_part() -> None:
    model, x = built("averaging"), texts()
    np.testing.assert_allclose(
        model.predict(x[:, ::-1].copy(), verbose=0), model.predict(x, verbose=0), atol=1e-6
    )
