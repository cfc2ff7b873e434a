import csv
import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentilab.data import Dataset, load
from sentilab.data.files import Reading, read_file
from sentilab.errors import DataError

GOOD = 'text,label\n"a good one",1\nplain,0\n"with ""quotes"", and comma",1\n"two\nlines",0\n'


def read(
    folder: Path, content: str | bytes, name: str = "reviews.csv", **reading: object
) -> Dataset:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_file(path, Reading(**{"max_rejected": 1.0, **reading}))  # type: ignore[arg-type]


def rejected(data: Dataset) -> list[tuple[int, str]]:
    assert data.rejected.path is not None
    with data.rejected.path.open(newline="", encoding="utf-8") as file:
        return [(int(row[0]), row[1]) for row in list(csv.reader(file))[1:]]


def test_quotes_commas_and_line_breaks_belong_to_the_text(tmp_path: Path) -> None:
    data = read(tmp_path, GOOD)
    assert list(data.texts) == ["a good one", "plain", 'with "quotes", and comma', "two\nlines"]
    assert list(data.labels) == [1, 0, 1, 0]
    assert list(data.ids) == ["line/2", "line/3", "line/4", "line/5"]
    assert data.rejected.path is None
    assert not list(tmp_path.glob("*.rejected.csv"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"only one field", "1 fields where the header has 2"),
        (b"a,b,c", "3 fields where the header has 2"),
        (b"text without label,", "no label"),
        (b",1", "empty text"),
        (b'"   ",1', "empty text"),
        (b"caf\xe9,1", "not UTF-8: byte 0xe9 at 4"),
        (b"nul\x00,1", "NUL"),
        (b"a,1\r,b", "carriage return"),
        (b'"never closed,1', "quote"),
        (b'"closed" too early,1', "quote"),
        (b'never closed 2,"1', "quote"),
    ],
)
def test_a_bad_line_is_set_aside_with_its_number_and_reason_and_costs_no_other(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    content = b"text,label\nfirst,0\n" + line + b'\n"second, quoted",1\nthird,1\n'
    data = read(tmp_path, content)
    assert list(data.texts) == ["first", "second, quoted", "third"]
    assert data.rejected.total == 4
    [(number, said)] = rejected(data)
    assert number == 3
    assert reason in said


def test_too_many_bad_rows_are_an_error_that_shows_some_and_names_the_list(tmp_path: Path) -> None:
    content = "text,label\n" + "good,1\nfine,0\n" * 5 + "bad\n"
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, max_rejected=0.05)
    for part in ("1 of 11", "line 12", "reviews.rejected.csv", "--max-rejected"):
        assert part in str(caught.value)
    assert len(read(tmp_path, content, max_rejected=0.2)) == 10


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_text(tmp_path: Path) -> None:
    data = read(tmp_path, b"\xef\xbb\xbftext,label\r\none,a\r\ntwo,b\r\n")
    assert list(data.texts) == ["one", "two"]
    assert data.label_names == ("a", "b")


def test_tab_and_named_separators(tmp_path: Path) -> None:
    assert len(read(tmp_path, "text\tlabel\na,b\t1\nc\t2\n", "r.tsv")) == 2
    assert len(read(tmp_path, "text;label\na,b;1\nc;2\n", "r.txt", separator=";")) == 2


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"review": "good", "stars": 5}),
        "{not json",
        json.dumps(["a", "list"]),
        json.dumps({"review": 3, "stars": 5}),
        json.dumps({"stars": 1}),
        json.dumps({"review": "no label", "stars": None}),
        "",
        json.dumps({"review": "bad", "stars": 1.0}),
    ]
    data = read(tmp_path, "\n".join(lines), "r.jsonl")
    assert list(data.texts) == ["good", "bad"]
    assert data.label_names == ("1", "5")
    assert [number for number, _ in rejected(data)] == [2, 3, 4, 5, 6]
    assert "guessed" in data.notices[0]


def test_parquet_with_official_splits(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "body": ["one", "two", None, "three"],
        "target": ["x", "y", "x", "y"],
        "split": ["train", "train", "train", "test"],
    }
    pq.write_table(pa.table(columns), tmp_path / "r.parquet")
    data = read_file(tmp_path / "r.parquet", Reading(max_rejected=1.0))
    assert list(data.splits) == ["train", "train", "test"]
    assert rejected(data) == [(3, 'no text: "body" is missing')]


@pytest.mark.parametrize(
    ("content", "name", "complaint"),
    [
        ("", "r.csv", "empty"),
        ("text,label\n", "r.csv", "no usable rows"),
        ("text,label\na,1\nb,1\n", "r.csv", "one label only"),
        ("a,b,c\n1,2,3\n", "r.csv", "--text-column"),
        ("text,text,label\na,b,1\n", "r.csv", 'two columns are named "text"'),
        ("text,label\n" + "".join(f"t,{n}\n" for n in range(300)), "r.csv", "300 different values"),
        ("text,label\na,1\n", "r.doc", "--separator"),
        ("[]", "r.jsonl", "no line of it holds"),
        ("PAR1", "r.parquet", "not a readable Parquet"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(
    tmp_path: Path, content: str, name: str, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        read(tmp_path, content, name)
    assert name in str(caught.value)


def test_missing_files_folders_and_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load(tmp_path / "none.csv")
    with pytest.raises(DataError, match="folder"):
        load(tmp_path)
    with pytest.raises(DataError, match='no column "verdict"'):
        read(tmp_path, GOOD, label_column="verdict")


def test_columns_can_be_named_and_then_nothing_is_guessed(tmp_path: Path) -> None:
    data = read(tmp_path, "a,b,c\nx,one,1\ny,two,2\n", text_column="b", label_column="c")
    assert list(data.texts) == ["one", "two"]
    assert data.notices == ()


def test_numbers_as_labels_are_in_their_own_order(tmp_path: Path) -> None:
    data = read(tmp_path, "text,label\na,10\nb,9\nc,10\n")
    assert data.label_names == ("9", "10")


cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20
).filter(lambda text: text.strip())


@given(
    st.lists(st.tuples(cells, st.sampled_from("ab")), min_size=2, max_size=20),
    st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL)]),
)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[tuple[str, str]], style: tuple[str, int]
) -> None:
    import tempfile

    rows = [*rows, ("last", "a"), ("least", "b")]
    content = io.StringIO(newline="")
    writer = csv.writer(content, lineterminator=style[0], quoting=style[1])
    writer.writerows([("text", "label"), *rows])
    with tempfile.TemporaryDirectory() as folder:
        data = read(Path(folder), content.getvalue())
    assert list(data.texts) == [text for text, _ in rows]
    assert data.rejected.count == 0


@given(st.binary(max_size=300))
def test_no_bytes_lose_a_line_without_saying_so(noise: bytes) -> None:
    import tempfile

    lines = [line for line in noise.replace(b"\r", b"").split(b"\n") if line]
    with tempfile.TemporaryDirectory() as folder:
        data = read(Path(folder), b"text,label\none,a\ntwo,b\n" + b"\n".join(lines) + b"\n")
        spanned = sum(text.count("\n") for text in data.texts)
        assert len(data) + data.rejected.count + spanned >= 2 + len(lines)


def damaged(lines: list[bytes], seed: int = 7) -> tuple[list[bytes], set[int]]:
    """1% of the lines damaged in six ways; the numbers (from 1) of those lines."""
    ways = (
        lambda line: line.rpartition(b",")[0],  # label and its comma gone
        lambda line: line.rpartition(b",")[0] + b",",  # label empty
        lambda line: line + b",extra",  # a field too many
        lambda line: b"\xff\xfe" + line,  # bytes that are no UTF-8
        lambda line: b"," + line.rpartition(b",")[2],  # text empty
        lambda line: b'"' + line.replace(b'"', b""),  # a quote that is never closed
    )
    chosen = random.Random(seed).sample(range(1, len(lines)), len(lines) // 100)
    for turn, at in enumerate(chosen):
        lines[at] = ways[turn % len(ways)](lines[at])
    return lines, {at + 1 for at in chosen}


@pytest.mark.real_data
def test_every_damaged_line_of_a_real_file_is_listed_and_no_other(tmp_path: Path) -> None:
    homes = [
        Path(__file__).parents[2] / "datasets",
        Path(__file__).parents[3] / "shared" / "datasets",
    ]
    source = next(
        (one / "rotten-tomatoes.csv" for one in homes if (one / "rotten-tomatoes.csv").exists()),
        None,
    )
    if source is None:
        pytest.skip("rotten-tomatoes.csv is not in ./datasets or ../shared/datasets")
    lines, numbers = damaged(source.read_bytes().rstrip().split(b"\r\n"))
    (tmp_path / "reviews.csv").write_bytes(b"\n".join(lines) + b"\n")
    data = read_file(tmp_path / "reviews.csv")
    assert len(numbers) == 106
    assert {number for number, _ in rejected(data)} == numbers
    assert len(data) == 10_662 - 106
    assert len({said.split(":")[0].split(" where")[0] for _, said in rejected(data)}) >= 5


def test_damage_in_a_made_up_file_is_found_line_by_line(tmp_path: Path) -> None:
    lines = [b"text,label"] + [f'"text, number {n}",{"ab"[n % 2]}'.encode() for n in range(1_500)]
    lines, numbers = damaged(lines)
    data = read(tmp_path, b"\n".join(lines) + b"\n")
    assert {number for number, _ in rejected(data)} == numbers
    assert len(data) == 1_500 - len(numbers)
    assert np.bincount(data.labels).min() > 700


values = st.one_of(st.none(), st.integers(), st.text(max_size=9), st.lists(st.integers()))


@given(st.lists(st.fixed_dictionaries({"text": values, "label": values}), max_size=20))
def test_every_json_line_is_either_a_text_or_on_the_list(rows: list[dict[str, object]]) -> None:
    import tempfile

    rows = [*rows, {"text": "one", "label": "a"}, {"text": "two", "label": "b"}]
    with tempfile.TemporaryDirectory() as folder:
        data = read(Path(folder), "\n".join(map(json.dumps, rows)), "r.jsonl")
        listed = {number for number, _ in rejected(data)} if data.rejected.count else set()
    kept = {int(identity.removeprefix("line/")) for identity in data.ids}
    assert kept | listed == set(range(1, len(rows) + 1))
    assert not kept & listed
    assert list(data.texts) == [rows[number - 1]["text"] for number in sorted(kept)]


def test_two_stray_quotes_do_not_swallow_the_lines_between_them(tmp_path: Path) -> None:
    between = [f"plain {number},{'ab'[number % 2]}" for number in range(20)]
    usual = ["one,a", "two,a", "three,b", "four,b"]
    lines = ["text,label", *usual, '"opened,a', *between, 'closing",b', "three,fields,here"]
    data = read(tmp_path, "\n".join(lines))
    assert [number for number, _ in rejected(data)] == [6, 28]
    assert list(data.texts)[4:-1] == [line.partition(",")[0] for line in between]


def test_a_text_of_several_lines_survives_faults_elsewhere_in_the_file(tmp_path: Path) -> None:
    data = read(tmp_path, 'text,label\none,a\ntwo,b\n"first\nsecond, third\nlast",a\nbad\n')
    assert data.texts[-1] == "first\nsecond, third\nlast"
    assert [number for number, _ in rejected(data)] == [7]


def test_a_file_without_faults_is_read_as_csv_has_it_whatever_its_texts_hold(
    tmp_path: Path,
) -> None:
    data = read(tmp_path, 'text,label\none,a\ntwo,a\nthree,b\n"x\ny,a\nz",b\n')
    assert data.texts[-1] == "x\ny,a\nz"
    assert data.rejected.count == 0


def test_half_a_character_in_json_is_set_aside(tmp_path: Path) -> None:
    lines = ['{"text": "half \\ud800", "label": "a"}', '{"text": "x", "label": "\\udc00"}']
    lines += ['{"text": "one", "label": "a"}', '{"text": "two", "label": "b"}']
    data = read(tmp_path, "\n".join(lines), "r.jsonl")
    assert [number for number, _ in rejected(data)] == [1, 2]


def test_bytes_that_are_not_utf8_are_spelt_out_in_the_list(tmp_path: Path) -> None:
    data = read(tmp_path, b"text,label\ncaf\xe9,a\none,a\ntwo,b\n")
    assert data.rejected.path is not None
    assert "caf\\xe9,a" in data.rejected.path.read_text(encoding="utf-8")


def test_lines_that_end_in_a_carriage_return_alone_are_lines(tmp_path: Path) -> None:
    assert list(read(tmp_path, b"text,label\rone,a\rtwo,b\r").texts) == ["one", "two"]


def test_utf16_is_named_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="UTF-16; save it as UTF-8"):
        read(tmp_path, "text,label\none,a\n".encode("utf-16"))


@pytest.mark.parametrize(
    ("labels", "names"),
    [(["nan", "1", "2"], ("1", "2", "nan")), (["1.0", "1", "-3"], ("-3", "1", "1.0"))],
)
def test_the_order_of_labels_never_hangs_on_chance(
    tmp_path: Path, labels: list[str], names: tuple[str, ...]
) -> None:
    content = "text,label\n" + "".join(f"t,{label}\n" for label in labels)
    assert read(tmp_path, content).label_names == names


def test_a_list_that_cannot_be_written_is_an_error_that_says_where_to(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(DataError, match="--rejected-folder"):
        read(tmp_path, "text,label\none,a\nbad\n", rejected_folder=tmp_path / "taken")


# What benchmarks/fuzz_inputs.py found.


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (",".join(f"c{n}" for n in range(300_000)) + "\n1\n", "wide.csv"),
        ("t" * 900_000 + ",u\n1,2\n", "long.csv"),
        ("\x1b[2J,b\n1,2\n", "control.csv"),
        ('{"\\ud800": 1, "b": 2}\n', "half.jsonl"),
        ('text,label\na,"' + "l" * 900_000 + '"\n', "label.csv"),
    ],
)
def test_names_are_told_in_one_line_however_long_or_odd(
    tmp_path: Path, content: str, name: str
) -> None:
    with pytest.raises(DataError, match=name) as refused:
        read(tmp_path, content, name)
    said = str(refused.value)
    assert len(said.encode()) < 3_000
    assert said.replace("\n", "").isprintable()


def test_rows_of_a_wide_file_do_not_repeat_its_header(tmp_path: Path) -> None:
    columns = ["text", "label", *(f"c{n}" for n in range(10_000))]
    with pytest.raises(DataError, match="no usable rows"):
        read(tmp_path, ",".join(columns) + "\n" + "1\n" * 2_000)
    assert (tmp_path / "reviews.rejected.csv").stat().st_size < 1 << 20


def column_of(kind: str, rows: int) -> object:
    import pyarrow as pa

    if kind == "bytes":
        offsets = pa.py_buffer(np.arange(rows + 1, dtype=np.int32))
        return pa.Array.from_buffers(
            pa.string(), rows, [None, offsets, pa.py_buffer(b"\xff" * rows)]
        )
    if kind == "time":
        return pa.array([2**62] * rows, pa.timestamp("ns", "Nowhere/Land"))
    return pa.array([-(2**31)] * rows, pa.date32())


@pytest.mark.parametrize("kind", ["bytes", "time", "date"])
def test_a_value_that_python_has_no_words_for_is_an_error_of_the_file(
    tmp_path: Path, kind: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"text": ["a", "b"], "label": [0, 1], "more": column_of(kind, 2)})
    pq.write_table(table, tmp_path / "odd.parquet")
    with pytest.raises(DataError, match=r"odd\.parquet"):
        load(tmp_path / "odd.parquet")
