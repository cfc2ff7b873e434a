import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import pages  # noqa: E402

PAGE = "a\n<!-- x: start -->\nold\n<!-- x: end -->\nb"


def test_a_table_takes_the_place_of_the_old_one() -> None:
    once = pages.replaced(PAGE, "x", "new\nlines")
    assert once == "a\n<!-- x: start -->\n\nnew\nlines\n\n<!-- x: end -->\nb"
    assert pages.replaced(once, "x", "new\nlines") == once
    assert pages.between(once, "x") == "new\nlines"


@pytest.mark.parametrize("page", ["", PAGE * 2, PAGE.replace("end", "end ")])
def test_a_page_without_one_place_is_left_alone(page: str) -> None:
    with pytest.raises(SystemExit, match="one <!-- x: start -->"):
        pages.replaced(page, "x", "new")


def test_a_table_has_its_figures_to_the_right() -> None:
    assert pages.table(("", "x"), [("a", "1"), ("b", "2")]) == (
        "|  | x |\n| --- | ---: |\n| a | 1 |\n| b | 2 |"
    )


def test_a_table_keeps_what_is_not_measured_again() -> None:
    old = pages.table(("", "x", "y"), [("a", "1", "2"), ("b", "3", "4")])
    new = pages.table(("", "y", "z"), [("b", "5", "6"), ("c", "7", "8")])
    assert pages.merged(old, new) == pages.table(
        ("", "x", "y", "z"),
        [("a", "1", "2", ""), ("b", "3", "5", "6"), ("c", "", "7", "8")],
    )
    assert pages.merged(old, old) == old
