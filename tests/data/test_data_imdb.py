import gzip
import hashlib
import http.server
import io
import json
import pickle
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sentilab.data import imdb, is_imdb, load
from sentilab.data.imdb import download, unpack
from sentilab.errors import DataError, DataNotFound

REVIEWS = {
    ("train", "neg", 0, 2): "dull <br /> and long",
    ("train", "neg", 10, 1): "awful",
    ("train", "neg", 2, 1): "café noir",
    ("train", "pos", 0, 9): "fine",
    ("test", "neg", 0, 3): "not good",
    ("test", "pos", 0, 10): "good",
}


def folder_of(home: Path) -> Path:
    for (split, label, number, rating), text in REVIEWS.items():
        file = home / "aclImdb" / split / label / f"{number}_{rating}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (home / "aclImdb" / "train" / "unsup").mkdir()
    (home / "aclImdb" / "train" / "unsup" / "0_0.txt").write_text("unlabelled")
    return home / "aclImdb"


def archive_of(home: Path) -> Path:
    folder = folder_of(home / "source")
    with tarfile.open(home / "aclImdb_v1.tar.gz", "w:gz") as archive:
        archive.add(folder, "aclImdb")
    return home / "aclImdb_v1.tar.gz"


def parquet_of(home: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = sorted(REVIEWS.items(), key=lambda one: (imdb.PARTS.index(one[0][:2]), one[0][2]))
    table = pa.table(
        {
            "split": pa.array([key[0] for key, _ in rows]).dictionary_encode(),
            "id": pa.array([key[2] for key, _ in rows], pa.int32()),
            "text": [text for _, text in rows],
            "label": pa.array([int(key[1] == "pos") for key, _ in rows], pa.int8()),
            "rating": pa.array([key[3] for key, _ in rows], pa.int8()),
        }
    )
    pq.write_table(table, home / "imdb-labelled.parquet")
    return home / "imdb-labelled.parquet"


def npz_of(home: Path, protocol_of_lists: object = None) -> Path:
    path = home / "imdb.npz"
    lists = np.empty(2, object)
    lists[:] = [[1, 2, 300], [70_000, 2]]
    np.savez(path, x_train=lists, y_train=[1, 0], x_test=lists[::-1], y_test=[0, 1])
    return path


def test_folder_archive_and_parquet_give_the_same_table(tmp_path: Path) -> None:
    tables = [imdb.read(make(tmp_path)) for make in (archive_of, folder_of, parquet_of)]
    assert len({one.fingerprint for one in tables}) == 1
    for one in tables:
        assert list(one.ids)[:3] == ["train/neg/0", "train/neg/10", "train/neg/2"]
        assert list(one.texts)[:3] == ["dull <br /> and long", "awful", "café noir"]
        assert list(one.labels) == [0, 0, 0, 1, 0, 1]
        assert list(one.splits) == ["train"] * 4 + ["test"] * 2
        assert one.label_names == ("negative", "positive")


def test_keras_npz_is_read_without_unpickling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = npz_of(tmp_path)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr(pickle, "load", never)
    monkeypatch.setattr(pickle, "loads", never)
    data = imdb.read(path)
    train, test = (
        ["rank1 rank2 rank300", "rank70000 rank2"],
        ["rank70000 rank2", "rank1 rank2 rank300"],
    )
    assert list(data.texts) == [*train, *test]
    assert list(data.labels) == [1, 0, 0, 1]
    (tmp_path / "imdb_word_index.json").write_text(json.dumps({"the": 1, "and": 2, "film": 300}))
    assert imdb.read(path).texts[0] == "the and film"
    assert "imdb_word_index.json" in imdb.read(path).notices[0]


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must never run",))


@pytest.mark.parametrize("hidden", [Bomb(), {"a": 1}, "text", [1.5], [[1]], None])
def test_anything_else_in_an_npz_is_refused_and_not_run(
    tmp_path: Path, hidden: object, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = np.empty(1, object)
    lists[0] = hidden
    np.savez(tmp_path / "imdb.npz", x_train=lists, y_train=[1], x_test=lists, y_test=[0])
    with pytest.raises(DataError, match="x_train is not an array as Keras stores it"):
        imdb.read(tmp_path / "imdb.npz")
    assert "never run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("imdb.npz", b"not a zip"),
        ("aclImdb_v1.tar.gz", b"not a gzip"),
        ("aclImdb_v1.tar.gz", gzip.compress(b"not a tar" * 100, mtime=0)),
        ("imdb-labelled.parquet", b"not a parquet"),
    ],
)
def test_a_damaged_copy_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        load("imdb", data=tmp_path)


def test_places_are_looked_at_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = tmp_path / "desk" / "project"
    desk.mkdir(parents=True)
    monkeypatch.chdir(desk)
    monkeypatch.delenv("SENTILAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    homes = [
        tmp_path / "cache" / "sentilab" / "datasets",
        desk / ".." / "shared" / "datasets",
        desk / "datasets",
        tmp_path / "named",
    ]
    for home in homes:
        home.mkdir(parents=True)
        if home.name == "named":
            monkeypatch.setenv("SENTILAB_DATA", str(home))
        parquet_of(home)
        found = load("imdb", download=False).home
        assert found is not None
        assert found.resolve() == home.resolve()
    given = parquet_of(tmp_path)
    assert load("imdb", data=given).home == tmp_path
    assert is_imdb(given)
    assert not is_imdb(tmp_path / "reviews.csv")


def test_when_nothing_is_found_every_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENTILAB_DATA", "elsewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(imdb, "URL", "http://127.0.0.1:9/none.tar.gz")
    monkeypatch.setattr(
        imdb.download, "__kwdefaults__", {**imdb.download.__kwdefaults__, "url": imdb.URL}
    )
    with pytest.raises(DataNotFound) as caught:
        load("imdb")
    for part in (
        "elsewhere",
        "datasets",
        "shared",
        "cache",
        "127.0.0.1:9",
        "--data",
        "SENTILAB_DATA",
    ):
        assert part in str(caught.value)
    with pytest.raises(DataNotFound) as caught:
        load("imdb", data=tmp_path / "here")
    assert "--data" in str(caught.value)
    assert "elsewhere" not in str(caught.value)


class Server(http.server.BaseHTTPRequestHandler):
    content = b""
    ranges = True
    breaks_after: int | None = None

    def do_GET(self) -> None:
        start = 0
        asked = self.headers.get("Range")
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(self.content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        left = self.content[start:]
        self.send_header("Content-Length", str(len(left)))
        self.end_headers()
        self.wfile.write(left if self.breaks_after is None else left[: self.breaks_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, type[Server], str]]:
    """(address, handler to set up, checksum) of a server that has the archive."""

    (tmp_path / "server").mkdir()
    archive = archive_of(tmp_path / "server").read_bytes()

    class Here(Server):
        content = archive

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield (
            f"http://127.0.0.1:{running.server_port}/x",
            Here,
            hashlib.sha256(Here.content).hexdigest(),
        )
        running.shutdown()
        thread.join()


Served = tuple[str, type[Server], str]


def test_a_download_is_checked_unpacked_and_put_in_place(server: Served, tmp_path: Path) -> None:
    url, _, checksum = server
    heard: list[tuple[int, int | None]] = []
    home = tmp_path / "home"
    folder = download(home, url=url, sha256=checksum, progress=lambda *one: heard.append(one))
    assert heard[-1][0] == heard[-1][1] == len(server[1].content)
    assert len(imdb.read(folder)) == 6
    assert [one.name for one in home.iterdir()] == ["aclImdb"]
    assert not list(folder.rglob("unsup"))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_or_begins_anew(
    server: Served, tmp_path: Path, ranges: bool
) -> None:
    url, handler, checksum = server
    handler.breaks_after = 100
    with pytest.raises(ConnectionError, match="broke"):
        download(tmp_path / "home", url=url, sha256=checksum)
    handler.breaks_after, handler.ranges = None, ranges
    heard: list[int] = []
    download(
        tmp_path / "home", url=url, sha256=checksum, progress=lambda done, _: heard.append(done)
    )
    assert (heard[0] > 100) or not ranges
    assert len(imdb.read(tmp_path / "home" / "aclImdb")) == 6


def test_a_whole_part_file_is_not_fetched_again(server: Served, tmp_path: Path) -> None:
    url, handler, checksum = server
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "aclImdb_v1.tar.gz.part").write_bytes(handler.content)
    assert len(imdb.read(download(tmp_path / "home", url=url, sha256=checksum))) == 6


def test_a_wrong_checksum_is_refused_and_removed(server: Served, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="SHA-256"):
        download(tmp_path / "home", url=server[0], sha256="0" * 64)
    assert not list((tmp_path / "home").iterdir())


def test_nothing_in_an_archive_leads_outside(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (
            "../../train/pos/1_9.txt",
            "/tmp/train/neg/1_1.txt",
            "a/train/pos/../../../2_9.txt",
        ):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"text"))
        link = tarfile.TarInfo("aclImdb/train/pos/3_9.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    unpack(path, tmp_path / "in" / "aclImdb")
    files = sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file())
    assert files == ["evil.tar.gz", "in/aclImdb/train/neg/1_1.txt", "in/aclImdb/train/pos/1_9.txt"]


def test_an_archive_without_reviews_leaves_nothing_behind(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("readme.txt"))
    with pytest.raises(DataError, match="no reviews"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "in" / "aclImdb")
    assert not (tmp_path / "in").exists()


def test_a_truncated_or_damaged_archive_is_an_error_in_words(tmp_path: Path) -> None:
    path = archive_of(tmp_path)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:40] + bytes(40) + whole[80:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="archive"):
            imdb.read(path)


def test_an_archive_larger_than_the_release_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imdb, "MOST_REVIEWS", 3)
    with pytest.raises(DataError, match="too large"):
        unpack(archive_of(tmp_path), tmp_path / "in" / "aclImdb")
    assert not list((tmp_path / "in").iterdir())


def test_a_folder_that_lacks_a_part_is_named_with_what_is_missing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    for file in (folder / "test" / "pos").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="no reviews in test/pos"):
        imdb.read(folder)


def test_a_table_of_ones_own_may_be_called_imdb(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "my-imdb.parquet"
    pq.write_table(pa.table({"review": ["one", "two"], "stars": [1, 5]}), path)
    assert not is_imdb(path)
    assert load(path).label_names == ("1", "5")


def test_a_parquet_of_unlabelled_reviews_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"split": ["unsup", "train"], "id": [0, 1], "text": ["a", "b"], "label": [0, 1]}
    path = tmp_path / "imdb-labelled.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(DataError, match="splits train and test"):
        imdb.read(path)


# What benchmarks/fuzz_inputs.py found.


def test_a_header_that_asks_for_gigabytes_is_refused_before_it_gets_them(tmp_path: Path) -> None:
    long_name = tarfile.TarInfo("aclImdb")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    path = tmp_path / "aclImdb_v1.tar.gz"
    path.write_bytes(gzip.compress(long_name.tobuf(tarfile.GNU_FORMAT) + bytes(9_999)))
    with pytest.raises(DataError, match=r"tar\.gz: too large for the IMDB reviews"):
        load("imdb", data=path)


def test_a_member_of_gigabytes_is_refused_before_it_is_passed_over(tmp_path: Path) -> None:
    other = tarfile.TarInfo("elsewhere")
    other.size = 1 << 33
    path = tmp_path / "aclImdb_v1.tar.gz"
    path.write_bytes(gzip.compress(other.tobuf(tarfile.GNU_FORMAT) + bytes(9_999)))
    with pytest.raises(DataError, match=r"tar\.gz: too large for the IMDB reviews"):
        load("imdb", data=path)


def test_a_number_of_thousands_of_digits_is_no_reviews(tmp_path: Path) -> None:
    path = tmp_path / "aclImdb_v1.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo(f"train/pos/{'9' * 5_000}_1.txt"))
    with pytest.raises(DataError, match="there are no reviews"):
        load("imdb", data=path)


@pytest.mark.parametrize("what", ["folder", "pipe", "zeros", "itself", "nowhere", "long"])
def test_what_stands_under_a_reviews_name_and_is_none_is_refused(tmp_path: Path, what: str) -> None:
    import os

    folder = folder_of(tmp_path)
    one = folder / "train" / "pos" / "3_3.txt"
    match what:
        case "folder":
            one.mkdir()
        case "pipe":
            os.mkfifo(one)
        case "zeros":
            one.symlink_to("/dev/zero")
        case "itself":
            one.symlink_to(one.name)
        case "nowhere":
            one.symlink_to("nowhere")
        case "long":
            one.write_bytes(b"a" * 1_000_001)
    with pytest.raises(DataError, match=r"3_3\.txt"):
        load("imdb", data=folder)


@pytest.mark.parametrize("column", ["text", "id", "label"])
def test_columns_of_another_kind_are_an_error_of_the_file(tmp_path: Path, column: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = parquet_of(tmp_path)
    table = pq.read_table(path)
    lists = pa.array([[[1]]] * table.num_rows)
    at = table.column_names.index(column)
    pq.write_table(table.set_column(at, column, lists), path)
    with pytest.raises(DataError, match=r"imdb-labelled\.parquet: not the reviews"):
        load("imdb", data=path)
