"""Run folders made for the test, compared in Python and from the command line."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from planted import Planted

from sentilab.cli.compare import command as compare
from sentilab.compare import pairs, siblings
from sentilab.compare.replicas import Replica, training_texts
from sentilab.errors import SentilabError
from sentilab.training import RunFolder

Sentilab = Callable[..., subprocess.CompletedProcess[str]]
WriteRun = Callable[..., Path]


def planted(write_run: WriteRun, gap: float, seeds: int, **world: float) -> tuple[Path, Path]:
    """One run folder of each of two settings, with those of the other seeds beside them."""
    answers = Planted(gap, **world).runs(np.random.default_rng(9), seeds)  # type: ignore[arg-type]
    folders = [
        [write_run(one, batch_size=size, seed=seed) for seed, one in enumerate(each, start=1)]
        for size, each in zip((16, 32), answers, strict=True)
    ]
    return folders[0][0], folders[1][0]


def test_runs_beside_a_run_that_differ_in_the_seed_alone_are_its_siblings(
    write_run: WriteRun,
) -> None:
    first, second = planted(write_run, 0.02, 3)
    write_run(None, batch_size=16, seed=8)
    found = siblings(first)
    assert [one.seed for one in found.finished] == [1, 2, 3]
    assert [one.seed for one in found.unfinished] == [8]
    both = pairs(found, siblings(second))
    assert [one.seed for one in both.replicas] == [1, 2, 3]
    assert [one.seed for one in both.left_out] == [8]
    assert both.difference().seeds == 3


def test_splits_that_vary_pair_by_split_too(write_run: WriteRun) -> None:
    folders = []
    for number, size in enumerate((16, 32)):
        for split in (1, 2, 3):
            random = np.random.default_rng(split)
            answers = Planted(0.05, texts=200).runs(random, 1)[number][0]
            ids = np.sort(random.choice(1000, 200, replace=False)).astype(str)
            folders.append(write_run(replace(answers, ids=ids), batch_size=size, split_seed=split))
    both = pairs(siblings(folders[0]), siblings(folders[3]))
    assert both.replicas == tuple(Replica(297, split) for split in (1, 2, 3))
    assert training_texts(RunFolder(folders[0])) == 800
    assert both.difference().covers == "splits and seeds"


def test_settings_that_cannot_be_compared_are_refused(write_run: WriteRun) -> None:
    first, second = planted(write_run, 0.02, 2)
    answers = Planted(0.0).runs(np.random.default_rng(1), 1)[0][0]
    elsewhere = write_run(answers, data="others", batch_size=64, seed=1)
    unlike = write_run(answers, batch_size=64, seed=77)
    unfinished = write_run(None, batch_size=128)
    with pytest.raises(SentilabError, match="other data"):
        pairs(siblings(first), siblings(elsewhere))
    with pytest.raises(SentilabError, match="same setting"):
        pairs(siblings(first), siblings(first))
    with pytest.raises(SentilabError, match="no seed in common"):
        pairs(siblings(second), siblings(unlike))
    with pytest.raises(SentilabError, match="not finished"):
        siblings(unfinished)


def test_a_planted_difference_of_one_point_is_found_from_the_command_line(
    write_run: WriteRun, sentilab: Sentilab
) -> None:
    first, second = planted(write_run, 0.01, 10, texts=8000)
    done = sentilab("compare", str(first), str(second))
    assert done.returncode == 0, done.stderr
    assert "10 pairs of runs: seeds 1, 2, 3, 4, 5, 6, 7, 8, 9 and 10" in done.stdout
    assert "Intervals cover the choice of 8,000 test texts and of 10 seeds." in done.stdout
    assert "batch 32, 2 epochs" in done.stdout
    assert "B is better than A: its accuracy is" in done.stdout
    assert all(name in done.stdout for name in ("accuracy", "log loss", "F1", "AUC", "McNemar"))


def test_a_planted_zero_is_not_found_from_the_command_line(
    write_run: WriteRun, sentilab: Sentilab
) -> None:
    first, second = planted(write_run, 0.0, 10, texts=8000)
    done = sentilab("compare", str(first), str(second))
    assert done.returncode == 0, done.stderr
    assert "better" not in done.stdout
    assert "worse" not in done.stdout


def test_what_differs_beside_the_settings_is_said(write_run: WriteRun, sentilab: Sentilab) -> None:
    answers = Planted(0.0).runs(np.random.default_rng(1), 2)
    first = write_run(answers[0][0], protocol="notebook", seed=1)
    second = write_run(answers[1][0], protocol="holdout", seed=1)
    write_run(answers[1][1], protocol="holdout", seed=2)
    done = sentilab("compare", str(first), str(second))
    assert done.returncode == 0, done.stderr
    assert "2 epochs (holdout)" in done.stdout
    assert "left out, as only one of the two has finished it: seed 2" in done.stdout
    assert "A was trained under the notebook protocol, B under the holdout" in done.stdout
    assert "and not the seed" in done.stdout


def test_a_setting_of_a_study_is_found_by_its_name(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = Planted(0.0, texts=200).runs(np.random.default_rng(1), 2)
    planned = []
    for name, size, each in zip(("small", "large"), (16, 32), answers, strict=True):
        for protocol, seed in (("notebook", 1), ("notebook", 2), ("holdout", 1)):
            folder = write_run(each[seed - 1], batch_size=size, seed=seed, protocol=protocol)
            settings = RunFolder(folder).settings()
            run = SimpleNamespace(
                name=f"{name}@{protocol}-{seed}", settings=settings, folder=folder
            )
            planned.append(run)
    results = SimpleNamespace(runs=planned)
    monkeypatch.setattr("sentilab.studies.read_results", lambda _: results)
    compare.callback("study:small@notebook", "study:large@notebook", "f1", 50.0)  # type: ignore[misc]
    said = capsys.readouterr().out
    assert "2 pairs of runs: seeds 1 and 2" in said
    assert "Both under the notebook protocol" in said
    for given, error in (("study:small", "under which protocol"), ("study:other", "There are")):
        with pytest.raises(SentilabError, match=error):
            compare.callback(given, "study:large@notebook", "f1", 1.0)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "said"),
    [("nowhere", "no such folder"), (".", "STUDY|NAME"), (".:mlp", "no study here")],
)
def test_what_is_neither_a_run_nor_a_setting_is_an_error_that_says_so(
    write_run: WriteRun, given: str, said: str
) -> None:
    first, _ = planted(write_run, 0.0, 1)
    with pytest.raises(SentilabError, match=said):
        compare.callback(str(first), given, "accuracy", 1.0)  # type: ignore[misc]
