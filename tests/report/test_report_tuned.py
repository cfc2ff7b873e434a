"""The report of a search, from answers that are made up: nothing is trained here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentilab.report import markdown, page, tuned
from sentilab.training import Predictions, RunFolder
from sentilab.tune import Again, Budget, Finalist, Scoring, Search, Trial, Tuned

TEXTS = 400
FACTS = {
    "data": {
        "name": "reviews",
        "origin": "reviews.csv",
        "label_names": ["bad", "good"],
        "is_generated": False,
        "notices": ["Three rows were set aside."],
    },
    "environment": {"python": "3.11", "cores": 2},
}
SEARCH = Search("mlp", {"embedding": 8, "epochs": 1, "batch_size": 32}, finalists=2, seeds=1)


def answered(folder: Path, wrong: list[int]) -> RunFolder:
    """A run's folder whose answers are right but for the texts with these numbers."""
    labels = np.arange(TEXTS) % 2
    probability = np.where(np.isin(np.arange(TEXTS), wrong), 1 - labels, labels) * 0.8 + 0.1
    run = RunFolder(folder)
    folder.mkdir(parents=True)
    run.write_config(SEARCH.run_settings(SEARCH.start), {"name": "reviews", "fingerprint": "0"})
    run.write_predictions(
        Predictions(
            np.asarray([f"text-{n}" for n in range(TEXTS)]),
            labels,
            np.stack([1 - probability, probability], axis=1).astype(np.float32),
        ),
        ("bad", "good"),
    )
    accuracy = 1 - len(wrong) / TEXTS
    run.write_json(
        "result.json",
        {"status": "finished", "test": {"accuracy": accuracy, "loss": 0.5, "texts": TEXTS}},
    )
    return run


@pytest.fixture
def found(tmp_path: Path) -> Tuned:
    """Trial 1 is best and trial 2 within noise of it, trial 3 is far below, the others did not end."""
    mistakes = {0: list(range(40)), 1: list(range(1, 43)), 2: list(range(160))}
    trials = []
    for number, wrong in mistakes.items():
        answered(tmp_path / "trials" / f"run-{number}", wrong)
        trials.append(
            Trial(
                number,
                {"units": 16 << number, "learning_rate": 0.001},
                f"run-{number}",
                "complete",
                (1 - len(wrong) / TEXTS,),
                1 - len(wrong) / TEXTS,
                0.3,
                60.0,
            )
        )
    trials += [
        replace(trials[0], number=3, state="pruned", accuracy=None, loss=None),
        replace(trials[0], number=4, state="failed", accuracy=None, reason="The <loss> is nan."),
    ]
    answered(tmp_path / "scored", list(range(48)))
    return Tuned(
        search=SEARCH,
        budget=Budget(5, 600),
        folder=tmp_path,
        facts=FACTS,
        trials=tuple(trials),
        finalists=(
            Finalist(trials[0], (Again(298, "a", 0.89, 0.31),)),
            Finalist(trials[1], (Again(298, "b", 0.88, 0.32),)),
        ),
        scorings=(Scoring(0, trials[0].settings, 5, ("scored",)),),
        spent=480,
        ending="trials",
        finished=True,
    )


def text_of(found: Tuned) -> str:
    return " ".join(markdown.render(tuned.document(found)).replace("\\", "").split())


def test_the_report_says_what_won_and_what_the_choice_flatters(found: Tuned) -> None:
    said = text_of(found)
    assert "Best: units 16, learning_rate 0.001, with validation accuracy 0.9000 as trial 1" in said
    assert "0.8900 over 1 other seed" in said
    assert "allowance is made for having chosen the best of 3 by the same texts" in said
    assert "Test accuracy 0.8800 (95% interval 0.8" in said
    assert "scored once, after everything was chosen" in said


def test_trials_within_noise_of_the_winner_are_listed_as_such(found: Tuned) -> None:
    judged = tuned.Judged(found)
    assert [one.number for one in judged.alike] == [1]
    said = text_of(found)
    assert "Not to be told from the winner: trial 2." in said
    assert "−30.00 (" in said
    assert said.count("| within noise |") == 1
    assert said.count("| below the winner |") == 1


def test_the_report_says_what_was_spent_and_what_became_of_each_trial(found: Tuned) -> None:
    said = text_of(found)
    assert (
        "5 trials (1 given up early and 1 failed) in 8.0 min in all, of a budget of 5 trials"
        in said
    )
    assert "Trial 5: The <loss> is nan." in said
    assert "Three rows were set aside." in said


def test_what_mattered_is_not_said_of_few_trials(found: Tuned) -> None:
    assert "What mattered cannot be said: that takes 10 complete trials" in text_of(found)


def test_what_mattered_is_said_with_its_uncertainty(
    found: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentilab.tune.importance import Importance, Share

    shares = (Share("learning_rate", 0.7, 0.3, 0.9), Share("units", 0.3, 0.1, 0.5))
    monkeypatch.setattr(tuned, "importance", lambda *_: Importance(shares, 0.6, 20))
    said = text_of(found)
    assert "learning_rate mattered most: 70% (30% to 90%)" in said
    assert "units may as well have mattered more" in said
    assert "predict 60% of it" in said
    monkeypatch.setattr(tuned, "importance", lambda *_: Importance(shares, -0.2, 20))
    assert "No setting is seen to matter" in text_of(found)


def test_a_second_scoring_is_not_kept_quiet(found: Tuned) -> None:
    twice = (Scoring(1, found.trials[1].settings, 2, ("scored",)), *found.scorings)
    assert "scored 2 times, once for each winner" in text_of(replace(found, scorings=twice))


def test_a_seed_that_changes_nothing_is_said_to(found: Tuned) -> None:
    same = tuple(
        Finalist(one.trial, (Again(298, "a", one.trial.accuracy, 1.0001 * (one.trial.loss or 0)),))
        for one in found.finalists
    )
    said = text_of(replace(found, finalists=same))
    assert "Another seed changes nothing of this model" in said
    assert "whatever the seed" in said


@pytest.mark.parametrize("trials", [0, 1, 3])
def test_a_search_under_way_has_a_report_too(found: Tuned, trials: int) -> None:
    early: dict[str, Any] = {"finalists": (), "scorings": (), "ending": "", "finished": False}
    said = text_of(replace(found, trials=found.trials[:trials], **early))
    assert f"{trials} trial{'' if trials == 1 else 's'} so far" in said
    assert "Test accuracy" not in said


def test_the_page_opens_offline_and_keeps_a_users_text_from_being_markup(found: Tuned) -> None:
    html, text = tuned.write(found)
    written = html.read_text()
    assert "The &lt;loss&gt; is nan." in written
    assert "<loss>" not in written
    assert 'src="http' not in written
    assert text.exists()
    assert page.render(tuned.document(found)) == written
