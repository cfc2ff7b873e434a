import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentilab.errors import SettingsError
from sentilab.training import EarlyStopping, RunSettings

settings = st.builds(
    RunSettings,
    model=st.sampled_from(["mlp", "bilstm1"]),
    model_settings=st.dictionaries(st.sampled_from(["units", "embedding"]), st.integers(1, 99)),
    batch_size=st.integers(1, 512),
    epochs=st.integers(1, 50),
    learning_rate=st.floats(0, 1),
    seed=st.integers(0, 2**31),
    early_stopping=st.none() | st.builds(EarlyStopping, patience=st.integers(0, 9)),
    protocol=st.sampled_from(["notebook", "holdout"]),
)


@given(settings)
def test_settings_survive_the_way_through_plain_values(one: RunSettings) -> None:
    assert RunSettings.from_dict(one.to_dict()) == one


@given(settings, settings)
def test_equal_settings_and_no_others_share_a_folder(one: RunSettings, other: RunSettings) -> None:
    assert (one == other) == (one.folder_name("data") == other.folder_name("data"))


def test_other_data_means_another_folder() -> None:
    one = RunSettings("mlp")
    assert one.folder_name("these") != one.folder_name("those")


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"batch_size": 3.5}, "batch_size is 3.5; it must be a whole number"),
        ({"epochs": True}, "epochs is True; it must be a whole number"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be a number"),
        ({"learning_rate": -1.0}, "at least 0"),
        ({"validation_fraction": 1.0}, "must lie between 0 and 1"),
        ({"protocol": "cross"}, '"notebook", "holdout" or "validation"'),
        ({"early_stopping": {"monitor": "val_acc"}}, '"val_accuracy"'),
        ({"early_stopping": {"patience": -1}}, "early_stopping.patience is -1"),
        ({"early_stopping": {"patient": 1}}, "patient"),
        ({"batchsize": 32}, '"batchsize" is not a setting'),
        ({"model": ""}, "sentilab models"),
    ],
)
def test_a_setting_out_of_range_is_named_with_what_would_be_right(
    wrong: dict[str, object], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint.replace("(", r"\(")):
        RunSettings.from_dict({"model": "mlp"} | wrong)
