"""Texts without labels: where they are found, how they are read, what is left out of them."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentilab import data
from sentilab.errors import DataError, DataNotFound


def reviews(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {"split": ["train"] * 3, "id": [10, 2, 0], "text": ["last", "second", "first"]}
    )
    pq.write_table(table, folder / "imdb-unlabelled.parquet")
    return folder


def unpacked(folder: Path) -> Path:
    unsup = folder / "aclImdb" / "train" / "unsup"
    unsup.mkdir(parents=True)
    for number, text in ((10, "last"), (2, "second"), (0, "first")):
        (unsup / f"{number}_0.txt").write_text(text)
    (unsup / "urls.txt").write_text("none of the reviews")
    return folder


def test_the_folder_and_the_parquet_give_the_same_texts_by_number(tmp_path: Path) -> None:
    one = data.unlabelled("imdb", data=reviews(tmp_path / "parquet"))
    other = data.unlabelled("imdb", data=unpacked(tmp_path / "folder"))
    assert list(one.texts) == list(other.texts) == ["first", "second", "last"]
    assert one.fingerprint == other.fingerprint
    assert one.name == other.name == "imdb"


def test_reviews_are_found_beside_the_labelled_ones_that_are_named(tmp_path: Path) -> None:
    labelled = reviews(tmp_path) / "imdb-labelled.parquet"
    labelled.write_bytes(b"")
    assert len(data.unlabelled("imdb", data=labelled)) == 3


def test_reviews_are_found_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTILAB_DATA", str(reviews(tmp_path)))
    assert len(data.unlabelled("imdb")) == 3


def test_an_error_names_every_place_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataNotFound, match=r"(?s)\./datasets.*cache folder.*aclImdb_v1"):
        data.unlabelled("imdb")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("some.csv", 'id,text\n1,"good, really"\n2,bad\n'),
        ("some.tsv", "id\ttext\n1\tgood, really\n2\tbad\n"),
        ("some.jsonl", '{"text": "good, really", "id": 1}\n{"text": "bad"}\n'),
        ("some.txt", "good, really\n\nbad\n"),
        ("one-column.csv", 'whatever\n"good, really"\nbad\n'),
    ],
)
def test_every_form_of_a_users_file_is_read(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    found = data.unlabelled(path)
    assert list(found.texts) == ["good, really", "bad"]
    assert (found.name, found.origin) == (path.stem, name)
    assert found.fingerprint == data.unlabelled(path).fingerprint


def test_a_parquet_file_of_a_users_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"review": ["good", "bad"], "stars": [5, 1]}), path)
    found = data.unlabelled(path)
    assert list(found.texts) == ["good", "bad"]
    assert 'column "review" (guessed)' in found.notices[0]


def test_other_texts_have_another_fingerprint(tmp_path: Path) -> None:
    for name, content in (("a.txt", "one\ntwo\n"), ("b.txt", "one two\n"), ("c.txt", "two\none\n")):
        (tmp_path / name).write_text(content)
    prints = {data.unlabelled(tmp_path / name).fingerprint for name in ("a.txt", "b.txt", "c.txt")}
    assert len(prints) == 3


def test_bad_lines_are_set_aside_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(b"good\n" * 30 + b"caf\xe9\n" + b"bad\n")
    found = data.unlabelled(path)
    assert len(found) == 31
    assert found.rejected.count == 1
    assert found.rejected.path is not None
    assert "31,not UTF-8 at byte 4" in found.rejected.path.read_text()


def test_a_column_that_cannot_be_guessed_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"a": "good", "b": "bad"}) + "\n")
    with pytest.raises(DataError, match=r'cannot tell which column holds the texts.*"a", "b"'):
        data.unlabelled(path)
    with pytest.raises(DataError, match='no column "c"'):
        data.unlabelled(path, text_column="c")
    assert list(data.unlabelled(path, text_column="b").texts) == ["bad"]


def test_a_file_that_is_not_there_or_empty_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match="no such file"):
        data.unlabelled(tmp_path / "none.csv")
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(DataError, match="no texts"):
        data.unlabelled(tmp_path / "empty.txt")
    with pytest.raises(DataError, match="a folder"):
        data.unlabelled(tmp_path)
