from dataclasses import replace
from pathlib import Path

import pytest

from sentilab import studies
from sentilab.errors import SettingsError
from sentilab.studies import Plan, PlannedRun
from sentilab.training import RunSettings
from sentilab.training.ensembling import ensemble_settings, members_of, needed_folds


def homework(**options: object) -> Plan:
    return studies.plan(studies.read("homework"), Path("runs"), "imdb", **options)  # type: ignore[arg-type]


def test_each_protocol_and_seed_repeats_every_run() -> None:
    planned = homework(protocols=["notebook", "holdout"], seeds=[1, 2, 3])
    assert len(planned.runs) == 13 * 2 * 3
    assert len({one.name for one in planned.runs}) == len(planned.runs)


def test_no_two_trainings_share_a_folder() -> None:
    folders = [one.folder for one in homework(seeds=[1, 2]).trainings]
    assert len(folders) == len(set(folders)) == 26


def test_runs_with_equal_settings_are_trained_once(tmp_path: Path) -> None:
    file = tmp_path / "twice.toml"
    file.write_text('[[run]]\nname = "a"\nmodel = "mlp"\n[[run]]\nname = "b"\nmodel = "mlp"\n')
    planned = studies.plan(studies.read(str(file)), tmp_path, "data")
    assert len(planned.runs) == 2
    assert len(planned.trainings) == 1


def test_quick_runs_come_first() -> None:
    models = [one.settings.model for one in homework().trainings]
    assert models.index("bilstm2") > max(n for n, name in enumerate(models) if name == "mlp")


def test_the_first_seed_is_finished_before_the_second_begins() -> None:
    seeds = [one.settings.seed for one in homework(seeds=[7, 8]).trainings]
    assert seeds == sorted(seeds)


def test_longer_runs_go_on_from_shorter_ones_that_ran_before_them() -> None:
    trainings = homework().trainings
    place = {one.folder: number for number, one in enumerate(trainings)}
    continuing = [one for one in trainings if one.continues]
    # Five epochs from two, and for each early-stopped MLP its one- or two-epoch start.
    assert len(continuing) == 5
    for one in continuing:
        donor = trainings[place[one.continues]]
        assert place[donor.folder] < place[one.folder]
        assert donor.keep_state
        assert donor.settings.epochs < one.settings.epochs
        assert donor.settings.batch_size == one.settings.batch_size


def test_runs_with_a_schedule_do_not_continue_each_other(tmp_path: Path) -> None:
    file = tmp_path / "scheduled.toml"
    file.write_text('[defaults]\nschedule = {}\n[[run]]\nmodel = "mlp"\nepochs = [1, 2]\n')
    planned = studies.plan(studies.read(str(file)), tmp_path, "data")
    assert [one.continues for one in planned.trainings] == [None, None]


def test_only_keeps_the_runs_it_matches() -> None:
    names = [one.name for one in homework(only=["mlp-1-*", "one-layer-*"]).runs]
    assert names == [
        "one-layer-batch-64@notebook-297",
        "mlp-1-epoch-batch-16@notebook-297",
        "mlp-1-epoch-batch-32@notebook-297",
        "mlp-1-epoch-batch-64@notebook-297",
    ]


def test_only_with_no_match_is_an_error_that_lists_the_runs() -> None:
    with pytest.raises(SettingsError, match="two-layers-batch-32"):
        homework(only=["mlp-9"])


TOGETHER = """
seeds = [1, 2]
[defaults]
epochs = 1
[[run]]
name = "both"
ensemble = ["lstm", "dense"]
[[run]]
name = "stacked"
ensemble = ["lstm", "dense"]
model_settings = { kind = "stacking", folds = 3 }
[[run]]
name = "lstm"
model = "bilstm1"
[[run]]
name = "dense"
model = "mlp"
"""


def test_an_ensemble_is_trained_after_its_members_of_the_same_seed(tmp_path: Path) -> None:
    (tmp_path / "together.toml").write_text(TOGETHER)
    spec = studies.read(str(tmp_path / "together.toml"))
    planned = studies.plan(spec, tmp_path, "data", protocols=["holdout", "notebook"])
    assert len(planned.runs) == 4 * 2 * 2
    # Two members, three folds of each, and two ensembles, for every protocol and seed.
    assert len(planned.trainings) == (2 + 2 * 3 + 2) * 2 * 2
    for at, one in enumerate(planned.trainings):
        if one.settings.model != "ensemble":
            continue
        before = {earlier.folder for earlier in planned.trainings[:at]}
        for part in (*members_of(one.settings), *needed_folds(one.settings)):
            assert tmp_path / part.folder_name("data") in before
            assert (part.seed, part.protocol) == (one.settings.seed, one.settings.protocol)


def test_members_of_a_chosen_ensemble_are_trained_without_being_named(tmp_path: Path) -> None:
    (tmp_path / "together.toml").write_text(TOGETHER)
    spec = studies.read(str(tmp_path / "together.toml"))
    planned = studies.plan(spec, tmp_path, "data", only=["both"], seeds=[1], kernels="keras")
    assert [one.name for one in planned.runs] == ["both@holdout-1"]
    assert [one.settings.model for one in planned.trainings] == ["mlp", "bilstm1", "ensemble"]
    assert {one.settings.kernels for one in planned.trainings} == {"keras"}


def test_an_ensemble_over_seeds_waits_for_all_of_them(tmp_path: Path) -> None:
    mlp = RunSettings("mlp", epochs=1)
    settings = ensemble_settings([mlp, replace(mlp, seed=2)])
    run = PlannedRun("seeds", "Seeds", replace(settings, seed=1))
    (tmp_path / "together.toml").write_text(TOGETHER)
    spec = replace(studies.read(str(tmp_path / "together.toml")), runs=(run,))
    planned = studies.plan(spec, tmp_path, "data", seeds=[1])
    assert [one.settings.seed for one in planned.trainings] == [1, 2, 1]
