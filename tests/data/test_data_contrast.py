import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentilab import data
from sentilab.data import Dataset, contrast, contrast_pairs, leave_out, load
from sentilab.data.dataset import ArrowTexts, fingerprint_of, subset
from sentilab.data.generated import generate
from sentilab.data.sources import places
from sentilab.errors import DataError, DataNotFound

PAIRS = [
    ("Positive", "A fine film.<br />Truly.", "A poor film.<br />Truly."),
    ("Negative", 'He said "dull",\nand it is.', 'He said "great",\nand it is.'),
]


def write_rows(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([("Sentiment", "Text"), *rows])


def write_sets(home: Path, pairs: list[tuple[str, str, str]] = PAIRS) -> Path:
    """The four files, the first pair in dev and the others in test."""
    folder = home / contrast.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    other = {"Positive": "Negative", "Negative": "Positive"}
    for part, chosen in (("dev", pairs[:1]), ("test", pairs[1:])):
        write_rows(folder / f"{part}_original.tsv", [(label, one) for label, one, _ in chosen])
        write_rows(
            folder / f"{part}_contrast.tsv", [(other[label], two) for label, _, two in chosen]
        )
    return folder


def reviews(texts: list[str], splits: list[str] | None = None) -> Dataset:
    labels = np.arange(len(texts)) % 2
    return Dataset(
        name="imdb",
        origin="imdb.parquet",
        fingerprint="made-up",
        ids=[str(number) for number in range(len(texts))],
        texts=texts,
        labels=labels,
        label_names=("negative", "positive"),
        splits=None if splits is None else np.array(splits),
    )


def test_pairs_are_read_in_order_with_quotes_and_line_breaks(tmp_path: Path) -> None:
    pairs = contrast.read(write_sets(tmp_path))
    assert [one.positive for one in pairs] == [True, False]
    assert [(one.original, one.twin) for one in pairs] == [(one, two) for _, one, two in PAIRS]


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), min_size=1))
def test_any_text_comes_back_as_it_was_written(text: str) -> None:
    if not text.strip():
        return
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dev_original.tsv"
        write_rows(path, [("Positive", text)])
        assert contrast._rows(path) == [(True, text)]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("dev_original.tsv", "Label\tText\n", "dev_original.tsv, line 1: the header must be"),
        ("dev_original.tsv", "", "line 1"),
        ("dev_contrast.tsv", "Sentiment\tText\nMixed\tso so\n", "line 2: not Negative or Positive"),
        ("dev_contrast.tsv", "Sentiment\tText\nNegative\t \n", "line 2"),
        ("dev_contrast.tsv", "Sentiment\tText\nNegative\n", "line 2"),
        ("dev_contrast.tsv", "Sentiment\tText\n", "0 reviews where dev_original.tsv has 1"),
        (
            "dev_contrast.tsv",
            "Sentiment\tText\nPositive\tfine\n",
            "review 1: it has the label of its",
        ),
        ("dev_contrast.tsv", 'Sentiment\tText\nNegative\t"open\n', "cannot be read"),
    ],
)
def test_files_that_are_not_as_published_are_refused(
    tmp_path: Path, name: str, content: str, complaint: str
) -> None:
    folder = write_sets(tmp_path)
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=complaint):
        contrast.read(folder)


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    folder = write_sets(tmp_path)
    (folder / "test_contrast.tsv").write_bytes(b"Sentiment\tText\nNegative\t\xff\xfe\n")
    with pytest.raises(DataError, match=r"test_contrast\.tsv: cannot be read"):
        contrast.read(folder)


def test_folding_passes_over_space_case_and_lost_dashes() -> None:
    assert contrast.folded("A  film \x96 GOOD\x97bad") == contrast.folded("a film goodbad")
    assert contrast.folded("good film") != contrast.folded("goodfilm")


def test_contrast_sets_are_looked_for_beside_the_reviews_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENTILAB_DATA", str(tmp_path / "named"))
    write_sets(tmp_path / "named", PAIRS[:1])
    assert len(contrast_pairs()) == 1
    write_sets(tmp_path / "beside")
    assert len(contrast_pairs(tmp_path / "beside")) == 2


def test_the_error_lists_every_place_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SENTILAB_DATA", raising=False)
    folder = write_sets(tmp_path / "datasets")
    (folder / "test_contrast.tsv").unlink()
    with pytest.raises(DataNotFound) as caught:
        contrast_pairs(tmp_path / "beside")
    said = str(caught.value)
    assert "without test_contrast.tsv" in said
    assert "github.com/allenai/contrast-sets" in said
    for _, place in places():
        assert str((place / contrast.FOLDER).absolute()) in said
    assert f"beside the reviews: {tmp_path / 'beside' / contrast.FOLDER} (does not exist)" in said


def test_originals_are_left_out_of_training_and_stay_in_the_test_split(tmp_path: Path) -> None:
    pairs = contrast.read(write_sets(tmp_path))
    whole = reviews(
        ["one", "A FINE film.<br />Truly.", "two", "a fine  film.<br />truly.", "three"],
        ["train", "train", "train", "test", "test"],
    )
    left = contrast.leave_out(whole, pairs)
    assert list(left.texts) == ["one", "two", "a fine  film.<br />truly.", "three"]
    assert list(left.ids) == ["0", "2", "3", "4"]
    assert left.labels.tolist() == [0, 0, 1, 0]
    assert (left.name, left.without) == ("imdb", "contrast-originals")
    assert left.fingerprint != whole.fingerprint
    assert left.notices == (
        "1 review that is an original of the contrast sets was left out of the training data.",
    )


def test_without_official_splits_every_original_is_left_out(tmp_path: Path) -> None:
    pairs = contrast.read(write_sets(tmp_path))
    left = contrast.leave_out(reviews(["one", PAIRS[0][1], "two", PAIRS[1][1]]), pairs)
    assert list(left.texts) == ["one", "two"]


def test_data_without_any_original_are_an_error_and_generated_ones_a_notice(tmp_path: Path) -> None:
    pairs = contrast.read(write_sets(tmp_path))
    with pytest.raises(DataError, match="none of its training texts is an original"):
        contrast.leave_out(reviews(["one", "two"]), pairs)
    corpus = generate(train=20, test=10)
    left = leave_out(corpus, contrast.ORIGINALS)
    assert left.fingerprint == corpus.fingerprint
    assert left.without == ""
    assert "none was left out" in left.notices[-1]


def test_only_known_names_can_be_left_out() -> None:
    corpus = generate(train=20, test=10)
    assert leave_out(corpus, "") is corpus
    with pytest.raises(DataError, match="all that can be left out is contrast-originals"):
        leave_out(corpus, "short-texts")


def test_a_subset_is_the_same_table_whatever_holds_its_texts() -> None:
    import pyarrow as pa

    plain = reviews(["a", "bb", "ccc", "dddd"], ["train", "train", "test", "test"])
    arrow = subset(
        Dataset(**{**vars(plain), "texts": ArrowTexts(pa.array(plain.texts))}), np.array([1, 3])
    )
    kept = subset(plain, np.array([1, 3]))
    assert list(arrow.texts) == list(kept.texts) == ["bb", "dddd"]
    assert arrow.fingerprint == kept.fingerprint
    assert kept.fingerprint == fingerprint_of(
        ["bb", "dddd"], kept.labels, kept.label_names, kept.splits
    )


def in_reach() -> bool:
    from sentilab.data import imdb

    return any(
        imdb.find(place) is not None and (place / contrast.FOLDER).is_dir() for _, place in places()
    )


@pytest.mark.real_data
@pytest.mark.skipif(not in_reach(), reason="IMDB and its contrast sets are not in reach")
def test_every_original_stands_in_imdbs_training_split() -> None:
    whole = load("imdb", download=False)
    pairs = contrast_pairs(whole.home)
    assert len(pairs) == 588
    training = {
        contrast.folded(text)
        for text, split in zip(whole.texts, whole.splits, strict=True)
        if split == "train"
    }
    assert all(contrast.folded(one.original) in training for one in pairs)
    assert not any(contrast.folded(one.twin) in training for one in pairs)
    left = data.leave_out(whole, "contrast-originals")
    assert len(whole) - len(left) == 594
    assert (left.splits == "test").sum() == 25_000
