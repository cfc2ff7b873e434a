"""The second loss against a model whose worst direction is known in closed form.

A text's answer is sigmoid(w · mean of its vectors + b). Moving n words' vectors by r, of length ε in all,
the loss grows most where each vector moves by ± ε w / (|w| √n): the score then moves by ± ε |w| / √n.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import layers, models
from sentilab.errors import SettingsError
from sentilab.models import Task
from sentilab.training import Part, Preparation, RunSettings, Silence, train
from sentilab.training.adversarial import (
    divergence,
    frequencies,
    normalised,
    of_length,
    scale_of,
    with_second_loss,
)
from sentilab.training.options import AdversarialTraining
from sentilab.training.steps import prepare, train_epoch
from sentilab.training.unlabelled import with_unlabelled

Doubles = NDArray[np.float64]
WORDS, SIZE = 7, 3
TEXTS = np.array([[0, 0, 1, 4, 5], [0, 2, 3, 3, 6], [1, 2, 4, 4, 6], [0, 0, 0, 0, 5]], np.int32)
LABELS = np.array([1, 0, 0, 1])
PART = Part(TEXTS, LABELS, np.arange(4).astype(str))


@models.register("mean-of-vectors", summary="for these tests alone")
def mean_of_vectors(task: Task, *, dropout: float = 0.0, embeddings: int = 1) -> Any:
    words = keras.Input((None,), dtype="int32")
    x = layers.Embedding(task.words, SIZE, mask_zero=True, name="vectors")(words)
    for number in range(1, embeddings):
        x = x + layers.Embedding(task.words, SIZE, name=f"more_{number}")(words)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(words, models.head(layers.Pooling("mean")(x), task))


def prepared(kind: str, radius: float = 2.0, weight: float = 1.0, **model: Any) -> Any:
    """The trainer of such a model, with weights drawn at random and Adam's rate at 0."""
    settings = RunSettings.from_dict(
        {
            "model": "mean-of-vectors",
            "model_settings": model,
            "words": WORDS,
            "learning_rate": 0.0,
            "adversarial": {"kind": kind, "radius": radius, "weight": weight},
        }
    )
    network = models.build(settings.model, Task(WORDS, 5, 2), settings.model_settings)
    rng = np.random.default_rng(3)
    for one in network.trainable_variables:
        one.assign(rng.normal(0, 0.7, one.shape))
    trainer = prepare(network, settings, PART, 2)
    trainer.train_on_batch(TEXTS, LABELS.astype(np.float32))  # builds the metrics
    return trainer


def both_losses(
    trainer: Any, x: Any = TEXTS, labels: Any = LABELS, weights: Any = None
) -> tuple[float, float, Any]:
    """The sum that is minimised, the loss that is reported, and the gradients of the sum."""
    (total, (reported, *_)), gradients = jax.value_and_grad(
        trainer.compute_loss_and_updates, has_aux=True
    )(
        [one.value for one in trainer.trainable_variables],
        [one.value for one in trainer.non_trainable_variables],
        [one.value for one in trainer.metrics_variables],
        jax.numpy.asarray(x),
        jax.numpy.asarray(labels, np.float32),
        weights,
        training=True,
        optimizer_variables=[one.value for one in trainer.optimizer.variables],
    )
    return float(total), float(reported), gradients


def sigmoid(x: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-x)))


def by_hand(table: Doubles) -> Doubles:
    """The table normalised, each word counted as often as it occurs."""
    tokens = table[TEXTS[TEXTS != 0]]
    return np.asarray((table - tokens.mean(axis=0)) / np.sqrt(tokens.var(axis=0) + 1e-6))


class Reference:
    """The model in float64, from the same weights."""

    def __init__(self, trainer: Any) -> None:
        self.table, self.w, self.b = (
            np.asarray(one, np.float64) for one in trainer.model.get_weights()[:3]
        )

    def scores(self, moved: Any = 0.0) -> Doubles:
        vectors = by_hand(self.table)
        means = np.array([vectors[text[text != 0]].mean(axis=0) for text in TEXTS])
        return np.asarray(((means + moved) @ self.w + self.b)[:, 0])

    def worst(self, radius: float) -> Doubles:
        """How far each text's mean vector moves, in the direction that raises the score."""
        counts = (TEXTS != 0).sum(axis=1)
        return radius * self.w[:, 0] / np.linalg.norm(self.w) / np.sqrt(counts)[:, None]

    def loss(self, moved: Any = 0.0) -> float:
        p = sigmoid(self.scores(moved))
        return float(-np.mean(np.where(LABELS == 1, np.log(p), np.log(1 - p))))


def test_the_losses_of_adversarial_training_are_those_of_the_closed_form() -> None:
    trainer = prepared("adversarial", radius=2.0, weight=0.5)
    total, reported, _ = both_losses(trainer)
    reference = Reference(trainer)
    against_the_label = np.where(LABELS == 1, -1, 1)[:, None]
    wanted = reference.loss(against_the_label * reference.worst(2.0))
    # float32 throughout; a direction with the wrong sign gives less than half of the loss.
    assert reported == pytest.approx(reference.loss(), rel=1e-5)
    assert total == pytest.approx(reference.loss() + 0.5 * wanted, rel=1e-5)


def test_gradients_are_those_of_finite_differences_with_the_move_held() -> None:
    trainer = prepared("adversarial", radius=1.0)
    gradients = both_losses(trainer)[2]
    reference = Reference(trainer)
    move = np.where(LABELS == 1, -1, 1)[:, None] * reference.worst(1.0)
    for one, found in zip((reference.table, reference.w, reference.b), gradients, strict=True):
        for place in np.ndindex(*one.shape):
            kept, sums = one[place], []
            for step in (1e-5, -1e-5):
                one[place] = kept + step
                sums.append(reference.loss() + reference.loss(move))
            one[place] = kept
            assert found[place] == pytest.approx((sums[0] - sums[1]) / 2e-5, rel=1e-3, abs=1e-5)


def test_the_loss_of_virtual_adversarial_training_is_that_of_the_closed_form() -> None:
    trainer = prepared("virtual", radius=2.0)
    reference = Reference(trainer)
    p = sigmoid(reference.scores())
    signs = set()
    for row in range(len(TEXTS)):
        total, reported, _ = both_losses(trainer, TEXTS[row : row + 1], LABELS[row : row + 1])
        candidates = []
        for sign in (-1, 1):  # which of the two is the random first step's to say
            q = sigmoid(reference.scores(sign * reference.worst(2.0)))
            candidates.append((p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))[row])
        found = total - reported
        near = [abs(found - one) < 1e-4 for one in candidates]
        assert any(near)
        signs.add(near.index(True))
    assert found > 0.01


def test_a_virtual_loss_does_not_ask_for_labels() -> None:
    trainer = prepared("virtual")
    first, second = (both_losses(trainer, labels=labels) for labels in (LABELS, 1 - LABELS))
    assert first[0] - first[1] == pytest.approx(second[0] - second[1], abs=1e-6)
    assert abs(first[1] - second[1]) > 0.01


@pytest.mark.parametrize("kind", ["adversarial", "virtual"])
def test_both_passes_drop_the_same_numbers(kind: str) -> None:
    trainer = prepared(kind, radius=0.0, dropout=0.5)
    total, reported, _ = both_losses(trainer)
    second = reported if kind == "adversarial" else 0.0
    assert total - reported == pytest.approx(second, abs=1e-6)


def test_tables_are_normalised_as_often_as_words_occur() -> None:
    shares = frequencies(TEXTS, WORDS)
    assert shares[0] == 0
    assert shares[4] == pytest.approx(3 / 13)
    table = np.random.default_rng(0).normal(3, 5, (WORDS, SIZE))
    found = normalised(table.astype(np.float32), shares)
    np.testing.assert_allclose(found, by_hand(table), rtol=1e-4, atol=1e-5)


def test_a_pretrained_table_keeps_its_scale_and_is_moved_in_proportion() -> None:
    plain, kept = prepared("adversarial", radius=2.0), prepared("adversarial", radius=2.0)
    network = kept.model
    table = network.get_layer("vectors").embeddings
    before = np.array(table)
    kept = with_second_loss(network, AdversarialTraining(radius=2.0), TEXTS, 0, pretrained=True)
    np.testing.assert_allclose(kept.normalised_table(before), before, rtol=1e-4, atol=1e-5)
    # Whatever training makes of the table, it is read at the scale that it had.
    np.testing.assert_allclose(kept.normalised_table(9 * before + 3), before, rtol=1e-3, atol=1e-3)
    # The same vectors read by a layer of weights stretched to fit: the second loss is the same too.
    scale = scale_of(before, frequencies(TEXTS, WORDS))
    w, b = (np.asarray(one) for one in network.get_layer("output").get_weights())
    network.get_layer("output").set_weights(
        [w / scale.deviation[:, None], b - (scale.mean / scale.deviation) @ w]
    )
    kept.compile(plain.optimizer.__class__(0.0), "binary_crossentropy", metrics=["accuracy"])
    kept.train_on_batch(TEXTS, LABELS.astype(np.float32))
    assert both_losses(kept)[:2] == pytest.approx(both_losses(plain)[:2], rel=1e-4)


def test_divergence_and_lengths_are_those_of_the_definitions() -> None:
    first, second = np.array([[0.2, 0.3, 0.5]]), np.array([[0.4, 0.4, 0.2]])
    wanted = np.sum(first * np.log(first / second))
    assert float(divergence(first, second)) == pytest.approx(wanted, rel=1e-5)
    one, other = np.array([[0.2]]), np.array([[0.4]])
    wanted = 0.2 * np.log(0.5) + 0.8 * np.log(0.8 / 0.6)
    assert float(divergence(one, other)) == pytest.approx(wanted, rel=1e-5)
    directions = np.random.default_rng(0).normal(0, 1, (3, 4, 5))
    directions[1] = 0
    lengths = np.sqrt((np.asarray(of_length(directions, 7.0)) ** 2).sum(axis=(1, 2)))
    np.testing.assert_allclose(lengths, [7, 0, 7], rtol=1e-6)


@pytest.mark.parametrize("kind", ["adversarial", "virtual"])
def test_a_trained_model_is_an_ordinary_one_with_the_normalised_table(
    kind: str, preparation: Preparation, small_settings: Callable[..., RunSettings], tmp_path: Path
) -> None:
    settings = small_settings("bilstm1", epochs=1, adversarial={"kind": kind, "radius": 1.0})
    examples = preparation.examples(settings)
    run = train(settings, examples, tmp_path / "run")
    loaded = keras.saving.load_model(run.model)
    table = loaded.get_layer("embedding").get_weights()[0].astype(np.float64)
    tokens = table[examples.train.x[examples.train.x != 0]]
    np.testing.assert_allclose(tokens.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(tokens.var(axis=0), 1, atol=0.02)
    loaded.compile(loss="binary_crossentropy")
    loss = loaded.evaluate(examples.test.x, examples.test.labels.astype("float32"), verbose=0)
    assert run.history()[-1].val_loss == pytest.approx(loss, rel=1e-4)


def test_a_model_without_one_place_for_vectors_is_refused() -> None:
    with pytest.raises(SettingsError, match="more_1"):
        prepared("virtual", embeddings=2)


def test_texts_without_labels_count_in_the_virtual_loss_and_not_in_the_first() -> None:
    labelled = Part(TEXTS[:3], LABELS[:3], PART.ids[:3])
    both = with_unlabelled(labelled, TEXTS[3:])
    trainer = prepared("virtual")
    weights = jax.numpy.asarray(both.weights)
    total, reported, _ = both_losses(trainer, both.x, both.labels, weights)
    assert reported == pytest.approx(both_losses(trainer, TEXTS[:3], LABELS[:3])[1], rel=1e-5)
    all_labelled = both_losses(trainer)
    assert total - reported == pytest.approx(all_labelled[0] - all_labelled[1], rel=1e-4)


def test_accuracy_does_not_count_texts_without_labels() -> None:
    certain = Part(TEXTS[[0] * 8], np.ones(8, np.int64), np.arange(8).astype(str))
    both = with_unlabelled(
        certain, TEXTS[[0] * 24]
    )  # the same text: half of all would be right at most
    settings = RunSettings.from_dict(
        {"model": "mean-of-vectors", "words": WORDS, "adversarial": {"kind": "virtual"}}
    )
    network = models.build(settings.model, Task(WORDS, 5, 2))
    network.get_layer("output").set_weights([np.zeros((SIZE, 1)), np.array([9.0])])
    trainer = prepare(network, settings, both, 2)
    _, accuracy = train_epoch(trainer, settings, both, 1, Silence())
    assert accuracy == 1
