"""Texts without labels that training reads beside the labelled: which, by whom, and what cannot leak."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import kernels
from sentilab.data import Dataset, Unlabelled
from sentilab.data.dataset import fingerprint_of
from sentilab.data.generated import generate
from sentilab.errors import SettingsError
from sentilab.training import (
    AdversarialTraining,
    Preparation,
    Reading,
    RunFolder,
    RunSettings,
    train,
)

Settings = Callable[..., RunSettings]

needs_kernel = pytest.mark.skipif(bool(kernels.missing()), reason=kernels.missing() or "built")
DOCUMENTS = {"size": 16, "passes": 2, "least": 2}


@pytest.fixture(scope="module")
def more(corpus: Dataset) -> Unlabelled:
    """New sentences, and two that repeat a text of the corpus but for its case and marks."""
    known = set(corpus.texts)
    new = [one for one in generate(train=120, test=0, seed=5).texts if one not in known]
    texts = [*new[:40], corpus.texts[0].upper(), corpus.texts[-1] + " !", *new[40:]]
    prints = fingerprint_of(texts, np.zeros(0, np.int64), (), None)
    return Unlabelled("reviews", "reviews.txt", prints, texts)


def asked(small_settings: Settings, model: str, more: Unlabelled) -> RunSettings:
    """A run that reads these texts."""
    reading = Reading("reviews").of(more)
    if model == "documents":
        plain = small_settings(model, protocol="holdout", model_settings=DOCUMENTS)
        return replace(plain, reading=reading)
    virtual = AdversarialTraining("virtual", 1.0)
    return replace(
        small_settings(model, protocol="holdout", epochs=1), adversarial=virtual, reading=reading
    )


def weights(run: RunFolder) -> dict[str, NDArray[np.generic]]:
    from safetensors.numpy import load_file

    return dict(load_file(run.weights))


def test_texts_that_repeat_a_labelled_one_are_not_read(
    small_settings: Settings, corpus: Dataset, more: Unlabelled
) -> None:
    examples = Preparation(corpus, unlabelled=more).examples(
        asked(small_settings, "documents", more)
    )
    assert examples.unlabelled is not None
    assert len(examples.unlabelled) == len(more.texts) - 2
    rows = {one.tobytes() for one in examples.unlabelled}
    held_out = [*examples.validation.x, *examples.test.x, *examples.train.x]
    assert not rows & {one.tobytes() for one in held_out}


@pytest.mark.parametrize("model", [pytest.param("documents", marks=needs_kernel), "mlp"])
def test_they_change_the_weights_and_held_out_labels_do_not(
    model: str, small_settings: Settings, corpus: Dataset, more: Unlabelled, tmp_path: Path
) -> None:
    settings = asked(small_settings, model, more)
    preparation = Preparation(corpus, unlabelled=more)
    examples = preparation.examples(settings)
    first = weights(train(settings, examples, tmp_path / "first"))

    turned = replace(
        examples,
        validation=replace(examples.validation, labels=1 - examples.validation.labels),
        test=replace(examples.test, labels=1 - examples.test.labels),
    )
    again = weights(train(settings, turned, tmp_path / "turned"))
    for name, one in first.items():
        np.testing.assert_array_equal(again[name], one)

    alone = replace(settings, reading=None)
    without = weights(train(alone, preparation.examples(alone), tmp_path / "alone"))
    assert any(
        without[name].shape != one.shape or not np.array_equal(without[name], one)
        for name, one in first.items()
    )


def test_a_model_that_learns_from_labels_alone_is_refused(
    small_settings: Settings, corpus: Dataset, more: Unlabelled, tmp_path: Path
) -> None:
    settings = replace(small_settings("mlp"), reading=Reading("reviews").of(more))
    examples = Preparation(corpus, unlabelled=more).examples(settings)
    with pytest.raises(SettingsError, match="mlp, as it is set, learns from labels alone"):
        train(settings, examples, tmp_path)


def test_texts_that_are_missing_or_others_are_an_error(
    small_settings: Settings, corpus: Dataset, more: Unlabelled
) -> None:
    settings = asked(small_settings, "documents", more)
    with pytest.raises(SettingsError, match='trained on the unlabelled texts "reviews", and there'):
        Preparation(corpus).examples(settings)
    others = replace(more, fingerprint="0" * 64)
    with pytest.raises(SettingsError, match=r"reviews\.txt are others"):
        Preparation(corpus, unlabelled=others).examples(settings)


def test_texts_must_be_named() -> None:
    with pytest.raises(SettingsError, match="which texts are to be read"):
        Reading("")
