"""The simulations' own truth and their tables; how they come out is in docs/statistics.md."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import coverage, pages  # noqa: E402
from benchmarks.coverage import World  # noqa: E402
from sentilab.compare import METRICS, difference_of  # noqa: E402


def test_the_planted_gap_is_the_true_difference_of_accuracies() -> None:
    assert World(0.006, 0.01).truth("accuracy") == pytest.approx(0.01)
    assert World(0.006).truth("auc") == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_the_truth_is_what_many_texts_and_seeds_average_to(metric: str) -> None:
    world = World(0.01, 0.05, texts=20_000)
    found = difference_of(*world.runs(np.random.default_rng(3), 30), metric)
    assert found.difference == pytest.approx(world.truth(metric), abs=4 * found.standard_error)
    assert found.standard_error < abs(world.truth(metric)) / 4


def test_a_cell_simulates_the_same_again() -> None:
    cells = coverage.cells(40)
    number = next(at for at, one in enumerate(cells) if one.table == "wins")
    assert coverage.done(cells[number], number) == coverage.done(cells[number], number)


def test_every_table_has_a_line_for_each_of_its_cells() -> None:
    cells = [one for one in coverage.cells(8) if one.table in ("wins", "alarms")]
    names = [*METRICS, *(f"{one} alarms" for one in METRICS), "share", "wins"]
    made = coverage.tables([(one, dict.fromkeys(names, 0.05)) for one in cells])
    alarms, wins = made.values()
    assert alarms.count("\n| 0.6 | ") == 4
    assert "| 0.6 | 10 | 5% | 5.0 | 5.0 | 5.0 | 5.0 |" in alarms
    assert "| seeds | interval | ± (standard error) |" in wins


def test_new_tables_take_the_place_of_the_old_between_the_markers() -> None:
    (wins, _, _), (alarms, _, _) = coverage.HEADINGS["wins"], coverage.HEADINGS["alarms"]
    page = pages.replaced(
        "<!-- simulated: start -->\n<!-- simulated: end -->",
        "simulated",
        f"old\n\n**{wins}**\n\n| kept |",
    )
    once = coverage.written_into(page, {alarms: "| first |"}, "By a command.")
    again = coverage.written_into(once, {alarms: "| second |"}, "By a command.")
    assert pages.between(again, "simulated") == (
        f"By a command.\n\n**{alarms}**\n\n| second |\n\n**{wins}**\n\n| kept |"
    )
