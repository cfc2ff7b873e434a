import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentilab.training import EarlyStopping, EpochMetrics, judge
from sentilab.training.whatif import RULES, gap, lowest_loss, turned_after, what_if

values = st.sampled_from([0.1, 0.2, 0.3, 0.5])
curves = st.lists(st.tuples(values, values), min_size=1, max_size=9)


def curve_of(pairs: list[tuple[float, float]]) -> list[EpochMetrics]:
    """Epochs of these (validation loss, validation accuracy)."""
    return [
        EpochMetrics(number, 0.2, 0.9, val_loss, val_accuracy)
        for number, (val_loss, val_accuracy) in enumerate(pairs, start=1)
    ]


# Best accuracy after epoch 1, again higher after 5; loss turns after epoch 2.
CURVE = curve_of([(0.40, 0.86), (0.35, 0.85), (0.45, 0.84), (0.50, 0.85), (0.60, 0.87)])


@pytest.mark.parametrize(
    ("monitor", "patience", "epochs", "kept", "lost"),
    [
        ("val_accuracy", 1, 2, 1, 0.01),
        ("val_accuracy", 2, 3, 1, 0.01),
        ("val_accuracy", 3, 4, 1, 0.01),
        ("val_loss", 1, 3, 2, 0.02),
        ("val_loss", 2, 4, 2, 0.02),
        ("val_loss", 3, 5, 2, 0.02),
    ],
)
def test_each_rule_stops_and_keeps_as_one_can_count(
    monitor: str, patience: int, epochs: int, kept: int, lost: float
) -> None:
    rule = EarlyStopping(monitor, patience, restore_best=True)  # type: ignore[arg-type]
    found = what_if(CURVE, rule, planned=5)
    assert found is not None
    assert (found.epochs, found.kept.epoch, found.saved) == (epochs, kept, 5 - epochs)
    assert found.lost == pytest.approx(lost)


def test_beyond_the_end_of_a_run_that_stopped_early_nothing_is_known() -> None:
    patient = EarlyStopping("val_accuracy", 3, restore_best=True)
    stopped = CURVE[:3]  # as patience 2 would have left it, of 5 planned
    assert what_if(stopped, patient, planned=5) is None
    assert what_if(stopped, EarlyStopping("val_accuracy", 2), planned=5) is not None


def test_a_run_that_went_to_its_planned_end_tells_what_every_patience_would_have_done() -> None:
    found = what_if(CURVE[:3], EarlyStopping("val_accuracy", 9, restore_best=True), planned=3)
    assert found is not None
    assert (found.epochs, found.kept.epoch, found.saved) == (3, 1, 0)


def test_without_restoring_the_best_the_last_epoch_is_kept() -> None:
    found = what_if(CURVE, EarlyStopping("val_accuracy", 2), planned=5)
    assert found is not None
    assert found.kept.epoch == 3


@given(curves, st.sampled_from(RULES), st.integers(0, 4))
def test_what_is_said_of_a_shorter_curve_stays_true_of_a_longer_one(
    pairs: list[tuple[float, float]], rule: EarlyStopping, cut: int
) -> None:
    whole = curve_of(pairs)
    seen = whole[: max(1, len(whole) - cut)]
    early, late = (what_if(one, rule, planned=len(whole)) for one in (seen, whole))
    assert late is not None
    if early is not None:
        assert (early.epochs, early.kept) == (late.epochs, late.kept)
    assert (early is None) == (len(seen) < late.epochs)


@given(curves, st.sampled_from(RULES))
def test_the_rule_never_stops_before_it_says_so(
    pairs: list[tuple[float, float]], rule: EarlyStopping
) -> None:
    history = curve_of(pairs)
    found = what_if(history, rule, planned=len(history))
    assert found is not None
    assert found.lost >= 0
    assert found.epochs + found.saved == len(history)
    assert not any(judge(history[:n], rule).stop for n in range(1, found.epochs))


def test_the_turn_is_the_lowest_validation_loss_unless_it_is_the_last() -> None:
    assert turned_after(CURVE) == 2
    assert turned_after(CURVE[:2]) is None
    assert turned_after(CURVE[:1]) is None
    assert lowest_loss(CURVE).epoch == 2


def test_a_gap_is_positive_where_training_does_better() -> None:
    found = gap(EpochMetrics(3, loss=0.1, accuracy=0.95, val_loss=0.4, val_accuracy=0.85))
    assert found.epoch == 3
    assert found.accuracy == pytest.approx(0.10)
    assert found.loss == pytest.approx(0.3)


def test_an_empty_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="no epoch"):
        what_if([], RULES[0], planned=3)
