"""What run folders say of several runs together."""

from pathlib import Path

import pytest

from sentilab.training import EpochMetrics, RunFolder, seconds_of


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
