import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tune_small import Hearing, small_search

from sentilab.data import Dataset
from sentilab.data.dataset import fingerprint_of
from sentilab.data.generated import generate
from sentilab.engines import LocalPool
from sentilab.errors import SentilabError
from sentilab.training import Crew, Preparation, RunFolder, TrainingDiverged
from sentilab.tune import Budget, Trial, Tuned, Tuning, task
from sentilab.tune.records import TRIALS

SearchIn = Callable[..., Tuning]


def timeless(trials: tuple[Trial, ...]) -> list[Trial]:
    return [replace(one, seconds=0.0) for one in trials]


def without_run(trials: tuple[Trial, ...]) -> list[Trial]:
    return [replace(one, run="", seconds=0.0) for one in trials]


def test_a_search_ends_with_a_winner_that_was_trained_again_and_scored_once(tuned: Tuned) -> None:
    assert [one.state for one in tuned.trials] == ["complete"] * 6
    assert tuned.ending == "trials"
    assert tuned.finished
    assert [one.trial for one in tuned.finalists] == tuned.ranked[:2]
    assert [[each.seed for each in one.again] for one in tuned.finalists] == [[2], [2]]
    (scoring,) = tuned.scorings
    assert tuned.winner is not None
    assert scoring.trial == tuned.winner.trial.number
    (run,) = tuned.scored_runs()
    settings = run.settings()
    assert (settings.protocol, settings.seed) == ("holdout", 2)
    assert settings.batch_size == tuned.winner.trial.settings["batch_size"]
    assert run.read_json("result.json")["test"]["texts"] == 120


def test_the_winner_is_the_best_with_seeds_that_did_not_choose_it(tuned: Tuned) -> None:
    assert tuned.winner is not None
    means = [one.over_seeds(1).accuracy for one in tuned.finalists]
    assert tuned.winner.over_seeds(1).accuracy == max(one for one in means if one is not None)


def test_no_trial_has_a_test_text(tuned: Tuned, corpus: Dataset) -> None:
    test = set(np.asarray(corpus.ids)[corpus.splits == "test"])
    runs = list((tuned.folder / TRIALS).iterdir())
    assert len(runs) == 8
    for run in runs:
        assert RunFolder(run).settings().protocol == "validation"
        assert not test & set(RunFolder(run).predictions().ids)
        assert not (run / "validation.parquet").exists()


def test_other_labels_of_the_test_texts_change_no_choice(
    tuned: Tuned, corpus: Dataset, tmp_path: Path
) -> None:
    labels = corpus.labels.copy()
    labels[corpus.splits == "test"] = 1 - labels[corpus.splits == "test"]
    names = corpus.label_names
    turned = replace(
        corpus,
        labels=labels,
        fingerprint=fingerprint_of(corpus.texts, labels, names, corpus.splits),
    )
    again = Tuning.prepare(tuned.search, Preparation(turned), tmp_path).carry_out(
        Budget(trials=6), Hearing()
    )
    assert without_run(again.trials) == without_run(tuned.trials)
    assert again.winner is not None
    assert tuned.winner is not None
    assert again.winner.trial.number == tuned.winner.trial.number
    right = [
        one.scored_runs()[0].read_json("result.json")["test"]["accuracy"] for one in (tuned, again)
    ]
    assert right[1] == pytest.approx(1 - right[0])


def test_the_same_command_again_trains_and_scores_nothing(
    tuned: Tuned, preparation: Preparation
) -> None:
    own = ("tune.json", ".lock")
    files = sorted(one for one in tuned.folder.rglob("*.*") if one.name not in own)
    before = [one.stat().st_mtime_ns for one in files]
    hearing = Hearing()
    again = Tuning.prepare(tuned.search, preparation, tuned.folder.parent).carry_out(
        Budget(trials=6), hearing
    )
    assert hearing.begun == []
    assert [one.stat().st_mtime_ns for one in files] == before
    assert again.trials == tuned.trials
    assert again.winner == tuned.winner
    assert again.scorings == tuned.scorings


def test_only_the_best_keep_their_weights(tuned: Tuned) -> None:
    kept = {one.parent.name for one in (tuned.folder / TRIALS).glob("*/weights.safetensors")}
    assert kept == {one.run for one in tuned.ranked[:2]}


def test_more_trials_go_on_from_the_last(search_in: SearchIn) -> None:
    first = search_in(finalists=1).carry_out(Budget(trials=2), Hearing())
    hearing = Hearing()
    more = search_in(finalists=1).carry_out(Budget(trials=3), hearing)
    assert hearing.begun[0] == "trial 3"
    assert more.trials[:2] == first.trials
    winners = list(dict.fromkeys(one.trial for one in more.scorings))
    assert len(more.scorings) == len(winners)


def test_a_search_interrupted_between_epochs_goes_on_with_that_trial(
    search_in: SearchIn, preparation: Preparation, tmp_path: Path
) -> None:
    class Stopping(Hearing):
        def begins(self, what: str, settings: Any, chosen: Any) -> Any:
            listener = super().begins(what, settings, chosen)
            if what == "trial 2":

                def stop(*_: Any) -> None:
                    raise KeyboardInterrupt

                listener.on_epoch = stop  # type: ignore[method-assign]
            return listener

    with pytest.raises(KeyboardInterrupt):
        search_in(finalists=1).carry_out(Budget(trials=3), Stopping())
    found = search_in(finalists=1).carry_out(Budget(trials=3), Hearing())
    whole = Tuning.prepare(small_search(finalists=1), preparation, tmp_path / "whole").carry_out(
        Budget(trials=3), Hearing()
    )
    assert timeless(found.trials) == timeless(whole.trials)
    assert found.winner is not None
    assert whole.winner is not None
    assert found.winner.trial.number == whole.winner.trial.number


def test_a_hopeless_trial_is_given_up_and_cannot_win(
    search_in: SearchIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strict:
        def __init__(self, _: Any, earlier: Any) -> None:
            self.first = not earlier

        def after(self, epoch: int, value: float) -> bool:
            return not self.first

    monkeypatch.setattr(task, "Hopeless", Strict)
    found = search_in(finalists=1).carry_out(Budget(trials=4), Hearing())
    epochs = [one.settings["epochs"] for one in found.trials]
    assert max(epochs[1:]) > 1
    for one, planned in zip(found.trials, epochs, strict=True):
        given_up = one.number > 0 and planned > 1
        assert one.state == ("pruned" if given_up else "complete")
        assert len(one.values) == (1 if given_up else planned)
        run = found.folder / TRIALS / one.run
        assert not (run / "state.safetensors").exists()
    assert {one.trial.state for one in found.finalists} == {"complete"}


def test_a_time_budget_is_kept_with_time_left_for_the_finalists(search_in: SearchIn) -> None:
    now = [0.0]

    def training_takes_100_seconds(_: int) -> None:
        now[0] += 100

    tuning = search_in(clock=lambda: now[0], pruning="none")
    found = tuning.carry_out(Budget(seconds=650), Hearing(training_takes_100_seconds))
    assert found.ending == "time"
    # Three for the trials, two for the finalists, one for the winner.
    assert len(found.trials) == 3
    assert found.rounds == 1
    assert found.spent == 600


def test_the_clock_goes_on_where_an_earlier_command_stopped(search_in: SearchIn) -> None:
    now = [0.0]

    def interrupted_at_the_third(number: int) -> None:
        now[0] += 100
        if number == 3:
            raise KeyboardInterrupt

    tuning = search_in(clock=lambda: now[0])
    with pytest.raises(KeyboardInterrupt):
        tuning.carry_out(Budget(seconds=650), Hearing(interrupted_at_the_third))
    now[0] = 0
    hearing = Hearing(lambda _: now.__setitem__(0, now[0] + 100))
    found = search_in(clock=lambda: now[0]).carry_out(Budget(seconds=650), hearing)
    assert hearing.begun[0] == "trial 3"
    assert len(found.trials) == 3


def test_too_little_time_still_gives_a_winner(search_in: SearchIn) -> None:
    now = [0.0]
    tuning = search_in(clock=lambda: now[0])
    hearing = Hearing(lambda _: now.__setitem__(0, now[0] + 100))
    found = tuning.carry_out(Budget(seconds=10), hearing)
    assert hearing.begun == ["trial 1", "the winner, seed 2"]
    assert found.rounds == 0
    assert len(found.scorings) == 1


def test_a_trial_that_diverges_is_recorded_and_the_search_goes_on(
    search_in: SearchIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = task.train

    def diverging(settings: Any, *rest: Any, **more: Any) -> Any:
        if settings.learning_rate == 0.001:
            raise TrainingDiverged("The loss is nan.")
        return train(settings, *rest, **more)

    monkeypatch.setattr(task, "train", diverging)
    found = search_in(finalists=1).carry_out(Budget(trials=2), Hearing())
    assert found.trials[0].state == "failed"
    assert "nan" in found.trials[0].reason
    assert found.winner is not None
    assert found.winner.trial.number > 0


def test_where_no_trial_comes_to_an_end_it_is_said_why(
    search_in: SearchIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(*_: Any, **__: Any) -> Any:
        raise TrainingDiverged("The loss is nan.")

    monkeypatch.setattr(task, "train", diverging)
    with pytest.raises(SentilabError, match=r"no trial came to an end.\n  The loss is nan"):
        search_in().carry_out(Budget(trials=2), Hearing())


def test_what_is_wrong_with_the_first_trial_is_an_error_of_the_search(
    search_in: SearchIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise SentilabError("Not on this machine.")

    monkeypatch.setattr(task, "train", failing)
    with pytest.raises(SentilabError, match="Not on this machine"):
        search_in().carry_out(Budget(trials=2), Hearing())


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_tried_does_not_depend_on_who_tries_it(search_in: SearchIn, workers: int) -> None:
    asked = {"parallel": 2, "seeds": 2}
    alone = search_in(**asked, runs="alone").carry_out(Budget(trials=5), Hearing())
    with LocalPool(workers, 1) as pool:
        tuning = search_in(**asked, runs="together")
        found = tuning.carry_out(Budget(trials=5), Hearing(), Crew(pool))
    assert timeless(found.trials) == timeless(alone.trials)
    assert [(one.trial.run, one.again) for one in found.finalists] == [
        (one.trial.run, one.again) for one in alone.finalists
    ]
    assert [one.path.name for one in found.scored_runs()] == [
        one.path.name for one in alone.scored_runs()
    ]
    for ours, theirs in zip(found.scored_runs(), alone.scored_runs(), strict=True):
        assert ours.weights.read_bytes() == theirs.weights.read_bytes()


def test_a_trial_whose_workers_all_die_is_recorded_and_the_search_goes_on(
    search_in: SearchIn, tmp_path: Path
) -> None:
    deadly = tmp_path / "deadly.py"
    deadly.write_text(
        "import os, pathlib\n"
        f"seen = pathlib.Path({str(tmp_path / 'seen')!r})\n"
        "number = len(seen.read_text()) if seen.exists() else 0\n"
        "seen.write_text('x' * (number + 1))\n"
        "if 1 <= number <= 2: os._exit(3)\n"
        "from sentilab.models import register\n"
        "@register('deadly', summary='Nobody asks for it.')\n"
        "def deadly(task): ...\n"
    )
    with LocalPool(1, 1) as pool:
        tuning = search_in(finalists=1)
        first = tuning.carry_out(Budget(trials=1), Hearing(), Crew(pool, models_from=(deadly,)))
    with LocalPool(1, 1) as pool:
        crew = Crew(pool, models_from=(deadly,))
        found = search_in(finalists=1).carry_out(Budget(trials=3), Hearing(), crew)
    assert [one.state for one in first.trials] == ["complete"]
    assert [one.state for one in found.trials] == ["complete", "failed", "complete"]
    assert "ended with code 3" in found.trials[1].reason


@pytest.mark.parametrize("file", ["trials.jsonl", "outcome.json", "spent.json"])
def test_a_damaged_file_is_named(search_in: SearchIn, file: str) -> None:
    tuning = search_in()
    (tuning.folder / file).write_text('{"no": ')
    with pytest.raises(SentilabError, match=file):
        tuning.carry_out(Budget(trials=1), Hearing())


def test_a_search_that_is_killed_makes_the_same_trials(tmp_path: Path) -> None:
    corpus = generate(train=240, test=120)
    names = ("negative", "positive")
    rows = [f'"{t}",{names[y]}' for t, y in zip(corpus.texts, corpus.labels, strict=True)]
    (tmp_path / "reviews.csv").write_text("text,sentiment\n" + "\n".join(rows) + "\n")

    def command(runs: str) -> subprocess.Popen[bytes]:
        small = [f"--set={key}={value}" for key, value in small_search().fixed.items()]
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "sentilab", "tune", "--data", "reviews.csv", *small),
                *("--trials", "4", "--finalists", "1", "--seeds", "1", "--runs", runs),
            ],
            cwd=tmp_path,
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(process: subprocess.Popen[bytes]) -> None:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()

    def found(runs: str) -> list[dict[str, Any]]:
        (path,) = (tmp_path / runs).glob("*/trials.jsonl")
        lines = [json.loads(one) for one in path.read_text().splitlines()]
        return [{**one, "seconds": 0} for one in lines]

    finish(command("undisturbed"))
    for trials in (1, 3):  # killed while that many are in the file
        process = command("killed")
        while process.poll() is None:
            files = list((tmp_path / "killed").glob("*/trials.jsonl"))
            if files and len(files[0].read_text().splitlines()) >= trials:
                break
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finish(command("killed"))
    assert len(found("killed")) == 4
    assert found("killed") == found("undisturbed")
    outcomes = [
        json.loads(next((tmp_path / runs).glob("*/outcome.json")).read_text())
        for runs in ("killed", "undisturbed")
    ]
    assert outcomes[0]["scorings"] == outcomes[1]["scorings"]
