"""Bundles of finished runs."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sentilab.bundle import BundleError, NotExportable, build, build_bundle, load
from sentilab.bundle.build import check_onnx_file, onnx_file
from sentilab.bundle.onnx_graph import onnx_graph
from sentilab.errors import SentilabError, SettingsError
from sentilab.probe import Subject, calibration
from sentilab.text import Vocabulary

onnxruntime = pytest.importorskip("onnxruntime")


def test_a_bundle_says_where_it_comes_from(
    small_bundle: Callable[..., Path], small_subject: Callable[..., Subject]
) -> None:
    subject = small_subject()
    predictor = load(small_bundle())
    manifest = predictor.manifest
    assert manifest.family == "bilstm1"
    assert manifest.labels == subject.classifier.label_names
    assert manifest.temperature == calibration.measure(subject).temperature
    assert 0 < manifest.parity["onnx"] < 1e-5
    assert manifest.parity["texts"] == 120
    provenance = json.loads((small_bundle() / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["data"]["fingerprint"] == subject.dataset.fingerprint
    assert provenance["settings"] == subject.settings.to_dict()
    assert "small-bilstm1" in predictor.card


def test_a_bundle_shows_no_text_of_the_data(
    small_bundle: Callable[..., Path], corpus: object, small_subject: Callable[..., Subject]
) -> None:
    golden = json.loads((small_bundle() / "golden.json").read_text(encoding="utf-8"))
    assert not set(golden["texts"]) & set(small_subject().dataset.texts)


def test_a_form_that_answers_differently_is_not_written(
    small_subject: Callable[..., Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = small_subject()

    def other(model: object, metadata: dict[str, str]) -> object:
        changed = subject.classifier.model
        before = changed.get_weights()
        changed.set_weights([one + 0.1 for one in before])
        made = onnx_graph(changed, metadata)
        changed.set_weights(before)
        return made

    monkeypatch.setattr(build, "onnx_graph", other)
    with pytest.raises(SentilabError, match="answers differently"):
        build_bundle(subject, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_an_onnx_file_alone_is_enough_to_answer_a_text(
    small_subject: Callable[..., Subject],
) -> None:
    subject = small_subject("bilstm2", True)
    content = onnx_file(subject)
    assert check_onnx_file(subject, content) < 1e-5
    session = onnxruntime.InferenceSession(content)
    about = session.get_modelmeta().custom_metadata_map
    vocabulary = Vocabulary.from_json(about["vocabulary"])
    text = "the plot was dull"
    (found,) = session.run(None, {"ids": vocabulary.encode([text])})
    np.testing.assert_allclose(found, subject.classifier.predict([text]), rtol=0, atol=1e-5)
    assert json.loads(about["labels"]) == list(subject.classifier.label_names)


def test_a_threshold_that_cannot_be_is_refused(
    small_subject: Callable[..., Subject], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        build_bundle(small_subject(), tmp_path / "bundle", threshold=2)


def test_without_onnx_it_says_what_to_install(
    small_subject: Callable[..., Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(SentilabError, match=r'pip install "sentilab\[train\]"'):
        build_bundle(small_subject(), tmp_path / "bundle")


def test_the_public_names_are_there() -> None:
    assert issubclass(NotExportable, SentilabError)
    assert issubclass(BundleError, SentilabError)
