import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss

from sentilab.compare import accuracy_interval
from sentilab.data import Dataset
from sentilab.probe import calibration
from sentilab.probe.calibration import Result, fit_temperature, scaled
from sentilab.training import Predictions, RunFolder, RunSettings


def drawn(
    seed: int, texts: int, classes: int, temperature: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities of shape (texts, classes), and labels that follow them once they are scaled."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (texts, classes))
    said = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    true = scaled(said, temperature)
    labels = (true.cumsum(axis=1) > random.random((texts, 1))).argmax(axis=1)
    return said, labels


def predictions(said: NDArray[np.float64], labels: NDArray[np.int64]) -> Predictions:
    return Predictions(np.arange(len(labels)).astype(str), labels, said.astype(np.float32))


@pytest.mark.parametrize("classes", [2, 4])
def test_brier_score_and_log_loss_are_those_of_scikit_learn(classes: int) -> None:
    said, labels = drawn(1, 500, classes)
    found = calibration.figures(said, labels, [str(one) for one in range(classes)])
    given = said[:, 1] if classes == 2 else said
    assert found.brier == pytest.approx(brier_score_loss(labels, given))
    assert found.log_loss == pytest.approx(log_loss(labels, given))
    assert found.accuracy == (said.argmax(axis=1) == labels).mean()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_recovered(classes: int, temperature: float) -> None:
    answers = predictions(*drawn(2, 20_000, classes, temperature))
    assert fit_temperature(answers) == pytest.approx(temperature, rel=0.06)


@given(st.integers(0, 1000), st.sampled_from([2, 3]), st.floats(0.3, 4))
@settings(max_examples=25)
def test_the_fitted_temperature_has_the_lowest_loss_of_its_neighbours(
    seed: int, classes: int, planted: float
) -> None:
    said, labels = drawn(seed, 300, classes, planted)
    found = fit_temperature(predictions(said, labels))
    assert found is not None
    single = said.astype(np.float32)
    losses = [log_loss(labels, scaled(single, found * by)) for by in (0.98, 1.0, 1.02)]
    assert min(losses) == losses[1]


def test_scaling_divides_the_log_odds_and_changes_no_answer() -> None:
    said, _ = drawn(3, 200, 2)
    after = scaled(said, 2.5)
    odds = np.log(said[:, 1] / said[:, 0])
    assert np.allclose(np.log(after[:, 1] / after[:, 0]), odds / 2.5)
    assert (after.argmax(axis=1) == said.argmax(axis=1)).all()
    assert np.allclose(after.sum(axis=1), 1)


def test_where_every_answer_is_right_or_none_is_better_than_chance_no_temperature_is_fitted() -> (
    None
):
    said, _ = drawn(4, 100, 2)
    assert fit_temperature(predictions(said, said.argmax(axis=1))) is None
    assert fit_temperature(predictions(said, said.argmin(axis=1))) is None
    assert fit_temperature(predictions(np.full((100, 2), 0.5), np.arange(100) % 2)) is None


def test_saturated_answers_that_are_wrong_leave_the_temperature_finite() -> None:
    said = np.asarray([[0.0, 1.0]] * 90 + [[1.0, 0.0]] * 10)
    found = fit_temperature(predictions(said, np.ones(100, np.int64)))
    assert found is not None
    # 90% of equally sure answers are right, so that is how sure they are after scaling.
    assert scaled(said, found)[0, 1] == pytest.approx(0.9, abs=1e-6)


def test_a_calibrated_models_error_is_as_large_as_is_said_of_one() -> None:
    found = [calibration.figures(*drawn(seed, 2_000, 3), "abc") for seed in range(40)]
    errors = np.asarray([one.ece for one in found])
    expected = np.mean([one.ece_if_calibrated for one in found])
    assert errors.mean() == pytest.approx(expected, abs=3 * errors.std() / 40**0.5)
    assert expected > 0.01  # the bias that makes the reference needed
    assert np.mean([one.is_calibrated for one in found]) >= 0.85


def test_an_overconfident_models_error_is_its_surplus_of_confidence() -> None:
    random = np.random.default_rng(5)
    said = np.tile([0.05, 0.95], (20_000, 1))
    labels = (random.random(20_000) < 0.8).astype(np.int64)
    found = calibration.figures(said, labels, ["no", "yes"])
    assert found.ece == found.ece_equal_width == pytest.approx(0.15, abs=0.01)
    assert not found.is_calibrated
    assert len(found.bins) == 1  # equal confidences are never parted


@given(st.lists(st.floats(0.5, 1), min_size=1, max_size=200), st.randoms())
def test_bins_hold_like_confidences_in_whatever_order_they_come(
    values: list[float], random: object
) -> None:
    confidence = np.asarray(values)
    member = calibration.equal_count_bins(confidence)
    order = np.argsort(confidence, kind="stable")
    assert (np.diff(member[order]) >= 0).all()
    for value in set(values):
        assert len(set(member[confidence == value])) == 1
    shuffled = np.random.default_rng(0).permutation(len(values))
    assert (calibration.equal_count_bins(confidence[shuffled]) == member[shuffled]).all()


def test_bins_are_equally_large_where_no_confidences_are_equal() -> None:
    member = calibration.equal_count_bins(np.random.default_rng(6).random(1_500))
    assert set(np.bincount(member)) <= {99, 100, 101}


def test_bins_of_equal_width_are_closed_above() -> None:
    confidence = np.asarray([0.01, 1 / 15, 0.0667, 0.5, 1.0])
    assert list(calibration.equal_width_bins(confidence)) == [0, 0, 1, 7, 14]


def test_a_bins_interval_covers_its_mean_confidence_in_95_percent_of_calibrated_simulations() -> (
    None
):
    random = np.random.default_rng(7)
    confidence = random.uniform(0.5, 1, 1_500)
    member = calibration.equal_count_bins(confidence)
    covered = []
    for _ in range(150):
        right = random.random(len(confidence)) < confidence
        for one in range(calibration.BINS):
            inside = member == one
            low, high = accuracy_interval(int(right[inside].sum()), int(inside.sum()))
            covered.append(low <= confidence[inside].mean() <= high)
    # Confidences within a bin differ, which makes the binomial interval cover a little more.
    assert 0.94 <= np.mean(covered) <= 0.975


@dataclass
class Probed:
    """As much of a Subject as calibration looks at."""

    run: RunFolder
    dataset: Dataset
    settings: RunSettings


@pytest.fixture
def subject(tmp_path: Path, corpus: Dataset) -> Callable[[str], Probed]:
    """A run's folder with planted answers, overconfident by a temperature of 2."""

    def make(protocol: str) -> Probed:
        run = RunFolder(tmp_path)
        run.write_predictions(predictions(*drawn(8, 4_000, 2, 2.0)), corpus.label_names)
        if protocol == "holdout":
            held_out = predictions(*drawn(9, 4_000, 2, 2.0))
            run.write_predictions(held_out, corpus.label_names, "validation")
        run.write_json(
            "result.json", {"status": "finished", "test": {"loss": 0.5, "accuracy": 0.8}}
        )
        return Probed(run, corpus, RunSettings("mlp", protocol=protocol))  # type: ignore[arg-type]

    return make


def test_the_temperature_of_the_validation_texts_mends_the_test_texts(
    subject: Callable[[str], Probed],
) -> None:
    found = calibration.measure(subject("holdout"))  # type: ignore[arg-type]
    assert found.temperature == pytest.approx(2, rel=0.1)
    assert found.validation_texts == 4_000
    assert found.after is not None
    assert not found.before.is_calibrated
    assert found.after.ece < found.before.ece / 3
    assert found.after.log_loss < found.before.log_loss
    assert found.after.accuracy == found.before.accuracy
    said = " ".join(calibration.lines(found))
    assert "fitted on 4,000 validation texts" in said


def test_no_temperature_is_fitted_on_test_texts(subject: Callable[[str], Probed]) -> None:
    found = calibration.measure(subject("notebook"))  # type: ignore[arg-type]
    assert found.after is None
    assert found.temperature is None
    assert "no temperature was fitted: the only validation texts" in calibration.lines(found)[1]


def test_a_result_comes_back_from_json(subject: Callable[[str], Probed]) -> None:
    for protocol in ("holdout", "notebook"):
        found = calibration.measure(subject(protocol))  # type: ignore[arg-type]
        assert Result.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises((KeyError, TypeError)):
        Result.from_json({"before": {}})
