"""What run folders say of several runs together."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from sentilab.errors import SentilabError
from sentilab.training import EpochMetrics, Predictions, RunFolder, resume, seconds_of


def folder(path: Path, *seconds: float, pretraining: str = "") -> RunFolder:
    path.mkdir()
    run = RunFolder(path)
    history = [EpochMetrics(number, 0.5, 0.8, 0.5, 0.8) for number in range(1, len(seconds) + 1)]
    run.write_curve(history, seconds)
    if pretraining:
        run.write_json("pretraining.json", {"folder": pretraining, "seconds": [100.0, 50.0]})
    return run


def test_a_pretraining_that_runs_share_counts_once(tmp_path: Path) -> None:
    plain = folder(tmp_path / "plain", 1.0, 2.0)
    first = folder(tmp_path / "first", 4.0, pretraining="a")
    second = folder(tmp_path / "second", 8.0, pretraining="a")
    other = folder(tmp_path / "other", 16.0, pretraining="b")
    assert plain.pretraining_seconds() == 0
    assert first.pretraining_seconds() == pytest.approx(150)
    assert seconds_of([first]) == pytest.approx(154)
    assert seconds_of([plain, first, second, other]) == pytest.approx(31 + 300)
    assert seconds_of([]) == 0


# What benchmarks/fuzz_inputs.py found.

RESULT = {
    "status": "finished",
    "label_names": ["negative", "positive"],
    "test": {"loss": 0.5, "accuracy": 0.8},
}
CONFIG = '[data]\nname = "a"\nfingerprint = "b"\n[run]\nmodel = "mlp"\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("result.json", json.dumps(RESULT).replace("0.8", "NaN")),
        ("result.json", json.dumps(RESULT).replace("0.8", "1e999")),
        ("result.json", json.dumps(RESULT).replace("0.8", "2")),
        ("result.json", json.dumps(RESULT).replace("0.8", '"0.8"')),
        ("result.json", json.dumps(RESULT).replace("finished", "fine")),
        ("result.json", '{"status": "finished"}'),
        ("result.json", "[" * 100_000),
        ("result.json", "null"),
        ("anatomy.json", "[]"),
        ("environment.json", "3"),
        ("speed.json", '{"texts": 3, "seconds": [NaN]}'),
        ("pretraining.json", '{"folder": "a", "seconds": "b"}'),
        ("teaching.json", '{"seconds": {"a": null}}'),
        ("ensemble.json", '{"members": [3]}'),
    ],
)
def test_a_damaged_file_is_named_and_nothing_of_it_is_reported(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SentilabError, match=rf"{name}: not valid"):
        RunFolder(tmp_path).read_json(name)


@pytest.mark.parametrize("name", ["result.json", "metrics.jsonl", "config.toml", "vocabulary.json"])
@pytest.mark.parametrize("content", [b"\xff\xfe\0", None])
def test_what_is_no_text_or_a_folder_is_named(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    path, run = tmp_path / name, RunFolder(tmp_path)
    path.mkdir() if content is None else path.write_bytes(content)
    read = {
        "result.json": lambda: run.read_json("result.json"),
        "metrics.jsonl": run.history,
        "config.toml": run.settings,
        "vocabulary.json": run.vocabulary,
    }[name]
    with pytest.raises(SentilabError, match=name.replace(".", r"\.")):
        read()


@pytest.mark.parametrize("wrong", ["NaN", "1e999", '"a"', "null", "[]", "9" * 5_000])
def test_a_curve_with_what_is_no_number_is_refused_by_its_line(tmp_path: Path, wrong: str) -> None:
    run = folder(tmp_path / "run", 1.0, 2.0)
    for name, read in (("metrics.jsonl", run.history), ("timings.jsonl", run.seconds)):
        path = run.path / name
        good = path.read_text()
        first, second = good.splitlines()
        second = re.sub(r'("val_loss"|"seconds"): [^,}]+', rf"\1: {wrong}", second)
        path.write_text(f"{first}\n{second}\n")
        with pytest.raises(SentilabError, match=rf"{name}: not valid"):
            read()


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5_000,
        "run = 3\ndata = 4",
        CONFIG.replace('"mlp"', "[]"),
        CONFIG + "epochs = 0x" + "f" * 5_000,
        CONFIG + "model_settings = 3",
        CONFIG + "model_settings = { units = 1979-05-27 }",
        CONFIG + "model_settings = { units = [nan] }",
        CONFIG + "model_settings = { a = { units = 0x" + "f" * 5_000 + " } }",
        CONFIG + "schedule = 3",
        CONFIG.replace('"b"', "nan"),
    ],
)
def test_a_configuration_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    run = RunFolder(tmp_path)
    with pytest.raises(SentilabError, match=r"config\.toml") as refused:
        _ = run.settings(), run.data()
    assert len(str(refused.value)) < 1_000


def test_probabilities_that_are_none_are_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for wrong in (np.nan, np.inf, -0.1, 1.5):
        probabilities = np.asarray([[0.5, 0.5], [1 - wrong, wrong]], np.float32)
        answers = Predictions(np.asarray(["a", "b"]), np.asarray([0, 1]), probabilities)
        run.write_predictions(answers, ["negative", "positive"])
        with pytest.raises(SentilabError, match=r"predictions\.parquet: .*not between 0 and 1"):
            run.predictions()


@pytest.mark.parametrize("labels", [None, "[" * 100_000, "3", '["a"]', '["a", "a"]', '["a", "b"]'])
def test_predictions_without_their_labels_are_refused(tmp_path: Path, labels: str | None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"id": ["a"], "label": ["c"], "probability": [0.5]}
    table = pa.table(columns).replace_schema_metadata(labels and {"labels": labels})
    pq.write_table(table, tmp_path / "predictions.parquet")
    with pytest.raises(SentilabError, match=r"predictions\.parquet: not a run's predictions"):
        RunFolder(tmp_path).predictions()


@pytest.mark.parametrize(
    "progress", ["[", "3", '{"history": [{}], "seconds": []}', '{"history": [], "seconds": [NaN]}']
)
def test_a_damaged_state_is_refused(tmp_path: Path, progress: str) -> None:
    from safetensors.numpy import save

    path = tmp_path / "state.safetensors"
    path.write_bytes(save({"a": np.zeros(1)}, metadata={"progress": progress}))
    with pytest.raises(SentilabError, match=r"state\.safetensors: the saved state is damaged"):
        resume.load(path)
