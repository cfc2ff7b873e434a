import numpy as np
import pytest

from sentilab.training import weighing


def planted(
    members: int, texts: int, classes: int, weights: list[float], seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels drawn from the probabilities that ``weights`` make of them."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1.5, (members, texts, classes))
    scores[..., 0] = 0
    p = weighing.combined(scores, weighing.Weighing(np.asarray(weights), np.zeros(classes)))
    labels = (rng.random((texts, 1)) > p.cumsum(axis=1)).sum(axis=1)
    return scores, labels


def loss(scores: np.ndarray, labels: np.ndarray, found: weighing.Weighing) -> float:
    p = weighing.combined(scores, found)[np.arange(len(labels)), labels]
    return float(-np.log(p).mean())


@pytest.mark.parametrize("classes", [2, 4])
def test_stacking_finds_the_weights_that_labels_were_drawn_with(classes: int) -> None:
    scores, labels = planted(3, 20_000, classes, [1.0, 0.25, 0.0])
    found = weighing.stacked(scores, labels)
    np.testing.assert_allclose(found.weights, [1.0, 0.25, 0.0], atol=0.06)
    np.testing.assert_allclose(found.bias, 0, atol=0.1)


def test_stacking_is_scikit_learns_logistic_regression_where_weights_may_be_negative() -> None:
    from sklearn.linear_model import LogisticRegression

    scores, labels = planted(3, 400, 2, [1.0, -0.5, 0.3])
    features = scores[..., 1].T
    found = weighing.stacked(scores, labels, nonnegative=False)
    # Its penalty is towards 0, ours towards equal weights: with the shift put in, they are the same.
    regression = LogisticRegression(C=1e6, tol=1e-10, max_iter=10_000).fit(features, labels)
    np.testing.assert_allclose(found.weights, regression.coef_[0], atol=0.05)
    assert found.weights[1] < 0
    assert weighing.stacked(scores, labels).weights[1] == 0


def test_members_that_say_the_same_share_what_they_weigh() -> None:
    scores, labels = planted(1, 500, 2, [1.0])
    twice = np.concatenate([scores, scores])
    found = weighing.stacked(twice, labels).weights
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_one_member_that_errs_never_and_one_that_knows_nothing_give_finite_weights() -> None:
    labels = np.array([0, 1] * 50)
    right = np.eye(2, dtype=np.float32)[labels]
    scores = weighing.scores_of([right, np.full((100, 2), 0.5, np.float32)])
    for found in (weighing.stacked(scores, labels), weighing.calibrated(scores, labels)):
        assert np.isfinite(found.weights).all()
        assert np.isfinite(found.bias).all()


def test_equal_weights_are_the_geometric_mean() -> None:
    first, second = np.array([[0.1, 0.9]], np.float32), np.array([[0.7, 0.3]], np.float32)
    scores = weighing.scores_of([first, second])
    mean = np.sqrt(first * second)
    np.testing.assert_allclose(
        weighing.combined(scores, weighing.equal(2, 2)), mean / mean.sum(), rtol=1e-6
    )


def test_calibration_undoes_a_members_overconfidence() -> None:
    scores, labels = planted(2, 20_000, 2, [0.5, 0.5])
    scores[0] *= 4
    found = weighing.calibrated(scores, labels)
    assert found.weights[1] / found.weights[0] == pytest.approx(4, rel=0.15)
    assert loss(scores, labels, found) < loss(scores, labels, weighing.equal(2, 2))


def test_rescaling_mends_scale_and_bias_and_keeps_the_shares() -> None:
    scores, labels = planted(2, 20_000, 2, [1.0, 0.5])
    wrong = weighing.Weighing(np.array([8.0, 4.0]), np.array([0.0, 3.0]))
    found = weighing.rescaled(wrong, scores, labels)
    np.testing.assert_allclose(found.weights, [1.0, 0.5], rtol=0.05)
    np.testing.assert_allclose(found.bias, 0, atol=0.05)
