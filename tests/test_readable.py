from pathlib import Path

import pytest

from sentilab.errors import SentilabError
from sentilab.readable import json_file, json_of, listed, misfit, printable, shown, toml_of


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", '{"a": -1e999}', "[" * 100_000, "9" * 5_000, "", b"\xff"]
)
def test_json_that_is_none_or_holds_what_is_no_number_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        json_of(text)


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000, "9" * 5_000, "a = " + "9" * 5_000])
def test_toml_that_is_none_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        toml_of(text)


FORM = {"name": str, "seconds": [float], "more?": (int, None), "each?": {"*": float}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "a", "seconds": [1, 2.5]}, ""),
        ({"name": "a", "seconds": [], "more": None, "each": {"b": 1}}, ""),
        ({"name": "a"}, "seconds is missing"),
        ({"name": 1, "seconds": []}, "name is 1; it must be a text"),
        ({"name": "a", "seconds": [1, True]}, "seconds[2] is True; it must be a number"),
        ({"name": "a", "seconds": [float("nan")]}, "seconds[1] is nan; it must be a number"),
        ({"name": "a", "seconds": 3}, "seconds is 3; it must be a list"),
        ({"name": "a", "seconds": [], "more": "x"}, "more is 'x'; it must be a whole number or null"),
        ({"name": "a", "seconds": [], "each": {"b": "c"}}, "each.b is 'c'; it must be a number"),
        ({"name": "a", "seconds": [10**400]}, f"seconds[1] is 1{'0' * 99}...; it must be a number"),
        ([], "it is []; it must be an object"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_by_its_place(value: object, said: str) -> None:
    assert misfit(value, FORM) == said


def test_a_file_that_is_a_folder_or_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    (tmp_path / "b.json").write_text('{"seconds": NaN}')
    for name in ("a.json", "b.json"):
        with pytest.raises(SentilabError, match=rf"{name}: not valid .*; remove it\."):
            json_file(tmp_path / name, advice="; remove it.")


def test_what_an_error_shows_is_one_line_and_short() -> None:
    assert printable("a\nb\x1b\ud800") == "a b��"
    assert len(printable("a" * 9_999)) < 300
    assert len(shown(["a"] * 9_999)) < 120
    assert shown(16**9_999) == "a huge int"
    assert listed(range(14)).endswith('"11" and 2 more')
    assert listed(["a", "b"], mark="") == "a, b"
