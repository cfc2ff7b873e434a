import pytest

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models import Task


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("name", ["bilstm2", "mlp-unflattened"])
def test_a_summary_keeps_to_the_width(name: str, width: int) -> None:
    task = Task(1_000, 200, 2)
    text = models.summary(name, task, {"embedding": 8, "units": 4}, width=width)
    assert max(map(len, text.splitlines())) <= width


def test_a_summary_shows_keras_table_and_the_worked_sums_of_the_notebooks_model() -> None:
    text = models.summary("bilstm1")
    assert "Total params: 2,658,945" in text
    assert "(None, 200, 128)" in text
    assert "2 directions × 4 gates × ((64 + 128) × 64 + 64) = 98,816" in text
    assert text.endswith("\n2,560,000 + 98,816 + 129 = 2,658,945 parameters\n")


def test_a_summary_of_a_model_that_cannot_train_ends_with_the_reason() -> None:
    text = models.summary("mlp-unflattened", Task(100, 12, 2), {"embedding": 4, "units": 3})
    assert "mlp-unflattened cannot be trained: its output has shape (None, 12, 1)" in text
    assert "GlobalAveragePooling1D" in text[text.index("Two ways to mend it") :]


def test_a_model_that_can_train_is_not_refused() -> None:
    assert "cannot be trained" not in models.summary("mlp", Task(100, 12, 3), {"units": 3})


def test_a_wrong_setting_is_named_before_anything_is_built() -> None:
    with pytest.raises(SettingsError, match="units"):
        models.summary("mlp", Task(100, 12, 2), {"unit": 3})
