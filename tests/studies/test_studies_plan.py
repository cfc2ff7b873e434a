from pathlib import Path

import pytest

from sentilab import studies
from sentilab.errors import SettingsError
from sentilab.studies import Plan


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
