"""The model card says what the run's folder says, and of the rest that it was not measured."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentilab import probe
from sentilab.bundle import load
from sentilab.bundle.card import model_card
from sentilab.compare import accuracy_interval
from sentilab.data import Dataset
from sentilab.probe import Subject, behaviour, calibration, padding
from sentilab.training import Preparation, RunFolder, train

Subjects = Callable[..., Subject]
PARITY = {"texts": 120, "onnx": 2.4e-7, "native": 1.2e-7}


@pytest.fixture
def subject(small_subject: Subjects, tmp_path: Path) -> Subject:
    """A run that a test may add to, alone in its study."""
    original = small_subject("bilstm1")
    path = tmp_path / "study" / original.run.path.name
    shutil.copytree(original.run.path, path)
    return Subject(RunFolder(path), original.dataset, original.preparation)


def card(subject: Subject, **changes: Any) -> str:
    given: dict[str, Any] = {
        "name": "small",
        "temperature": None,
        "threshold": 0.5,
        "parity": PARITY,
    }
    return model_card(subject, **(given | changes))


def metadata(text: str) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(text.split("---\n")[1])  # type: ignore[no-any-return]


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_front_matter_is_yaml_with_what_the_standard_asks_for(subject: Subject) -> None:
    about = metadata(card(subject, license="apache-2.0"))
    assert about["pipeline_tag"] == "text-classification"
    assert about["license"] == "apache-2.0"
    assert about["language"] == ["en"]  # generated sentences are English
    assert {"sentilab", "bilstm1", "onnx"} <= set(about["tags"])
    (model,) = about["model-index"]
    (result,) = model["results"]
    assert (model["name"], result["dataset"]["name"]) == ("small", "generated")
    accuracy = next(one["value"] for one in result["metrics"] if one["type"] == "accuracy")
    assert accuracy == pytest.approx(subject.run.predictions().correct.mean(), abs=1e-5)


def test_what_is_not_known_is_left_out_and_said_to_be_absent(subject: Subject) -> None:
    other = replace(subject.dataset, is_generated=False)
    text = card(Subject(subject.run, other, subject.preparation), parity={})
    about = metadata(text)
    assert not {"license", "language", "datasets"} & set(about)
    assert "Licence: none was given" in text
    assert "language: not recorded" in text
    assert "They were not compared" in text
    for title in ("What it fails at", "Padding"):
        assert "Not measured" in section(text, title)
        assert "sentilab probe RUN" in section(text, title)
    assert "not trained on" in section(text, "Contrast sets")
    assert "what another seed would give, is not known" in section(text, "Accuracy")


def test_a_file_that_is_called_imdb_is_not_taken_for_the_reviews(subject: Subject) -> None:
    path = subject.run.path / "config.toml"
    path.write_text(path.read_text().replace('name = "generated"', 'name = "imdb"'))
    own = replace(subject.dataset, name="imdb", is_generated=False)
    about = metadata(card(Subject(subject.run, own, subject.preparation)))
    assert not {"datasets", "language"} & set(about)
    reviews = replace(own, home=subject.run.path)
    about = metadata(card(Subject(subject.run, reviews, subject.preparation)))
    assert (about["datasets"], about["language"]) == (["stanfordnlp/imdb"], ["en"])


def test_accuracy_has_the_interval_over_its_test_texts(subject: Subject) -> None:
    right = subject.run.predictions().correct
    low, high = accuracy_interval(int(right.sum()), len(right))
    said = section(card(subject), "Accuracy")
    assert f"| this run | {right.mean():.4f} | {low:.4f} to {high:.4f} |" in said


def test_other_seeds_beside_the_run_widen_what_is_said(
    subject: Subject, preparation: Preparation
) -> None:
    settings = replace(subject.settings, seed=subject.settings.seed + 1)
    train(settings, preparation.examples(settings), subject.run.path.parent / "other")
    said = section(card(subject), "Accuracy")
    assert "mean of 2 seeds" in said
    assert "trained with 2 seeds" in said
    # Another setting's run is no seed of this one.
    settings = replace(settings, batch_size=16)
    train(settings, preparation.examples(settings), subject.run.path.parent / "another")
    assert "mean of 2 seeds" in section(card(subject), "Accuracy")


def test_each_protocol_is_told_as_it_is(
    subject: Subject, preparation: Preparation, tmp_path: Path
) -> None:
    assert "were asked once, after training" in section(card(subject), "Protocol")
    settings = replace(subject.settings, protocol="notebook")
    run = RunFolder(tmp_path / "notebook")
    train(settings, preparation.examples(settings), run.path)
    text = card(Subject(run, subject.dataset, preparation))
    assert "therefore optimistic" in section(text, "Protocol")
    assert "on the texts that validated it" in text.split("---\n")[1]


def test_calibration_is_measured_where_it_was_not_kept(subject: Subject) -> None:
    found = calibration.measure(subject)
    said = section(card(subject, temperature=found.temperature), "Calibration")
    assert f"{found.before.ece:.4f}" in said
    if found.after is not None:
        assert f"{found.after.ece:.4f}" in said
        assert f"temperature of {found.temperature:.3f}" in said


def test_a_temperature_that_was_not_fitted_has_its_own_figures(subject: Subject) -> None:
    answers = subject.run.predictions()
    scaled = calibration.scaled(answers.probabilities, 3.0)
    wanted = calibration.figures(scaled, answers.labels, subject.dataset.label_names)
    said = section(card(subject, temperature=3.0), "Calibration")
    assert f"| after scaling | {wanted.confidence:.4f} |" in said
    assert "temperature of 3.000, which was given" in said


def test_failures_are_listed_with_examples_worst_first(subject: Subject) -> None:
    found = behaviour.examine(subject.classifier, length=subject.classifier.length)
    probe.write(subject.run.path, "behaviour", found)
    said = section(card(subject), "What it fails at")
    worst = max(found.checks, key=lambda one: one.rate)
    assert f"| {worst.capability}: {worst.name} | {worst.rate:.0%} |" in said
    rates = [int(one) for one in re.findall(r"\| (\d+)% \|", said)]
    assert rates == sorted(rates, reverse=True)
    assert len(rates) <= 12


def test_behaviour_of_another_version_of_the_suite_is_not_shown(subject: Subject) -> None:
    probe.write(subject.run.path, "behaviour", behaviour.Result(version=0, length=12, checks=()))
    assert "another version of the suite" in section(card(subject), "What it fails at")


def test_padding_is_told_where_it_was_measured(subject: Subject) -> None:
    probe.write(subject.run.path, "padding", padding.measure(subject))
    said = section(card(subject), "Padding")
    assert "Not measured" not in said
    assert said.strip()[0].isupper()


def test_the_cost_of_eight_bits_is_told(subject: Subject) -> None:
    parity = PARITY | {
        "int8": 0.02,
        "int8_texts": 120,
        "int8_accuracy": 0.85,
        "int8_difference": -0.01,
        "int8_interval": [-0.02, 0.0],
        "int8_labels_changed": 0.03,
    }
    said = section(card(subject, parity=parity), "Forms of the model")
    assert "-1.00 points (95% interval -2.00 to +0.00)" in said


def test_names_of_a_strangers_data_do_nothing_in_the_page_or_its_front_matter(
    subject: Subject,
) -> None:
    hostile = 'x"\n---\nlicense: mine\n<script>|`\x1b[2J\u2028'
    plain = (subject.run.path / "config.toml").read_text()
    path = subject.run.path / "config.toml"
    path.write_text(plain.replace('name = "generated"', f"name = {json.dumps(hostile)}"))
    labels = ("neg<b>|ative", "pos`itive")
    dataset = replace(subject.dataset, label_names=labels)
    text = card(Subject(subject.run, dataset, Preparation(dataset)))
    about = metadata(text)
    assert "license" not in about
    assert about["model-index"][0]["results"][0]["dataset"]["name"].startswith('x"')
    assert "<script>" not in text.split("---\n", 2)[2]
    assert "\x1b" not in text
    assert "neg\\<b\\>\\|ative" in section(text, "Training data")


def test_the_lines_for_onnx_runtime_alone_answer_as_the_bundle_does(
    small_bundle: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    bundle = small_bundle("bilstm1")
    predictor = load(bundle, engine="onnx")
    (lines,) = re.findall(r"```python\n(import json.*?)```", predictor.card, re.DOTALL)
    assert len(lines.splitlines()) <= 10
    texts = ["I was bored.", "A Good (very good!) film... [really]\t~fine~\n`and` {so} on\\ on", ""]
    monkeypatch.chdir(bundle.parent)
    for text in texts:
        names: dict[str, Any] = {}
        exec(lines.replace('"I was bored."', repr(text)), names)
        (expected,) = predictor._engine.scores(predictor.encode([text]))
        found = names["session"].run(["probabilities"], {"ids": names["row"]})[0][0]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        np.testing.assert_array_equal(names["row"], predictor.encode([text]))


def test_no_text_of_the_data_stands_in_the_card(subject: Subject, corpus: Dataset) -> None:
    text = card(subject)
    assert not [one for one in corpus.texts if len(one) > 20 and one in text]
