"""Run folders from anywhere, as one study."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sentilab import report
from sentilab.errors import SentilabError
from sentilab.studies import StudyResults, collect
from sentilab.training import RunFolder, RunSettings

Make = Callable[..., StudyResults]


def folders(results: StudyResults, *names: str) -> list[Path]:
    found = [one for one in results.runs if one.name.partition("@")[0] in names]
    for one in found:
        RunFolder(one.folder).write_config(one.settings, {"name": "imdb", "fingerprint": "f"})
    return [one.folder for one in found]


def test_runs_that_differ_in_the_seed_alone_are_one_setting(made_up: Make, tmp_path: Path) -> None:
    results = made_up(seeds=(1, 2, 3))
    found = collect(folders(results, "mlp-1-epoch-batch-16", "mlp-2-epochs"))
    assert found.seeds == (1, 2, 3)
    names = {one.name.partition("@")[0] for one in found.runs}
    assert names == {"mlp, batch 16, 1 epoch", "mlp, batch 64, 2 epochs"}
    assert found.questions[0].kind == "compare"
    assert found.finished
    page, _ = report.write(found, tmp_path / "here")
    content = page.read_text()
    assert "mlp, batch 64, 2 epochs" in content
    assert "over 3 seeds" in content


def test_settings_are_named_by_what_tells_them_apart(made_up: Make) -> None:
    results = made_up()
    found = collect(folders(results, "mlp-stopping-batch-64", "mlp-2-epochs"))
    assert {one.title for one in found.runs} == {
        "mlp, batch 64, 10 epochs, patience 3",
        "mlp, batch 64, 2 epochs, no early stopping",
    }


def test_one_setting_is_summed_up(made_up: Make, tmp_path: Path) -> None:
    found = collect(folders(made_up(), "mlp-2-epochs"))
    assert [one.kind for one in found.questions] == ["summary"]
    report.write(found, tmp_path / "here")


def test_runs_on_different_data_are_refused(made_up: Make) -> None:
    paths = folders(made_up(), "mlp-2-epochs", "mlp-1-epoch-batch-16")
    RunFolder(paths[1]).write_config(
        RunSettings(model="mlp"), {"name": "other", "fingerprint": "another"}
    )
    with pytest.raises(SentilabError, match="trained on other data"):
        collect(paths)
