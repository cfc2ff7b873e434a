"""Every family of models as a bundle: the same answers in each form, with and without padding."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sentilab import kernels
from sentilab.bundle import build_bundle, load
from sentilab.errors import SettingsError
from sentilab.probe import Subject

pytest.importorskip("onnxruntime")

needs_kernel = pytest.mark.skipif(bool(kernels.missing()), reason=kernels.missing() or "built")
FAMILIES = (
    "averaging",
    "characters",
    "cnn",
    pytest.param("documents", marks=needs_kernel),
    "ensemble",
    "fasttext",
    "logistic",
    "majority",
    "nblr",
    "nbsvm",
    "recurrent",
)
MASKED = ("ensemble",)  # of an LSTM among others, which reads padding unless that is masked
TEXTS = ["", "good", "the plot was dull, dull, dull", "a wonderful film " * 9]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_familys_bundle_answers_as_its_run_does(
    family: str, small_bundle: Callable[..., Path], small_subject: Callable[..., Subject]
) -> None:
    predictor = load(small_bundle(family, family in MASKED))
    manifest = predictor.manifest
    assert manifest.family == family
    assert manifest.ignores_padding
    assert manifest.parity["onnx"] < 1e-5
    assert manifest.temperature is None or manifest.temperature > 0
    plain = load(small_bundle(family, family in MASKED), engine="onnx")
    ids = plain.encode(TEXTS)
    wanted = small_subject(family, family in MASKED).classifier.predict(TEXTS)
    np.testing.assert_allclose(plain._engine.scores(ids), wanted, rtol=0, atol=1e-5)
    # Each text by itself is computed without its padding.
    alone = np.concatenate([predictor.probabilities([one]) for one in TEXTS])
    np.testing.assert_allclose(alone, predictor.probabilities(TEXTS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", ["averaging", "cnn", "ensemble", "fasttext", "recurrent"])
def test_weights_of_8_bits_answer_much_alike(
    family: str, small_bundle: Callable[..., Path]
) -> None:
    small = load(small_bundle(family, family in MASKED), engine="int8")
    whole = load(small_bundle(family, family in MASKED), engine="onnx")
    np.testing.assert_allclose(
        small.probabilities(TEXTS), whole.probabilities(TEXTS), rtol=0, atol=0.1
    )


def test_weights_of_ngrams_are_not_rounded_to_8_bits(
    small_subject: Callable[..., Subject], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="no weights that 8 bits can hold"):
        build_bundle(small_subject("logistic"), tmp_path / "bundle", int8=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("family", ["cnn", "logistic"])
def test_a_word_that_matters_is_found_in_a_text_of_any_length(
    family: str, small_bundle: Callable[..., Path]
) -> None:
    predictor = load(small_bundle(family, family in MASKED))
    found = predictor.explain("The film was wonderful")
    weights = [weight for _, weight in found.pieces if weight is not None]
    assert len(weights) == 4
    assert any(weights)


@pytest.mark.parametrize("family", ["bilstm1", "mlp", "ensemble"])
def test_what_reads_its_padding_is_not_cropped(
    family: str, small_bundle: Callable[..., Path]
) -> None:
    assert not load(small_bundle(family)).manifest.ignores_padding
