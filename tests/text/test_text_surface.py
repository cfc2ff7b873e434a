import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sentilab.text.surface import pieces_of, spans_of
from sentilab.text.words import FILTERS, words_of

# Letters whose lower case is longer, depends on what follows, or comes from elsewhere; separators.
letters = st.sampled_from([*"aBÄßİΣσςAͅKǅ中é\u0301\u00a0\r\u200d😀", *FILTERS, " "])
anything = st.one_of(st.text(letters, max_size=30), st.text(max_size=40))


def folded(word: str) -> str:
    """As ``words_of`` lowers; which of its two small forms a sigma gets depends on its neighbours."""
    return word.lower().replace("ς", "σ")


@given(anything)
@example("ΑΣ:Α İstanbul ΑΣ")
@example("\ud800 lone")
@example("ﬁn ŉ İİ!İ")
def test_spans_give_the_words_back(text: str) -> None:
    spans = spans_of(text)
    written = [text[start:end] for start, end in spans]
    assert [folded(one) for one in written] == [folded(one) for one in words_of(text)]


@given(anything)
def test_spans_are_in_order_and_between_them_are_separators_alone(text: str) -> None:
    ends = [0, *(at for span in spans_of(text) for at in span), len(text)]
    assert ends == sorted(ends)
    between = [text[a:b] for a, b in zip(ends[::2], ends[1::2], strict=True)]
    assert set("".join(between)) <= {*FILTERS, " "}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" ... ", []),
        ("Good, very GOOD!", ["Good", "very", "GOOD"]),
        ("It's<br />İstanbul's", ["It's", "br", "İstanbul's"]),
    ],
)
def test_words_stay_as_they_are_written(text: str, words: list[str]) -> None:
    assert [text[slice(*span)] for span in spans_of(text)] == words


def test_every_letter_of_a_long_text_is_covered_once() -> None:
    text = "One two, three; İÇ four.\n" * 50
    covered = "".join(text[slice(*span)] for span in spans_of(text))
    assert covered == re.sub(r"[ ,;.\n]", "", text)


def test_pieces_cover_the_text() -> None:
    assert pieces_of("a, b!", [(0, 1), (3, 4)], [1.0, -1.0]) == [
        ("a", 1.0),
        (", ", None),
        ("b", -1.0),
        ("!", None),
    ]
