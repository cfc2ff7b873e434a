import math
from dataclasses import replace

import numpy as np
import pytest
from planted import Planted, answers
from scipy.special import ndtr
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from sentilab.compare import (
    METRICS,
    accuracy_over_seeds,
    difference_of,
    mcnemar_exact,
    paired_difference,
)
from sentilab.compare.contributions import contributions
from sentilab.errors import SentilabError
from sentilab.training import Predictions

SIMULATIONS = 400
# Three standard errors of a share near 0.95 or 0.05: 3 * sqrt(0.95 * 0.05 / 400). The tables of
# docs/statistics.md are from ten times as many simulations.
ERROR = 0.033


def pair(gap: float = 0.02, seeds: int = 4, **world: float) -> tuple:
    return Planted(gap, **world).runs(np.random.default_rng(7), seeds)  # type: ignore[arg-type]


def three_labels(texts: int = 300) -> Predictions:
    random = np.random.default_rng(3)
    labels = random.integers(0, 3, texts)
    raw = random.random((texts, 3)) + 1.2 * np.eye(3)[labels]
    both = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(np.arange(texts).astype(str), labels, both)


def test_contributions_average_to_scikit_learns_metrics() -> None:
    run = pair()[0][0]
    second, labels = run.probabilities[:, 1], run.labels
    expected = {
        "accuracy": run.correct.mean(),
        "log_loss": log_loss(labels, second.astype(float)),
        "f1": f1_score(labels, second > 0.5),
        "auc": roc_auc_score(labels, second),
    }
    for metric in METRICS:
        assert contributions(run, metric).mean() == pytest.approx(expected[metric], abs=1e-6)


def test_f1_of_three_labels_is_scikit_learns_macro_average() -> None:
    run = three_labels()
    expected = f1_score(run.labels, run.probabilities.argmax(axis=1), average="macro")
    assert contributions(run, "f1").mean() == pytest.approx(expected)


def test_ties_count_half_in_auc() -> None:
    scores = np.array([0.2, 0.5, 0.5, 0.5, 0.9], np.float32)
    labels = np.array([0, 0, 1, 0, 1])
    run = Predictions(np.arange(5).astype(str), labels, np.stack([1 - scores, scores], axis=1))
    assert contributions(run, "auc").mean() == pytest.approx(roc_auc_score(labels, scores))


def test_aucs_variance_is_delongs() -> None:
    """S10 / m + S01 / n of DeLong et al. (1988), up to their n - 1 for our n."""
    run = pair()[0][0]
    score, second = run.probabilities[:, 1], run.labels == 1
    above = (score[second][:, None] > score[~second]) + 0.5 * (
        score[second][:, None] == score[~second]
    )
    expected = above.mean(axis=1).var() / second.sum() + above.mean(axis=0).var() / (~second).sum()
    found = contributions(run, "auc")
    assert found.var() / len(found) == pytest.approx(expected)


def test_f1s_influence_predicts_what_leaving_a_text_out_does() -> None:
    run = three_labels(200)
    found = contributions(run, "f1")
    answered = run.probabilities.argmax(axis=1)
    whole = f1_score(run.labels, answered, average="macro")
    for text in range(0, 200, 20):
        kept = np.arange(200) != text
        without = f1_score(run.labels[kept], answered[kept], average="macro")
        assert 199 * (whole - without) == pytest.approx(found[text] - whole, abs=0.02)


def test_one_pair_of_runs_is_newcombes_and_mcnemars() -> None:
    first, second = pair(seeds=1)
    found = difference_of(first, second)
    expected = paired_difference(second[0].correct, first[0].correct)
    assert (found.difference, found.interval, found.p_value) == (
        expected.difference,
        expected.interval,
        expected.p_value,
    )
    assert found.covers == "test texts"
    assert found.mcnemar == (mcnemar_exact(first[0].correct, second[0].correct),)
    assert found.wins is found.seed_deviation is found.seed_share is None


@pytest.mark.parametrize("metric", METRICS)
def test_turning_the_order_turns_the_difference(metric: str) -> None:
    first, second = pair()
    found, turned = difference_of(first, second, metric), difference_of(second, first, metric)
    assert found.difference == pytest.approx(-turned.difference)
    assert found.interval.low == pytest.approx(-turned.interval.high)
    assert found.p_value == pytest.approx(turned.p_value)
    assert found.wins == pytest.approx(1 - (turned.wins or 0))
    assert found.difference == pytest.approx(found.second - found.first)


def test_the_p_value_is_below_the_level_where_the_interval_leaves_out_zero() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        found = difference_of(*Planted(0.01, texts=300).runs(random, 3), level=0.8)
        assert (found.p_value <= 0.2) == (not found.interval.low <= 0 <= found.interval.high)


def test_models_that_no_seed_changes_are_compared_over_texts() -> None:
    first, second = (each * 3 for each in pair(seeds=1))
    found = difference_of(first, second)
    alone = difference_of(first[:1], second[:1])
    assert found.seed_deviation == pytest.approx(0, abs=1e-12)
    assert found.standard_error == pytest.approx(alone.standard_error)
    assert found.wins is None


def test_equal_answers_differ_in_nothing() -> None:
    first, _ = pair()
    found = difference_of(first, first)
    assert (found.difference, tuple(found.interval), found.p_value) == (0, (0, 0), 1)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_interval_holds_the_planted_difference_in_95_percent_of_simulations(
    seeds: int, spread: float
) -> None:
    random = np.random.default_rng([seeds, int(1000 * spread)])
    held = alarms = 0
    for _ in range(SIMULATIONS):
        found = difference_of(*Planted(0.0, spread, 400).runs(random, seeds))
        held += found.interval.low <= 0 <= found.interval.high
        alarms += found.p_value <= 0.05
    assert 0.95 - ERROR <= held / SIMULATIONS <= 0.95 + ERROR
    assert alarms == SIMULATIONS - held


@pytest.mark.parametrize("metric", ["f1", "auc"])
def test_f1s_and_aucs_false_alarms_stay_near_five_percent(metric: str) -> None:
    random = np.random.default_rng(11)
    alarms = sum(
        difference_of(*Planted(0.0, 0.006, 400).runs(random, 3), metric).p_value <= 0.05
        for _ in range(SIMULATIONS)
    )
    assert alarms / SIMULATIONS <= 0.05 + ERROR


def test_splits_that_differ_are_compared_by_the_corrected_resampled_t_test() -> None:
    random = np.random.default_rng(2)
    first, second = [], []
    for _ in range(5):
        ids = np.sort(random.choice(1000, 200, replace=False)).astype(str)
        one, other = (each[0] for each in Planted(0.03, texts=200).runs(random, 1))
        first.append(replace(one, ids=ids))
        second.append(replace(other, ids=ids))
    found = difference_of(first, second, training_texts=800)
    apart = [b.correct.mean() - a.correct.mean() for a, b in zip(first, second, strict=True)]
    assert found.covers == "splits and seeds"
    assert found.standard_error == pytest.approx(
        np.sqrt((1 / 5 + 200 / 800) * np.var(apart, ddof=1))
    )
    assert found.degrees_of_freedom == 4
    assert found.texts == len({one for run in first for one in run.ids})
    # A second run on each split says more of that split, and is no new split.
    twice = difference_of(first * 2, second * 2, training_texts=800)
    assert twice.interval == pytest.approx(found.interval)
    with pytest.raises(SentilabError, match="training texts"):
        difference_of(first, second)


def test_runs_that_cannot_be_compared_are_refused() -> None:
    first, second = pair(seeds=2)
    others = [replace(one, ids=one.ids[::-1]) for one in second]
    relabelled = [replace(one, labels=1 - one.labels) for one in second]
    with pytest.raises(SentilabError, match="different test texts"):
        difference_of(first, others)
    with pytest.raises(SentilabError, match="labels"):
        difference_of(first, relabelled)
    with pytest.raises(ValueError, match="pair up"):
        difference_of(first, second[:1])
    with pytest.raises(ValueError, match="must be one of"):
        difference_of(first, second, "precision")
    with pytest.raises(SentilabError, match="two labels"):
        difference_of([three_labels()], [three_labels()], "auc")
    one_label = answers(np.zeros(10, int), np.ones(10))
    for metric in ("auc", "f1"):
        with pytest.raises(SentilabError, match="label"):
            difference_of([one_label], [one_label], metric)
    empty = answers(np.zeros(0, int), np.ones(0))
    with pytest.raises(SentilabError, match="no texts"):
        difference_of([empty], [empty])


@pytest.mark.parametrize("seeds", [3, 10])
def test_an_accuracys_interval_over_seeds_and_texts_covers_it_in_95_percent(seeds: int) -> None:
    # Right where 1.1 + text + seed + rest is positive: normal, of variance 1 + 0.0275 squared.
    random, deviation, simulations = np.random.default_rng(1), 0.0275, 1500
    truth = float(ndtr(1.1 / math.sqrt(1 + deviation**2)))
    held = 0
    for _ in range(simulations):
        clear = 1.1 + random.normal(0, 0.89, 500) + random.normal(0, deviation, (seeds, 1))
        rest = random.normal(0, math.sqrt(1 - 0.89**2), (seeds, 500))
        low, high = accuracy_over_seeds(clear + rest > 0)
        held += low <= truth <= high
    # The simulation's own error is 0.6%; three of those.
    assert held / simulations == pytest.approx(0.95, abs=0.018)
