import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_predictor import FakePredictor
from hypothesis import given, settings
from hypothesis import strategies as st

from sentilab.data import files, forms
from sentilab.errors import DataError, SentilabError, SettingsError
from sentilab.scoring import Scored, records, score_file
from sentilab.scoring.answers import Naming
from sentilab.scoring.forms import form_of, open_source

Score = Callable[..., Scored]
ADDED = ["label", "probability", "probability_negative", "probability_positive"]

# All that UTF-8 can hold.
anything = st.text(st.characters(exclude_categories=["Cs"]))
no_nul = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def read_csv(path: Path, separator: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=separator, strict=True))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().decode().split("\n")[:-1]]


def expected(text: str) -> tuple[str, float]:
    predictor = FakePredictor()
    probabilities = predictor.probabilities_of(predictor.encode([text]))
    number = int(predictor.decide(probabilities)[0])
    return predictor.labels[number], float(probabilities[0, number])


def test_a_csv_file_keeps_its_rows_as_they_stand_and_gains_the_answers(
    score: Score, tmp_path: Path
) -> None:
    content = b'id,text,"odd, name"\r\n007,"a ""fine"" film,\r\nreally",""\r\n8,dull ,x\r\n'
    done = score("in.csv", content, "out.csv")
    assert (done.rows, done.rejected, done.text_column) == (2, 0, "text")
    rows = read_csv(tmp_path / "out.csv")
    assert rows[0] == ["id", "text", "odd, name", *ADDED]
    assert rows[1][:3] == ["007", 'a "fine" film,\r\nreally', ""]
    assert rows[2][:3] == ["8", "dull ", "x"]
    for row in rows[1:]:
        label, probability = expected(row[1])
        assert row[3] == label
        assert float(row[4]) == pytest.approx(probability, abs=1e-3)
        assert float(row[5]) + float(row[6]) == pytest.approx(1, abs=1e-5)
    raw = (tmp_path / "out.csv").read_bytes()
    assert raw.startswith(b'id,text,"odd, name",label,')
    assert b'\r\n007,"a ""fine"" film,\r\nreally","",' in raw
    assert not (tmp_path / "out.rejected.csv").exists()


@pytest.mark.parametrize(
    ("name", "separator", "end"),
    [("a.tsv", "\t", b"\n"), ("a.csv", ",", b"\r"), ("a.csv", ",", b"\r\n")],
)
def test_separators_and_ends_of_lines_are_the_inputs(
    name: str, separator: str, end: bytes, score: Score, tmp_path: Path
) -> None:
    lines = [b"\xef\xbb\xbftext" + separator.encode() + b"n", b"good" + separator.encode() + b"1"]
    score(name, end.join(lines) + end, f"out{name[1:]}")
    raw = (tmp_path / f"out{name[1:]}").read_bytes()
    assert raw.startswith(lines[0] + separator.encode() + b"label")
    assert raw.count(end) == 2
    assert raw.endswith(end)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.txt.gz"])
def test_packed_files_are_read_and_written_packed(
    name: str, score: Score, tmp_path: Path, chunks_of: Callable[[int], None]
) -> None:
    chunks_of(10)
    plain = name.removesuffix(".gz")
    rows = {
        "a.csv": b"text\n" + b"".join(b"row %d\n" % n for n in range(95)),
        "a.jsonl": b"".join(b'{"text": "row %d"}\n' % n for n in range(95)),
        "a.txt": b"".join(b"row %d\n" % n for n in range(95)),
    }[plain]
    score(plain, rows, f"plain.{plain}")
    done = score(name, gzip.compress(rows), f"out.{name}")
    assert done.rows == 95
    packed = (tmp_path / f"out.{name}").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / f"plain.{plain}").read_bytes()


def test_a_packed_file_that_is_cut_off_is_an_error_that_says_so(score: Score) -> None:
    whole = gzip.compress("\n".join(["text", *map(str, range(99_999))]).encode())
    with pytest.raises(DataError, match="damaged or cut off"):
        score("a.csv.gz", whole[: len(whole) // 2], "out.csv")


@settings(max_examples=60)
@given(
    st.lists(st.tuples(no_nul, no_nul), min_size=1, max_size=30), st.sampled_from(["\n", "\r\n"])
)
def test_any_texts_come_back_from_csv_each_once_and_in_order(
    rows: list[tuple[str, str]], end: str
) -> None:
    # The first field is there to hold a row that is only white space.
    rows = [(f"#{number}{one}", f".{text}") for number, (one, text) in enumerate(rows)]
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "a.csv"), Path(folder, "out.csv")
        with source.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
                [("other", "text"), *rows]
            )
        done = score_file(FakePredictor(), source, out)
        assert (done.rows, done.rejected) == (len(rows), 0)
        assert [tuple(row[:2]) for row in read_csv(out)[1:]] == rows
        for kind in (".jsonl", ".parquet", ".tsv"):
            score_file(FakePredictor(), source, out.with_suffix(kind))
        found = read_json_lines(out.with_suffix(".jsonl"))
        assert [(row["other"], row["text"]) for row in found] == rows
        table = pq.read_table(out.with_suffix(".parquet")).to_pylist()
        assert [(row["other"], row["text"]) for row in table] == rows
        assert [tuple(row[:2]) for row in read_csv(out.with_suffix(".tsv"), "\t")[1:]] == rows


@settings(max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"text": anything},
            optional={"n": st.none() | st.booleans() | st.integers() | st.floats() | anything},
        ),
        min_size=1,
        max_size=30,
    ),
    st.booleans(),
)
def test_any_texts_come_back_from_json_lines_each_once_and_in_order(
    rows: list[dict[str, Any]], ascii_only: bool
) -> None:
    for row in rows:
        row["text"] = "." + row["text"]
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "a.jsonl"), Path(folder, "out.jsonl")
        lines = [json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows]
        source.write_bytes("".join(lines).encode())
        done = score_file(FakePredictor(), source, out)
        assert (done.rows, done.rejected) == (len(rows), 0)
        found = read_json_lines(out)
        assert all(list(row)[-4:] == ADDED for row in found)
        kept = [{key: row[key] for key in row if key not in ADDED} for row in found]
        assert repr(kept) == repr(rows)  # repr, since NaN is not equal to itself
        for kind in (".csv", ".parquet"):
            score_file(FakePredictor(), source, out.with_suffix(kind))
        table = pq.read_table(out.with_suffix(".parquet")).to_pylist()
        assert [row["text"] for row in table] == [row["text"] for row in rows]
        found_csv = read_csv(out.with_suffix(".csv"))
        place = found_csv[0].index("text")
        assert [row[place] for row in found_csv[1:]] == [row["text"] for row in rows]


@settings(max_examples=150)
@given(
    st.lists(
        st.text(st.sampled_from('ab",\r é\0\t'), max_size=12).map(str.encode)
        | st.sampled_from(
            [b"\xff", b'"a', b'b"', b'x,"y', b'"x"y,z', b"a,b", b'"a\xfe,', b"a,b,c"]
        ),
        max_size=12,
    ),
    st.integers(1, 5),
)
def test_rows_and_faults_of_csv_are_those_of_training_data(lines: list[bytes], rows: int) -> None:
    content = b"one,text\n" + b"\n".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(content)
        # Without its second look at files that have faults.
        read = content.removesuffix(b"\n").split(b"\n")
        wanted = list(forms._records_as_they_stand(read, ["one", "text"], ",", None))
        source = open_source(path, form_of(path), "text", Naming(("a", "b")))
        found: list[dict[str, Any]] = []
        faults = []
        position = source.start
        # Each chunk by a reader of its own, as after a kill.
        while (chunk := next(source.chunks(position, rows), None)) is not None:
            position = chunk.after
            found += source.rows(chunk)
            faults += [one for one in chunk.bad if one.reason != "empty text"]
        good = [one.fields for one in wanted if isinstance(one, forms.Row)]
        assert found == [row for row in good if str(row["text"]).strip()]
        bad = [one for one in wanted if isinstance(one, forms.BadRow)]
        assert [(one.place, one.reason) for one in faults] == [
            (one.line, one.reason) for one in bad
        ]


def test_plain_lines_give_label_probabilities_and_the_text_last(
    score: Score, tmp_path: Path
) -> None:
    done = score("a.txt", b"\xef\xbb\xbfgood\twith a tab\r\n\n \ndull", "out.txt")
    assert (done.rows, done.rejected) == (2, 0)
    lines = (tmp_path / "out.txt").read_text().split("\n")
    assert [line.split("\t", 4)[4] for line in lines[:-1]] == ["good\twith a tab", "dull"]
    assert lines[0].split("\t")[0] == expected("good\twith a tab")[0]
    score("a.txt", None, "out.csv")
    assert [row[0] for row in read_csv(tmp_path / "out.csv")] == [
        "text",
        "good\twith a tab",
        "dull",
    ]


def table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(2000), pa.int32()),
            "review": pa.array([f"row {n}" for n in range(2000)], pa.large_string()),
            "kind": pa.array([f"kind {n // 700}" for n in range(2000)]).dictionary_encode(),
            "list": pa.array([[n, None] for n in range(2000)]),
            "day": pa.array([n * 86_400_000_000 for n in range(2000)], pa.timestamp("us", "UTC")),
        }
    ).replace_schema_metadata({"made": "by hand"})


def test_a_parquet_table_keeps_its_columns_and_types_and_gains_the_answers(
    score: Score, tmp_path: Path, chunks_of: Callable[[int], None]
) -> None:
    chunks_of(600)
    pq.write_table(table(), tmp_path / "a.parquet", row_group_size=900)
    done = score("a.parquet", None, "out.parquet", explain=True)
    assert (done.rows, done.text_column) == (2000, "review")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.column_names == [*table().column_names, *ADDED, "weights"]
    assert found.select(table().column_names).equals(table())
    assert found.schema.metadata[b"made"] == b"by hand"
    assert str(found.schema.field("probability").type) == "float"
    assert found["label"].to_pylist() == [expected(f"row {n}")[0] for n in range(2000)]
    first = found["weights"][7].as_py()
    assert [one["piece"] for one in first] == ["row", " ", "7"]
    assert first[1]["weight"] is None
    assert first[0]["weight"] == pytest.approx(3 / 7)


def test_a_parquet_table_becomes_csv_and_json_lines(score: Score, tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "a.parquet")
    score("a.parquet", None, "out.csv")
    assert read_csv(tmp_path / "out.csv")[2][:5] == [
        "1",
        "row 1",
        "kind 0",
        "[1, null]",
        "1970-01-02 00:00:00+00:00",
    ]
    score("a.parquet", None, "out.jsonl")
    assert read_json_lines(tmp_path / "out.jsonl")[1]["list"] == [1, None]


def test_json_lines_become_columns_with_types(score: Score, tmp_path: Path) -> None:
    rows = [
        {"text": "a", "n": 1, "x": 1, "is": True, "any": 1},
        {"text": "b", "n": None, "x": 0.5, "is": False, "any": {"deep": ["é"]}, "late": "z"},
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    score("a.jsonl", content, "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    types = {name: str(found.schema.field(name).type) for name in ("n", "x", "is", "any", "late")}
    assert types == {"n": "int64", "x": "double", "is": "bool", "any": "string", "late": "string"}
    assert found["any"].to_pylist() == ["1", '{"deep": ["é"]}']
    assert found["late"].to_pylist() == [None, "z"]
    assert found["x"].to_pylist() == [1.0, 0.5]


def test_weights_of_words_are_a_column_of_json(score: Score, tmp_path: Path) -> None:
    score("a.csv", b'text\n"fine, ""film"""\n', "out.csv", explain=True)
    assert json.loads(read_csv(tmp_path / "out.csv")[1][-1]) == [
        ["fine,", 0.7143],
        [" ", None],
        ['"film"', 0.8571],
    ]
    score("a.jsonl", b'{"text": "fine film"}\n', "out.jsonl", explain=True)
    assert read_json_lines(tmp_path / "out.jsonl")[0]["weights"][0] == ["fine", 0.5714]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"text,label\ngood,1\n"),
        ("a.jsonl", b'{"text": "good", "label": 1}\n'),
    ],
)
def test_a_column_that_an_answer_would_be_called_is_an_error_that_a_prefix_mends(
    name: str, content: bytes, score: Score, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r'"label" already(.|\n)*--prefix'):
        score(name, content, f"out{name[1:]}")
    score(name, content, f"out{name[1:]}", prefix="predicted_")
    assert b"predicted_probability_positive" in (tmp_path / f"out{name[1:]}").read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "options", "problem"),
    [
        ("a.csv", b"", {}, "first line is empty"),
        ("a.csv", b"one,two\na,b\n", {}, "cannot tell which column"),
        ("a.csv", b"text,text\na,b\n", {}, 'two columns are named "text"'),
        ("a.csv", b"text\na\n", {"text_column": "body"}, 'no column "body"'),
        ("a.csv", "text\na".encode("utf-16"), {}, "UTF-16"),
        ("a.csv", b"text\na\n", {"separator": "::"}, "one character"),
        ("a.jsonl", b"", {}, "no line at its beginning"),
        ("a.jsonl", b"[1]\n", {}, "no line at its beginning"),
        ("a.xls", b"x", {}, "not known"),
        ("a.parquet", b"PAR1 no PAR1", {}, "not a readable Parquet"),
        ("a.parquet.gz", b"x", {}, "packed already"),
        ("a.csv", b"text\na\n", {"out": "out.txt"}, "plain lines"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_why(
    name: str, content: bytes, options: dict[str, Any], problem: str, score: Score, tmp_path: Path
) -> None:
    out = options.pop("out", f"out{name[1:]}")
    with pytest.raises((DataError, SettingsError), match=problem):
        score(name, content, out, **options)
    assert sorted(one.name for one in tmp_path.iterdir()) == [name]


def test_a_format_can_be_named_where_the_ending_does_not_tell(score: Score, tmp_path: Path) -> None:
    score("a.log", b"text;n\ngood;1\n", "out.log", form="csv", separator=";")
    assert (tmp_path / "out.log").read_bytes().startswith(b"text;n;label;probability;")


def test_long_texts_and_many_fields_are_no_limit(score: Score, tmp_path: Path) -> None:
    text = "word " * 100_000
    score("a.csv", f"text\n{text}\n".encode(), "out.csv")
    out = io.StringIO((tmp_path / "out.csv").read_text(), newline="")
    assert list(csv.reader(out))[1][0] == text


def test_columns_of_texts_are_guessed_by_the_names_that_training_knows() -> None:
    # Scoring does not import the data package, whose Parquet needs what prediction lacks.
    assert list(records.TEXT_NAMES) == files.TEXT_NAMES


# What benchmarks/fuzz_inputs.py found.


@pytest.mark.parametrize(("length", "rows"), [(1 << 20, 3_000), (3, 3_000_000)])
def test_a_small_table_that_unpacks_to_gigabytes_is_refused_before_it_is_scored(
    score: Score, tmp_path: Path, length: int, rows: int
) -> None:
    texts = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["a" * length])
    pq.write_table(pa.table({"text": texts}), tmp_path / "bomb.parquet", store_schema=False)
    with pytest.raises(DataError, match=r"bomb\.parquet: it unpacks to more than"):
        score("bomb.parquet", None, "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_a_time_that_python_has_no_words_for_is_an_error_of_the_file(
    score: Score, tmp_path: Path
) -> None:
    times = pa.array([2**62], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["good"], "at": times}), tmp_path / "odd.parquet")
    with pytest.raises(DataError, match=r"odd\.parquet: not a readable Parquet file"):
        score("odd.parquet", None, "out.csv")


def test_a_header_of_very_many_columns_is_told_in_one_line(score: Score) -> None:
    header = ",".join(f"c{n}" for n in range(100_000)).encode()
    with pytest.raises(SettingsError, match=r"wide\.csv.*and 99,988 more") as refused:
        score("wide.csv", header + b"\n1\n", "out.csv")
    assert len(str(refused.value)) < 1_000


def test_too_many_bad_rows_name_the_file(score: Score) -> None:
    with pytest.raises(SentilabError, match=r"bad\.csv: 3 of 3 rows cannot be used"):
        score("bad.csv", b"text,more\n1\n2\n3\n", "out.csv")
