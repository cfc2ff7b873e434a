import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sentilab
from sentilab.checkup import Checkup, Unlabelled, check_data, unlabelled_beside
from sentilab.checkup.material import Material
from sentilab.checkup.repeats import repeats
from sentilab.data import Dataset, load
from sentilab.data.dataset import subset
from sentilab.errors import DataError, DataNotFound

Make = Callable[..., Dataset]
Clean = tuple[list[str], list[int], list[str]]


def problems(checkup: Checkup) -> set[str]:
    return {one.name for one in checkup.of("problem")}


def concerns(checkup: Checkup) -> set[str]:
    return problems(checkup) | {one.name for one in checkup.of("worth knowing")}


def test_clean_data_give_no_finding_above_fine(make: Make, clean: Clean) -> None:
    for splits in (clean[2], None):
        checkup = sentilab.check_data(make(*clean[:2], splits))
        assert concerns(checkup) == set()
    assert checkup.texts == {"all": 400}


def test_a_text_in_both_splits_is_a_problem_and_one_among_unlabelled_texts_is_none(
    make: Make, clean: Clean
) -> None:
    texts, labels, splits = clean
    texts[3] = texts[0].upper().replace(" ", "  ")
    labels[3] = labels[0]
    unlabelled = Unlabelled(["unlabelled/1"], [texts[4]])
    checkup = check_data(make(texts, labels, splits), unlabelled=unlabelled)
    found = checkup["repeats across splits"]
    assert problems(checkup) == {"repeats across splits"}
    assert found.sentence == "1 text stands in both train and test."
    assert found.table is not None
    assert dict(found.table.rows) == {
        "train and test": 1,
        "train and unlabelled": 0 if splits[4] == "test" else 1,
        "test and unlabelled": 1 if splits[4] == "test" else 0,
    }
    (passage,) = found.examples[0]
    assert {passage.id, *passage.also} == {"line/2", "line/5"}
    assert checkup.texts == {"train": 300, "test": 100, "unlabelled": 1}


def test_repeats_within_a_split_are_counted_exact_ones_apart(make: Make, clean: Clean) -> None:
    texts, labels, splits = clean
    texts[1], labels[1] = texts[0], labels[0]
    texts[2], labels[2] = texts[0].title(), labels[0]
    found = check_data(make(texts, labels, splits))["repeats"]
    assert found.severity == "worth knowing"
    assert found.table is not None
    assert found.table.rows[0] == ("train", 300, 2, 1, 2 / 300)
    assert found.numbers["rows that repeat another, all splits together"] == 2


def test_repeats_with_different_labels_are_a_problem_shown_with_both_labels(
    make: Make, clean: Clean
) -> None:
    texts, labels, splits = clean
    texts[1], labels[0], labels[1] = texts[0], 0, 1
    checkup = check_data(make(texts, labels, splits))
    assert problems(checkup) == {"label conflicts"}
    ((first, second),) = checkup["label conflicts"].examples
    assert {(first.id, first.label), (second.id, second.label)} == {
        ("line/2", "no"),
        ("line/3", "yes"),
    }


def test_a_planted_near_duplicate_is_found_and_the_changed_word_marked(
    make: Make, clean: Clean
) -> None:
    texts, labels, splits = clean
    words = texts[0].split()
    texts[3] = " ".join([*words[:15], "otherwise", *words[16:]])
    labels[0], labels[3] = 0, 1
    checkup = check_data(make(texts, labels, splits), threshold=0.7)
    assert problems(checkup) == {"near-duplicates across splits"}
    first, second = checkup["near-duplicates across splits"].examples[0]
    assert (first.id, second.id) == ("line/2", "line/5")
    assert [first.text[start:end] for start, end in first.marks] == [words[15]]
    assert [second.text[start:end] for start, end in second.marks] == ["otherwise"]
    against = checkup["label conflicts of near-duplicates"]
    assert against.severity == "worth knowing"
    assert against.numbers["pairs with different labels"] == 1
    assert "near-duplicates across splits" not in concerns(check_data(make(*clean), threshold=0.95))


@pytest.mark.parametrize(
    ("name", "planted", "marked"),
    [
        ("mojibake", "caf\u00c3\u00a9", "\u00c3\u00a9"),
        ("mojibake", "don\u00e2\u20ac\u2122t", "\u00e2\u20ac\u2122"),
        ("replacement characters", "caf\ufffd", "\ufffd"),
        ("control characters", "end \x96 of", "\\x96"),
        ("unseen characters", "zero\u200bwidth", "\\u200b"),
        ("markup", "line<br />break", "<br />"),
        ("markup", "this &amp; that", "&amp;"),
    ],
)
def test_damage_is_found_counted_and_shown(
    make: Make, clean: Clean, name: str, planted: str, marked: str
) -> None:
    texts, labels, splits = clean
    texts[7] += f" {planted} {planted}"
    checkup = check_data(make(texts, labels, splits))
    assert concerns(checkup) == {name}
    found = checkup[name]
    assert found.table is not None
    assert found.table.rows[1][:3] == ("test", 1, 2)
    (passage,) = found.examples[0]
    assert passage.id == "line/9"
    assert [passage.text[start:end] for start, end in passage.marks] == [marked]


def test_damage_in_many_texts_is_a_problem(make: Make, clean: Clean) -> None:
    texts, labels, splits = clean
    texts[:40] = [text + " caf\u00c3\u00a9" for text in texts[:40]]
    assert problems(check_data(make(texts, labels, splits))) == {"mojibake"}


def test_text_in_other_languages_is_no_mojibake(make: Make, clean: Clean) -> None:
    texts, labels, splits = clean
    texts[:5] = [
        "Ça va être très naïf",
        "«Être» — à côté",
        "Größe, Ärger, “Öl”",
        "Привет",
        "日本語",
    ]
    checkup = check_data(make(texts, labels, splits))
    assert checkup["mojibake"].severity == "fine"


def test_a_word_that_gives_the_label_away_is_named_as_it_is_written(
    make: Make, clean: Clean
) -> None:
    texts, labels, splits = clean
    texts = [
        f"{text} I give it 9/10." if label and row % 3 else text
        for row, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    checkup = check_data(make(texts, labels, splits))
    found = checkup["words that give the label away"]
    assert found.severity == "problem"
    assert found.table is not None
    by_term = {row[0]: row for row in found.table.rows}
    planted = sum(label and row % 3 > 0 for row, label in enumerate(labels))
    assert by_term["9"][1:4] == ("yes", planted, 1.0)
    assert by_term["9"][5] < 1e-9


def test_a_frequent_word_that_says_nothing_is_not_named(make: Make, clean: Clean) -> None:
    texts = [f"{text} 9/10" for text in clean[0]]
    checkup = check_data(make(texts, clean[1], clean[2]))
    assert checkup["words that give the label away"].severity == "fine"


def test_pairs_of_words_are_named_where_neither_word_says_it_alone(
    make: Make, clean: Clean
) -> None:
    texts = [
        f"{text} {'very good' if label else 'good very'}"
        for text, label in zip(clean[0], clean[1], strict=True)
    ]
    found = check_data(make(texts, clean[1], clean[2]))["words that give the label away"]
    assert found.table is not None
    assert {"very good", "good very"} <= {row[0] for row in found.table.rows}
    assert not {"very", "good"} & {row[0] for row in found.table.rows}


def test_columns_that_decide_the_label_are_told_from_others(make: Make, clean: Clean) -> None:
    texts, labels, _ = clean
    random = np.random.default_rng(1)
    columns = {
        "stars": [5 if label else random.choice([1, 2]) for label in labels],
        "score": [label + random.normal() / 10 for label in labels],
        "noise": random.normal(size=400).tolist(),
        "author": [f"author {number}" for number in range(400)],
        "empty": [None] * 400,
    }
    found = check_data(make(texts, labels), columns=columns)["columns that give the label away"]
    assert found.severity == "worth knowing"
    assert "“score” and “stars”" in found.sentence
    assert found.table is not None
    right = {row[0]: row[1] for row in found.table.rows}
    assert right["stars"] == 1
    assert all(0.3 < right[name] < 0.7 for name in ("noise", "author", "empty"))


def test_length_that_tells_the_label_is_a_problem(make: Make, clean: Clean) -> None:
    texts = [
        text if label else " ".join(text.split()[:12])
        for text, label in zip(clean[0], clean[1], strict=True)
    ]
    checkup = check_data(make(texts, clean[1]))
    assert "length and label" in problems(checkup)
    assert "“no” is shorter" in checkup["length and label"].sentence


def test_rows_sorted_by_label_are_said_to_be(make: Make, clean: Clean) -> None:
    checkup = check_data(make(clean[0], sorted(clean[1]), clean[2]))
    found = checkup["order of rows"]
    assert found.sentence == "Rows are sorted by label in train and test."
    assert found.numbers["runs of one label"] == 4


def test_uneven_rare_and_missing_labels(make: Make, clean: Clean) -> None:
    texts, _, splits = clean
    uneven = [int(row % 5 == 0) for row in range(400)]
    assert "right in 80%" in check_data(make(texts, uneven))["label balance"].sentence
    one = check_data(make(texts, [0] * 400))
    assert "one label" in one["label balance"].sentence
    assert "label balance" in problems(one)
    missing = check_data(make(texts, [int(part == "test") for part in splits], splits))
    assert missing["label balance"].sentence == (
        "A label is missing: train has no “yes” and test has no “no”."
    )
    many = check_data(
        make(texts, [row % 40 for row in range(400)], None, tuple(map(str, range(40))))
    )
    assert many["label balance"].sentence.startswith("Few texts have the label")


def test_texts_without_words_and_of_one_word(make: Make, clean: Clean) -> None:
    texts, labels, splits = clean
    texts[:3] = ["!!!", "", "word"]
    checkup = check_data(make(texts, labels, splits))
    assert checkup["lengths"].sentence == "2 texts have no word and 1 text has one word only."
    assert {one[0].id for one in checkup["lengths"].examples[:3]} == {"line/2", "line/3", "line/4"}


def test_words_of_the_test_split_that_training_lacks(make: Make, clean: Clean) -> None:
    texts, labels, splits = clean
    texts = [
        f"{text} {' '.join(f'only{row}x{n}' for n in range(10))}" if part == "test" else text
        for row, (text, part) in enumerate(zip(texts, splits, strict=True))
    ]
    found = check_data(make(texts, labels, splits))["unknown words"]
    assert found.severity == "worth knowing"
    assert found.numbers["share of words in test outside the vocabulary"] == 0.25


@pytest.mark.parametrize(
    "texts",
    [["", ""], ["a", "b"], ["\x00", "\ud800"], ["İİ 9/10", "ß"], ["same"] * 30, ["!"] * 30],
)
def test_odd_and_tiny_data_are_checked_too(make: Make, texts: list[str]) -> None:
    for splits in (None, ["train", "test"] * (len(texts) // 2), ["train"] * len(texts)):
        for labels in ([0] * len(texts), [0, 1] * (len(texts) // 2)):
            checkup = check_data(make(texts, labels, splits), columns={"c": [None] * len(texts)})
            json.dumps(checkup.to_json())


def test_misuse_is_refused(make: Make) -> None:
    with pytest.raises(DataError, match="no texts"):
        check_data(make([], []))
    with pytest.raises(ValueError, match="threshold 2"):
        check_data(make(["a"], [0]), threshold=2)
    with pytest.raises(ValueError, match='column "c": 2 values for 1 rows'):
        check_data(make(["a"], [0]), columns={"c": [1, 2]})


# Few words, so that texts repeat, nearly repeat and contradict each other.
tables = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["Good", "good", "bad", "film", "7/10", "Ã©"]), max_size=6),
        st.integers(0, 2),
        st.sampled_from(["train", "test"]),
    ),
    min_size=2,
    max_size=40,
)


@settings(max_examples=40)
@given(tables, st.randoms(use_true_random=False))
def test_shuffling_the_rows_changes_nothing_but_the_finding_about_their_order(
    make: Make, rows: list[tuple[list[str], int, str]], random: object
) -> None:
    texts = [" ".join(words) for words, _, _ in rows]
    data = make(
        texts, [label for _, label, _ in rows], [part for *_, part in rows], ("a", "b", "c")
    )
    order = np.asarray(random.sample(range(len(rows)), len(rows)))  # type: ignore[attr-defined]

    def seen(checkup: Checkup) -> list[object]:
        return [dataclasses.asdict(one) for one in checkup.findings if one.name != "order of rows"]

    assert sorted(map(str, seen(check_data(data)))) == sorted(
        map(str, seen(check_data(subset(data, order))))
    )


def imdb_with_unlabelled() -> tuple[Dataset, Unlabelled]:
    try:
        imdb = load("imdb", download=False)
    except DataNotFound as error:
        pytest.skip(str(error).splitlines()[0])
    unlabelled = unlabelled_beside(imdb)
    if unlabelled is None:
        pytest.skip("the unlabelled reviews are not beside the labelled ones")
    return imdb, unlabelled


@pytest.mark.real_data
def test_of_the_100000_texts_of_imdb_1531_repeat_another_and_123_stand_in_both_splits() -> None:
    across, within, against = repeats(Material.of(*imdb_with_unlabelled()))
    assert across.table is not None
    assert across.table.rows[0] == ("train and test", 123)
    assert within.numbers["rows that repeat another, all splits together"] == 1_531
    assert against.severity == "fine"


@pytest.mark.real_data
def test_near_duplicates_and_ratings_are_found_in_a_third_of_the_training_reviews_of_imdb() -> None:
    imdb, _ = imdb_with_unlabelled()
    checkup = check_data(subset(imdb, np.flatnonzero(imdb.splits == "train")[::3]))
    # All of IMDB has 60, in agreement with an exact search by the texts' rarest shingles.
    assert checkup["near-duplicates"].numbers["pairs, all splits together"] == 2
    words = checkup["words that give the label away"]
    assert words.table is not None
    assert {row[0] for row in words.table.rows} & {"7/10", "4/10", "3/10"}
    assert problems(checkup) == set()
