from hypothesis import given
from hypothesis import strategies as st

from sentilab.checkup.excerpts import around, side_by_side, start_of, visible


def marked(excerpt: tuple[str, tuple[tuple[int, int], ...]]) -> list[str]:
    text, marks = excerpt
    return [text[start:end] for start, end in marks]


def test_characters_that_no_screen_shows_are_spelt_out() -> None:
    assert visible("a\x96b\u200bc \n\t d\x1b[31m") == "a\\x96b\\u200bc d\\x1b[31m"


def test_differing_words_are_marked_on_both_sides() -> None:
    left, right = side_by_side("one two three four", "one TWO 3 and a half four")
    assert marked(left) == ["three"]
    assert marked(right) == ["3 and a half"]


def test_where_all_words_are_equal_what_stands_between_them_is_compared() -> None:
    left, right = side_by_side("Fine film. Really", "fine film! Really")
    assert (marked(left), marked(right)) == (["Fine", "."], ["fine", "!"])


def test_long_texts_are_shown_from_shortly_before_the_first_difference() -> None:
    words = [f"w{n}" for n in range(100)]
    left, right = side_by_side(" ".join(words), " ".join([*words[:60], "new", *words[60:]]))
    assert left[0].startswith("… w54 w55")
    assert marked(left) == []
    assert marked(right) == ["new"]
    assert right[0].endswith("…")


@given(st.text(max_size=80), st.text(max_size=80))
def test_marks_lie_within_what_is_shown(first: str, second: str) -> None:
    for text, marks in side_by_side(first, second):
        assert all(0 <= start < end <= len(text) for start, end in marks)
        assert "\n" not in text


@given(st.text(min_size=1, max_size=300), st.data())
def test_what_is_marked_is_what_was_asked_for(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    shown, ((low, high),) = around(text, start, end)
    assert shown[low:high] == visible(text[start:end])


def test_a_short_text_is_shown_whole_and_a_long_one_cut() -> None:
    assert start_of("short") == ("short", ())
    assert start_of("word " * 100)[0].endswith("…")
