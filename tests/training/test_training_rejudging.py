from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sentilab.errors import SentilabError
from sentilab.training import Preparation, RunFolder, RunSettings, train
from sentilab.training.rejudging import judge_on_test

Settings = Callable[..., RunSettings]
SAME = (
    *("config.toml", "metrics.jsonl", "anatomy.json", "vocabulary.json", "weights.safetensors"),
    *("model.keras", "predictions.parquet", "validation.parquet", "result.json"),
)


@pytest.mark.parametrize(
    "changes",
    [
        {
            "epochs": 3,
            "early_stopping": {"monitor": "val_loss", "patience": 1, "restore_best": True},
        },
        {"model": "bilstm1", "epochs": 1},
    ],
)
def test_a_run_judged_afterwards_is_byte_for_byte_the_one_trained_under_holdout(
    changes: dict[str, object], small_settings: Settings, preparation: Preparation, tmp_path: Path
) -> None:
    settings = small_settings(**{"model": "mlp", "protocol": "validation", **changes})
    holdout = replace(settings, protocol="holdout")
    source = train(settings, preparation.examples(settings), tmp_path / "validation")
    judged = judge_on_test(source.path, preparation.examples(holdout), tmp_path / "judged")
    trained = train(holdout, preparation.examples(holdout), tmp_path / "trained")
    for name in SAME:
        assert (judged.path / name).read_bytes() == (trained.path / name).read_bytes(), name
    assert {one.name for one in judged.path.iterdir()} == {
        one.name for one in trained.path.iterdir()
    }


def test_a_run_of_another_protocol_or_other_texts_is_refused(
    small_settings: Settings, preparation: Preparation, tmp_path: Path
) -> None:
    holdout = small_settings(protocol="holdout")
    examples = preparation.examples(holdout)
    trained = train(holdout, examples, tmp_path / "holdout")
    with pytest.raises(SentilabError, match="no finished run under the protocol validation"):
        judge_on_test(trained.path, examples, tmp_path / "judged")

    settings = small_settings(protocol="validation", split_seed=1)
    other = train(settings, preparation.examples(settings), tmp_path / "other")
    with pytest.raises(SentilabError, match="trained on other texts"):
        judge_on_test(other.path, examples, tmp_path / "judged")


def test_how_fast_it_answers_is_measured_and_read_again(
    small_settings: Settings, preparation: Preparation, tmp_path: Path
) -> None:
    settings = small_settings()
    run = train(settings, preparation.examples(settings), tmp_path / "run")
    found = run.read_json("speed.json")
    assert 0 < found["texts"] <= 512
    assert len(found["seconds"]) >= 1
    assert run.prediction_ms() == pytest.approx(
        1e6 * sorted(found["seconds"])[len(found["seconds"]) // 2] / found["texts"]
    )
    assert run.size() == run.weights.stat().st_size
    nothing = RunFolder(tmp_path / "nothing")
    assert nothing.prediction_ms() is None
    assert nothing.size() is None
