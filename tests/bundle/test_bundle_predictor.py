"""Loaded bundles against the Keras models that they were made of."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentilab.bundle import BundleError, EngineChoice, load
from sentilab.bundle.format import File
from sentilab.bundle.predictor import calibrated
from sentilab.probe import Subject
from sentilab.probe.calibration import scaled

FAMILIES = [("mlp", False), ("bilstm1", False), ("bilstm1", True), ("bilstm2", True)]


def put(bundle: Path, name: str, content: bytes) -> None:
    """Changes a file, and the manifest with it."""
    (bundle / name).write_bytes(content)
    plain = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    plain["files"][name] = File.of(content).to_json()
    (bundle / "bundle.json").write_text(json.dumps(plain), encoding="utf-8")


@pytest.mark.parametrize("engine", ["native", "onnx"])
@pytest.mark.parametrize(("model", "masked"), FAMILIES)
def test_a_bundle_answers_as_the_keras_model_does_calibrated(
    small_bundle: Callable[..., Path],
    small_subject: Callable[..., Subject],
    model: str,
    masked: bool,
    engine: EngineChoice,
) -> None:
    predictor = load(small_bundle(model, masked), engine=engine)
    subject = small_subject(model, masked)
    texts = list(subject.dataset.texts[:50])
    temperature = predictor.manifest.temperature
    wanted = subject.classifier.predict(texts)
    if temperature is not None:
        wanted = scaled(wanted, temperature)
    # Float32 sums of a few dozen products in another order, the log odds divided by T.
    np.testing.assert_allclose(predictor.probabilities(texts), wanted, rtol=0, atol=1e-5)


def test_eight_bits_answer_nearly_so(small_bundle: Callable[..., Path]) -> None:
    exact, coarse = (load(small_bundle(), engine=one) for one in ("onnx", "int8"))
    texts = ["good", "a bad film", "never again"]
    difference = np.abs(exact.probabilities(texts) - coarse.probabilities(texts)).max()
    assert 0 < difference < 0.05
    assert "8-bit" in coarse.engine
    assert exact.manifest.parity["int8_texts"] == 120


def test_a_batchs_padding_changes_no_masked_answer(small_bundle: Callable[..., Path]) -> None:
    predictor = load(small_bundle("bilstm1", True))
    texts = ["good", "a much longer text with many more words than the first one has"]
    together = predictor.probabilities(texts)
    alone = np.concatenate([predictor.probabilities([one]) for one in texts])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_threads_share_a_predictor(small_bundle: Callable[..., Path]) -> None:
    predictor = load(small_bundle())
    texts = [f"film number {one} was good" for one in range(40)]
    wanted = predictor.probabilities(texts)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: predictor.probabilities(texts), range(32)):
            np.testing.assert_array_equal(found, wanted)


def test_the_threshold_decides_between_two_labels(
    small_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = shutil.copytree(small_bundle(), tmp_path / "strict")
    plain = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    plain["threshold"] = 0.9
    (bundle / "bundle.json").write_text(json.dumps(plain), encoding="utf-8")
    answers = np.asarray([[0.2, 0.8], [0.05, 0.95], [0.1, 0.9]], np.float32)
    assert load(bundle).decide(answers).tolist() == [0, 1, 0]
    assert load(small_bundle()).decide(answers).tolist() == [1, 1, 1]


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5),
    st.floats(0.1, 10),
)
def test_calibration_is_that_of_the_probe(rows: list[list[float]], temperature: float) -> None:
    # The predictor may not import the probe; this holds the two together.
    probabilities = np.asarray(rows, np.float32)
    np.testing.assert_allclose(
        calibrated(probabilities, temperature), scaled(probabilities, temperature), atol=1e-6
    )


@settings(max_examples=30)
@given(st.text(max_size=80))
def test_an_explanations_pieces_are_the_text(small_bundle: Callable[..., Path], text: str) -> None:
    predictor = load(small_bundle())
    why = predictor.explain(text)
    assert "".join(piece for piece, _ in why.pieces) == text
    probabilities = predictor.probabilities([text])[0]
    np.testing.assert_allclose(why.probabilities, probabilities, rtol=0, atol=1e-6)
    assert why.label == predictor.predict([text])[0]


def test_a_words_weight_is_what_the_log_odds_lose_without_it(
    small_bundle: Callable[..., Path],
) -> None:
    predictor = load(small_bundle())
    unknown = "zzzunheardof"
    why = predictor.explain("a good film")
    for number, (word, weight) in enumerate(p for p in why.pieces if p[1] is not None):
        words = ["a", "good", "film"]
        assert word == words[number]
        words[number] = unknown
        before, after = predictor.probabilities(["a good film", " ".join(words)])[:, 1].astype(
            float
        )
        wanted = np.log(before / (1 - before)) - np.log(after / (1 - after))
        assert weight == pytest.approx(wanted, abs=1e-4)


def test_words_that_were_not_read_have_no_weight(small_bundle: Callable[..., Path]) -> None:
    text = "one two three four five six seven eight nine ten eleven twelve thirteen"
    weights = [w for piece, w in load(small_bundle()).explain(text).pieces if piece.strip()]
    assert weights[0] is None  # the model reads twelve
    assert None not in weights[1:]


def test_parts_that_do_not_belong_together_are_refused(
    small_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = shutil.copytree(small_bundle(), tmp_path / "mixed")
    golden = json.loads((bundle / "golden.json").read_text(encoding="utf-8"))
    golden["probabilities"][0] = [0.999, 0.001]
    put(bundle, "golden.json", json.dumps(golden).encode())
    with pytest.raises(BundleError, match=r"golden\.json: the model answers these examples differ"):
        load(bundle)


def test_another_models_weights_are_refused(
    small_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = shutil.copytree(small_bundle(), tmp_path / "mixed")
    put(bundle, "weights.safetensors", (small_bundle("mlp") / "weights.safetensors").read_bytes())
    with pytest.raises(BundleError, match=r"weights\.safetensors"):
        load(bundle, engine="native")


def test_a_vocabulary_of_other_settings_is_refused(
    small_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = shutil.copytree(small_bundle(), tmp_path / "mixed")
    plain = json.loads((bundle / "vocabulary.json").read_text(encoding="utf-8"))
    plain["encoding"]["length"] = 13
    put(bundle, "vocabulary.json", json.dumps(plain).encode())
    with pytest.raises(BundleError, match=r"vocabulary\.json: its settings"):
        load(bundle)


def test_predicting_imports_no_training_stack(small_bundle: Callable[..., Path]) -> None:
    code = (
        "import sys\n"
        "from sentilab.bundle import load\n"
        f"load({str(small_bundle())!r}).explain('a good film')\n"
        "heavy = {'keras', 'jax', 'pyarrow', 'sklearn', 'rich', 'onnx', 'scipy', 'altair'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
