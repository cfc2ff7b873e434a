"""Scoring sorted by length and cropped gives what scoring as it stands would give."""

from typing import Any

import numpy as np
import pytest

from sentilab import models
from sentilab.models import Task
from sentilab.training import Part
from sentilab.training.scoring import cropped_lengths, lengths_of, score


def part(texts: int = 700, length: int = 150) -> Part:
    rng = np.random.default_rng(0)
    x = np.zeros((texts, length), np.int32)
    for row, words in enumerate(rng.integers(1, length + 1, texts)):
        x[row, length - words :] = rng.integers(1, 40, words)
    return Part(x, np.zeros(texts, np.int64), np.arange(texts).astype(str))


def model(masked: bool) -> Any:
    settings = {"embedding": 4, "units": 3, "masked": masked, "pooling": "mean", "dropout": 0.0}
    built = models.build("recurrent", Task(40, 150, 2), settings)
    rng = np.random.default_rng(1)
    built.set_weights([rng.normal(0, 1, one.shape) for one in built.get_weights()])
    return built


@pytest.mark.parametrize("masked", [True, False])
def test_answers_are_those_of_the_texts_as_they_stand(masked: bool) -> None:
    texts, network = part(), model(masked)
    plain = network.predict(texts.x, batch_size=256, verbose=0)[:, 0]
    found = score(network, texts)
    np.testing.assert_allclose(found[:, 1], plain, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(found.sum(axis=1), np.float32(1))


@pytest.mark.parametrize(("masked", "lengths"), [(True, [64, 128, 150]), (False, [150])])
def test_padding_is_cropped_only_where_the_model_ignores_it(
    masked: bool, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, shapes = model(masked), []
    predict = network.predict

    def watched(x: Any, **rest: Any) -> Any:
        shapes.append(x.shape)
        return predict(x, **rest)

    monkeypatch.setattr(network, "predict", watched)
    score(network, part())
    assert sum(texts for texts, _ in shapes) == 700
    assert [length for _, length in shapes] == lengths


def test_lengths_are_counted_from_the_first_token() -> None:
    x = np.array([[0, 0, 1, 2], [1, 0, 0, 2], [0, 0, 0, 3], [0, 0, 0, 0]], np.int32)
    np.testing.assert_array_equal(lengths_of(x), [2, 4, 1, 1])


def test_lengths_that_texts_are_cropped_to_are_few_and_enough() -> None:
    lengths = np.arange(1, 3_001)
    cropped = cropped_lengths(lengths, 3_000)
    assert (cropped >= lengths).all()
    assert len(set(cropped)) < 25
    assert (cropped[64:-1] <= lengths[64:-1] * 1.99).all()
    np.testing.assert_array_equal(
        cropped_lengths(np.array([1, 33, 64, 65, 400]), 400), [32, 64, 64, 128, 400]
    )
