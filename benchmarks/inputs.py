"""Hostile files for every reader, each from a kind and a number: the same two give the same file.

A file stays small: a few MiB at the most, whatever it would unpack to. What is damaged comes from a folder
of good ones, which benchmarks/fuzz_inputs.py makes.
"""

import gzip
import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import tomli_w

from benchmarks.mutations import VALUES, damaged, restructured

Maker = Callable[[Path, Random, Path], Path]
"""(folder of good files, chance, folder that is empty) -> the hostile file, or folder, in the latter."""

KINDS: dict[str, Maker] = {}

# A file that must never come to be: what code in an input would leave behind.
TRACE = "trace-of-code-that-ran"


def kind(maker: Maker) -> Maker:
    KINDS[maker.__name__] = maker
    return maker


def hostile(good: Path, name: str, seed: int, place: Path) -> Path:
    """The input of the kind ``name`` and ``seed``, made in the empty folder ``place``."""
    return KINDS[name](good, Random(f"{name} {seed}"), place)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# Study files

_TOML = (
    "{" * 2000 + "}" * 2000,
    "[" * 5000 + "]" * 5000,
    "9" * 5000,
    "0x" + "f" * 5000,
    "1e999",
    "nan",
    "-inf",
    "1979-05-27",
    "99:99:99",
    '"' + "a" * 70_000 + '"',
    '"{batch_size:>999999999}"',
    '"{model.__class__.__mro__}"',
    '"\\ud800"',
    '"\\u001b[2J"',
    "-1",
    "0",
    "1.5",
    "true",
    "[]",
    "[[]]",
    "[1, 1]",
    "{}",
    "9223372036854775808",
    "1000000000000",
    "18446744073709551616",
    '""',
    '"' + "../" * 9 + 'etc/passwd"',
    "[{}]",
    "[nan]",
)


@kind
def study(_: Path, random: Random, place: Path) -> Path:
    """TOML: values of every sort in the packaged studies, grids without end, damaged bytes."""
    from sentilab.studies import packaged

    path = place / "study.toml"
    text = packaged()[random.choice(sorted(packaged()))].read_text(encoding="utf-8")
    way = random.randrange(12)
    if way < 3:
        return written(path, damaged(text.encode(), random))
    if way == 3:
        return written(path, random.randbytes(random.choice((0, 3, 3000))))
    if way == 4:
        return written(path, text.encode(random.choice(("utf-16", "utf-16-le", "utf-32", "cp037"))))
    if way < 8:
        lines = text.splitlines()
        settings = [at for at, line in enumerate(lines) if " = " in line]
        for at in random.sample(settings, random.choice((1, 1, 2, 5))):
            key = lines[at].partition(" = ")[0]
            lines[at] = f"{key} = {random.choice(_TOML)}"
        if random.random() < 0.3:
            lines.insert(random.randrange(len(lines)), random.choice(lines))
        return written(path, "\n".join(lines).encode())
    if way < 10:
        document = json.dumps(tomllib.loads(text)).encode()
        try:
            changed = json.loads(restructured(document, random).decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            changed = json.loads(document)
            changed["seeds"] = random.choice(VALUES)
        return written(path, tomli_w.dumps(_without_none(changed)).encode("utf-8", "replace"))
    run = '[[run]]\nname = "{batch_size}-{epochs}-{learning_rate}"\nmodel = "mlp"\n'
    many = random.choice((2, 100, 3_000, 50_000))
    extreme = (
        f"{run}batch_size = {list(range(1, many))}\nepochs = {list(range(1, many))}\n"
        f"learning_rate = {list(range(1, many))}\n",
        f"seeds = {list(range(many * 4))}\n{run}epochs = {list(range(1, min(many, 400)))}\n",
        run * 9 + f"epochs = {random.choice((10**12, 10**30))}\n",
        "a." * many + "a = 1\n",
        run + f"model_settings = {{ units = {random.choice((10**12, 2**63, 0, '[]', 'nan'))} }}\n",
        f"seeds = [{random.choice((2**32, 2**64, 10**400, -1, 0.5, True))}]\n{run}epochs = 1\n".replace(
            "True", "true"
        ),
        "[[run]]\n" * many,
        "\n".join(
            f'[[run]]\nname = "{n}"\nmodel = "mlp"\nepochs = {n + 1}'
            for n in range(min(many, 4000))
        ),
        "\n".join(f"[[question]]\nkind = {n}" for n in range(many)) + "\n" + run,
        run + "\n".join(f"k{n} = 1" for n in range(many)),
        f'{run}epochs = 1\n[[question]]\nkind = "compare"\ntitle = "t"\nasks = "a"\nruns = {["x"] * many}\n',
    )
    return written(path, random.choice(extreme).encode())


def _without_none(value: Any) -> Any:
    """What TOML can hold of it."""
    if isinstance(value, dict):
        return {str(k): _without_none(one) for k, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_none(one) for one in value if one is not None]
    return value


# Files of labelled texts

_FIELDS = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98",
    b'"',
    b'""',
    b'"""',
    b"\r",
    b"\n",
    b"\r\n",
    b"\x1a",
    b"\x1b[2J",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"=1+1",
    b"nan",
    b"NaN",
    b"inf",
    b"",
    b" ",
    b",",
    b"\t",
    b"\\ud800",
    b"a" * 200_000,
)
_JSON = (
    "NaN",
    "Infinity",
    "1e999",
    "9" * 5000,
    "[" * 4000 + "]" * 4000,
    '"\\ud800"',
    '"\\u0000"',
    "null",
    "true",
    "{}",
    "[1]",
    "-0.0",
    "1" + "0" * 300,
    '"a" "b"',
    '"' + "x" * 100_000 + '"',
    "",
)


@kind
def texts(good: Path, random: Random, place: Path) -> Path:
    """CSV, TSV, JSON Lines and plain lines, packed or not."""
    ending = random.choice((".csv", ".csv", ".tsv", ".jsonl", ".jsonl", ".txt"))
    content = _hostile_texts(good, ending, random)
    if random.random() < 0.25:
        packed = _packed(content, random)
        return written(place / f"file{ending}.gz", packed)
    return written(place / f"file{ending}", content)


def _hostile_texts(good: Path, ending: str, random: Random) -> bytes:
    content = (good / f"texts{ending}").read_bytes()
    separator = b"\t" if ending == ".tsv" else b","
    way = random.randrange(12)
    if way < 3:
        for _ in range(random.choice((1, 1, 4))):
            content = damaged(content, random)
        return content
    if way < 6:
        for _ in range(random.choice((1, 2, 9))):
            at = random.choice((random.randrange(len(content)), 0, random.randrange(40)))
            content = content[:at] + random.choice(_FIELDS) + content[at:]
        return content
    if way == 6:
        text = content.decode()
        return text.encode(random.choice(("utf-16", "utf-16-be", "utf-32", "cp037", "utf-7")))
    if way == 7:
        halves = content.splitlines(keepends=True)
        return b"".join(
            line.decode().encode(random.choice(("utf-8", "latin-1", "utf-16-le")), "replace")
            for line in halves
        )
    if ending == ".jsonl":
        return _hostile_json_lines(content, random)
    many = random.choice((3, 1_000, 100_000))
    extreme = (
        separator.join(b"c%d" % n for n in range(many)) + b"\n" + b"1\n" * 50,
        separator.join(b"text" for _ in range(many)) + b"\n" + content,
        content + b"\n" * many,
        content + b"x\n" * many,
        content + b'"' * many,
        content + b'"\n' * many,
        content + b'"a\n' * min(many, 60_000),
        content + separator * many,
        content + b"a" * many * 9 + separator + b"positive\n",
        content + b'"' + b"a\n" * 400 + b'"' + separator + b"negative\n",
        b"text"
        + separator
        + b"label\n"
        + b"".join(b"a b%s%d\n" % (separator, n) for n in range(many)),
        b"text" + separator + b"label\na" + separator + b"l" * many + b"\nb" + separator + b"k\n",
        b"\r".join(content.splitlines()),
        b"t" * many + separator + b"u" * many + b"\n" + content,
        b"",
        b"\n" * many,
    )
    return random.choice(extreme)


def _hostile_json_lines(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    many = random.choice((3, 1_000, 100_000))
    if random.random() < 0.6:
        for _ in range(random.choice((1, 3, 30))):
            at = random.randrange(len(lines))
            key = random.choice(("text", "label", "split", "more", "\\ud800", "", "\\u001b[2J"))
            lines[at] = (
                f'{{"text": "fine", "label": "positive", "{key}": {random.choice(_JSON)}}}\n'.encode()
            )
        return b"".join(lines)
    extreme = (
        json.dumps({f"c{n}": n for n in range(many)}).encode() + b"\n" + content,
        b"".join(b'{"c%d": 1}\n' % n for n in range(many)),
        b"[1]\n" * many,
        b"[" * many + b"\n" + content,
        b'{"text": "' + b"a" * many * 9 + b'", "label": "' + b"b" * many + b'"}\n' + content,
        b"".join(b'{"text": "a", "label": %d}\n' % n for n in range(many)),
        b'{"text": "a", "label": 1}\n{"text": "b", "label": 1.0}\n{"text": "c", "label": true}\n',
    )
    return random.choice(extreme)


def _packed(content: bytes, random: Random) -> bytes:
    packed = gzip.compress(content, 1, mtime=0)
    way = random.randrange(7)
    if way == 0:
        return packed[: random.randrange(len(packed))]
    if way == 1:
        return damaged(packed, random)
    if way == 2:
        return packed + packed
    if way == 3:
        return packed + random.randbytes(50)
    if way == 4:
        # A bomb: a third of a gibibyte of one letter.
        block = random.choice((b"a", b"\0", b'"')) * (1 << 20)
        squeezer = zlib.compressobj(1, wbits=31)
        head = squeezer.compress(content)
        return head + b"".join(squeezer.compress(block) for _ in range(300)) + squeezer.flush()
    return packed


# Parquet


@kind
def parquet(good: Path, random: Random, place: Path) -> Path:
    """Tables: damaged bytes, columns of any type, footers that lie, bombs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = random.choice(("table.parquet", "imdb-labelled.parquet", "imdb-unlabelled.parquet"))
    path, source = place / name, good / name
    way = random.randrange(10)
    if way < 4:
        content = source.read_bytes()
        at = random.choice((0, len(content) * 3 // 4))
        for _ in range(random.choice((1, 1, 3))):
            content = content[:at] + damaged(content[at:], random)
        return written(path, content)
    table = pq.read_table(source)
    if way < 8:
        for _ in range(random.choice((1, 1, 2))):
            at = random.randrange(table.num_columns)
            column = _column(table.num_rows, random)
            called = random.choice(
                (table.column_names[at], table.column_names[-1], "", "a\x1b[2J", "x" * 5000)
            )
            table = table.set_column(at, called, column)
        if random.random() < 0.2:
            for number in range(random.choice((1, 3_000))):
                table = table.append_column(f"more{number}", pa.nulls(table.num_rows))
        pq.write_table(table, path)
        return path
    _bomb(table, random, path)
    if way == 9:
        content = bytearray(path.read_bytes())
        size = struct.unpack("<I", content[-8:-4])[0]
        footer = _belittled(bytes(content[-8 - size : -8]))
        path.write_bytes(bytes(content[: -8 - size]) + footer + bytes(content[-8:]))
    return path


def _column(rows: int, random: Random) -> Any:
    import pyarrow as pa

    turns = list(range(rows))
    columns: tuple[Callable[[], Any], ...] = (
        lambda: pa.array(turns),
        lambda: pa.nulls(rows),
        lambda: pa.array([float("nan"), 1.0] * rows)[:rows],
        lambda: pa.array([2**62 + one for one in turns], pa.timestamp("ns", "Nowhere/Land")),
        lambda: pa.array([2**62 + one for one in turns], pa.timestamp("us")),
        lambda: pa.array([2**62 + one for one in turns], pa.duration("ns")),
        lambda: pa.array([-(2**31) + one for one in turns], pa.date32()),
        lambda: pa.array([[[one]] for one in turns]),
        lambda: pa.array([{"a": {"b": [one]}} for one in turns]),
        lambda: pa.array(
            [[("k", one), ("k", one)] for one in turns], pa.map_(pa.string(), pa.int64())
        ),
        lambda: pa.array([b"\xff\xfe"] * rows, pa.binary()),
        lambda: pa.Array.from_buffers(
            pa.string(),
            rows,
            [None, pa.py_buffer(np.arange(rows + 1, dtype=np.int32)), pa.py_buffer(b"\xff" * rows)],
        ),
        lambda: pa.array(["\0"] * rows),
        lambda: pa.array(["\x1b[2J"] * rows),
        lambda: pa.array([None, "train", "test", ""] * rows)[:rows],
        lambda: pa.array([True, False] * rows)[:rows],
        lambda: pa.array(["a"] * rows).dictionary_encode(),
        lambda: pa.array([0, 1, 2**40, -1] * rows)[:rows],
        lambda: pa.array([f"label {one}" for one in turns]),
        lambda: pa.array(["l" * 100_000, "k"] * rows)[:rows],
        lambda: pa.array([1.5] * rows, pa.float64()).cast(pa.decimal128(30, 10)),
    )
    return random.choice(columns)()


def _bomb(table: Any, random: Random, path: Path) -> None:
    """The table with one column that is a few bytes in the file and gigabytes beside it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    at = table.column_names.index(random.choice(("text", table.column_names[-1])))
    rows, length = random.choice(
        ((3_000, 1 << 20), (1_000_000, 2_000), (3_000_000, 3), (40, 1 << 26))
    )
    column = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["a b" * (length // 3)])
    if random.random() < 0.3:
        # Each text for itself, packed.
        column = pa.array(["a b" * (length // 3)] * min(rows, (1 << 27) // length))
    if random.random() < 0.2:
        column = pa.nulls(len(column), pa.string())
    columns = [pa.repeat(one[number % 60], len(column)) for number, one in enumerate(table.columns)]
    columns[at] = column
    pq.write_table(
        pa.table(columns, names=table.column_names),
        path,
        compression=random.choice(("zstd", "snappy")),
        use_dictionary=not pa.types.is_string(column.type),
        store_schema=False,
    )


def _belittled(footer: bytes) -> bytes:
    """The footer with every large number in it made small, in as many bytes."""
    changed, at = bytearray(footer), 0
    while at < len(changed):
        length = 0
        while at + length < len(changed) and changed[at + length] & 0x80:
            length += 1
        if 3 <= length <= 9:
            changed[at : at + length] = b"\x80" * length
        at += length + 1
    return bytes(changed)


# The reviews as archives


@kind
def archive(good: Path, random: Random, place: Path) -> Path:
    """aclImdb_v1.tar.gz, imdb.npz and the unpacked folder."""
    makers = (_tar, _tar, _npz, _npz, _index, _folder)
    return random.choice(makers)(good, random, place)


def _tar(good: Path, random: Random, place: Path) -> Path:
    path = place / "aclImdb_v1.tar.gz"
    plain = gzip.decompress((good / "aclImdb_v1.tar.gz").read_bytes())
    way = random.randrange(8)
    if way == 0:
        return written(path, damaged((good / "aclImdb_v1.tar.gz").read_bytes(), random))
    if way < 4:
        for _ in range(random.choice((1, 2, 8))):
            at = 512 * random.randrange(max(1, len(plain) // 512))
            header = damaged(plain[at : at + 512], random)
            plain = plain[:at] + header + plain[at + 512 :]
        return written(path, gzip.compress(plain, 1, mtime=0))
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=random.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
    ) as tar:
        with tarfile.open(fileobj=io.BytesIO(plain)) as source:
            for member in source:
                tar.addfile(member, source.extractfile(member) if member.isreg() else None)
        for _ in range(random.choice((1, 1, 5))):
            _hostile_member(tar, random)
    content = out.getvalue()
    if way == 4:
        # A member of many gibibytes, of which none is there; or that many zeros.
        info = tarfile.TarInfo(random.choice(("aclImdb/train/pos/7_7.txt", "elsewhere")))
        info.size = random.choice((1 << 33, 1 << 62))
        info.type = random.choice(
            (tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE)
        )
        header = info.tobuf(tarfile.GNU_FORMAT)
        squeezer = zlib.compressobj(1, wbits=31)
        packed = squeezer.compress(
            content.rstrip(b"\0") + bytes(-len(content.rstrip(b"\0")) % 512) + header
        )
        packed += b"".join(
            squeezer.compress(bytes(1 << 20)) for _ in range(random.choice((1, 1500)))
        )
        return written(path, packed + squeezer.flush())
    return written(path, gzip.compress(content, 1, mtime=0))


def _hostile_member(tar: tarfile.TarFile, random: Random) -> None:
    names = (
        f"../{TRACE}",
        f"/tmp/{TRACE}",
        f"aclImdb/train/pos/../../../../{TRACE}",
        f"../../{TRACE}/train/pos/1_1.txt",
        "train/pos/" + "9" * 5000 + "_1.txt",
        "train/pos/٣_٤.txt",
        "train/pos/1_9.txt",
        "aclImdb/train/pos/\x1b[2J/train/pos/5_5.txt",
        "train/pos/8_" + "8" * 300 + ".txt",
        "train/pos/\udcff/train/pos/6_6.txt",
    )
    info = tarfile.TarInfo(random.choice(names))
    info.type = random.choice(
        (
            tarfile.REGTYPE,
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.FIFOTYPE,
            tarfile.DIRTYPE,
        )
    )
    info.linkname = random.choice(
        ("/etc/passwd", "../../x", "aclImdb/train/pos/0_9.txt", info.name)
    )
    if random.random() < 0.3:
        info.pax_headers = {
            random.choice(
                (
                    "size",
                    "mtime",
                    "GNU.sparse.major",
                    "GNU.sparse.size",
                    "GNU.sparse.map",
                    "path",
                    "hdrcharset",
                )
            ): random.choice(("1", "-1", "nan", "9" * 400, "0,1,2", "\0", "BINARY"))
        }
    content = random.choice((b"", b"good", b"\xff\xfe", b"\0" * 3000, bytes(3 << 20)))
    info.size = len(content) if info.type == tarfile.REGTYPE else 0
    tar.addfile(info, io.BytesIO(content))


class _Code:
    """What runs a command when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.place / TRACE}",)


def _npz(good: Path, random: Random, place: Path) -> Path:
    path = place / "imdb.npz"
    with zipfile.ZipFile(good / "imdb.npz") as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = random.choice(sorted(members))
    head = members["x_train.npy"][: 10 + struct.unpack("<H", members["x_train.npy"][8:10])[0]]
    squeezed, way = zipfile.ZIP_DEFLATED, random.randrange(10)
    if way < 3:
        members[name] = damaged(members[name], random)
    elif way == 3:
        del members[name]
    elif way == 4:
        hostile_one = np.empty(1, object)
        hostile_one[0] = _Code(place)
        out = io.BytesIO()
        np.save(out, hostile_one, allow_pickle=True)
        members[name] = out.getvalue()
    elif way == 5:
        members[name] = head + pickle.dumps(_Code(place))
    elif way == 6:
        # Opcodes that each make a thing, many times over: lists, memo entries, marks, lists of lists.
        code = random.choice(
            (
                b"]",
                b"]\x94",
                b"(",
                b"N",
                b")",
                b"K\x01",
                b"J\xff\xff\xff\x7f",
                b"M\xff\xff",
                b"h\0",
                b"(]e",
            )
        )
        start = b"\x80\x02]q\0"
        members[name] = head + start + code * random.choice((3, (40 << 20) // len(code))) + b"."
    elif way == 7:
        whole = np.zeros(
            random.choice((3, 40 << 20)), random.choice((np.int8, np.uint64, np.float64))
        )
        out = io.BytesIO()
        np.save(out, whole[: (40 << 20) // whole.itemsize])
        members[name] = out.getvalue()
    elif way == 8:
        members[name] = bytes(random.choice((1 << 20, 200 << 20)))
    else:
        header = random.choice(
            (
                b"(" * 9000,
                b"{'descr': '|O', 'fortran_order': False, 'shape': (9" + b"9" * 5000 + b",), }",
                b"\xff" * 60,
                b"{'descr': [('a', '<i8', (99999, 99999))], 'fortran_order': False, 'shape': (1,), }",
            )
        )
        members[name] = b"\x93NUMPY\x01\0" + struct.pack("<H", min(len(header), 65535)) + header
    if random.random() < 0.2:
        squeezed = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", squeezed) as target:
        for one, content in members.items():
            target.writestr(one, content)
    content = out.getvalue()
    return written(path, damaged(content, random) if random.random() < 0.2 else content)


def _index(good: Path, random: Random, place: Path) -> Path:
    """Good sequences beside a bad index of words."""
    path = place / "imdb.npz"
    path.write_bytes((good / "imdb.npz").read_bytes())
    words = {f"word{one}": one for one in range(1, 50)}
    content = restructured(json.dumps(words).encode(), random)
    if random.random() < 0.4:
        content = random.choice(
            (
                b'{"a": 1e999}',
                b'{"a": NaN}',
                b"[" * 5000,
                b'{"a": [1]}',
                b"\xff",
                b'{"\\ud800": 1}',
                b'{"a": "1"}',
                b"null",
            )
        )
    (place / "imdb_word_index.json").write_bytes(content)
    return path


def _folder(good: Path, random: Random, place: Path) -> Path:
    folder = Path(shutil.copytree(good / "aclImdb", place / "aclImdb"))
    one = folder / random.choice(("train", "test")) / random.choice(("pos", "neg"))
    way = random.randrange(8)
    if way == 0:
        (one / "3_3.txt").mkdir()
    elif way == 1:
        os.mkfifo(one / "3_3.txt")
    elif way == 2:
        (one / "3_3.txt").symlink_to(
            random.choice(("/dev/zero", "/dev/stdin", "nowhere", "3_3.txt", "/proc/self/mem"))
        )
    elif way == 3:
        (one / "3_3.txt").write_bytes(random.randbytes(100))
    elif way == 4:
        (one / ("9" * 240 + "_1.txt")).write_text("good")
    elif way == 5:
        with (one / "3_3.txt").open("wb") as file:
            file.truncate(1 << 33)
    elif way == 6:
        shutil.rmtree(one)
    else:
        (one / "٣_٤.txt").write_text("good")
        (one / "0000_9.txt").write_text("good")
    return folder


# Run folders

_NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1",
    "2",
    "null",
    '"0.5"',
    "true",
    "9" * 5000,
    "[0.5]",
)


@kind
def run(good: Path, random: Random, place: Path) -> Path:
    """A study's folder with one of its files, or one of a run's, damaged."""
    import re

    folder = Path(shutil.copytree(good / "study", place / "study"))
    files = [one for one in sorted(folder.rglob("*")) if one.is_file() and one.suffix != ".keras"]
    path = random.choice(
        [one for one in files if one.suffix != ".safetensors" or random.random() < 0.5]
    )
    content, way = path.read_bytes(), random.randrange(10)
    is_json = path.suffix in (".json", ".jsonl")
    if path.suffix == ".parquet" and way < 6:
        _hostile_predictions(path, random)
        return folder
    if is_json and way < 3:
        lines = content.splitlines() if path.suffix == ".jsonl" else [content]
        at = random.randrange(len(lines))
        lines[at] = restructured(lines[at], random)
        content = b"\n".join(lines)
    elif is_json and way < 6:
        numbers = list(re.finditer(rb"(?<=[:\[ ])-?\d+(?:\.\d+)?(?:e-?\d+)?(?=[,\]}\n])", content))
        if numbers:
            found = random.choice(numbers)
            content = (
                content[: found.start()] + random.choice(_NUMBERS).encode() + content[found.end() :]
            )
    elif path.suffix == ".toml" and way < 6:
        lines = content.decode().splitlines()
        at = random.randrange(len(lines))
        if " = " in lines[at]:
            lines[at] = f"{lines[at].partition(' = ')[0]} = {random.choice(_TOML)}"
        content = "\n".join(lines).encode()
    elif way == 6:
        content = json.dumps(random.choice(VALUES)).encode("utf-8", "surrogatepass")
    elif way == 7:
        content = random.choice(
            (b"", b"[" * 5000, b"{" * 9, b"null", b"\xff\xfe\0", b"[]", b"{}", b"1", b'"a"')
        )
    elif way == 8:
        path.unlink()
        if random.random() < 0.5:
            path.mkdir()
        return folder
    else:
        content = damaged(content, random)
    path.write_bytes(content)
    return folder


def _hostile_predictions(path: Path, random: Random) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    way = random.randrange(6)
    if way == 0:
        table = table.replace_schema_metadata(
            random.choice(
                (
                    None,
                    {"labels": "["},
                    {"labels": "3"},
                    {"labels": '["a"]'},
                    {"labels": '["a", "b", "c"]'},
                    {"labels": "[" * 5000},
                )
            )
        )
    elif way == 1:
        table = table.drop_columns([random.choice(table.column_names)])
    elif way == 2:
        at = random.randrange(table.num_columns)
        table = table.set_column(at, table.column_names[at], _column(table.num_rows, random))
    elif way == 3:
        probabilities = table["probability"].to_numpy().copy()
        probabilities[random.randrange(len(probabilities))] = random.choice(
            (np.nan, np.inf, -0.5, 1.5)
        )
        table = table.set_column(2, "probability", pa.array(probabilities))
    elif way == 4:
        table = table.slice(0, random.choice((0, 1)))
    else:
        names = pa.array([random.choice(("positive", "neither")) for _ in range(table.num_rows)])
        table = table.set_column(1, "label", names)
    pq.write_table(table, path)


# Keras models

_CODE = (
    ("os", "system"),
    ("subprocess", "Popen"),
    ("builtins", "exec"),
    ("builtins", "eval"),
    ("keras.utils", "get_file"),
    ("keras.src.utils.python_utils", "func_load"),
    ("keras.src.saving.saving_lib", "load_model"),
    ("keras.saving", "load_model"),
    ("keras.models", "load_model"),
    ("keras.config", "enable_unsafe_deserialization"),
    ("keras.layers", "Lambda"),
    ("keras.layers", "TFSMLayer"),
    ("keras.layers", "TorchModuleWrapper"),
    ("keras.layers", "StringLookup"),
    ("sentilab.models.registry", "load_models_from"),
    ("numpy", "load"),
)


@kind
def keras(good: Path, random: Random, place: Path) -> Path:
    """model.keras: code in its configuration, sizes without bounds, bombs, other weights."""
    path = place / "model.keras"
    with zipfile.ZipFile(good / random.choice(("mlp.keras", "bilstm1.keras"))) as source:
        members = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(good / "other.keras") as source:
        others = {name: source.read(name) for name in source.namelist()}
    way, squeezed = random.randrange(12), zipfile.ZIP_STORED
    plain = json.loads(members["config.json"])
    layers = plain["config"]["layers"]
    if way == 0:
        members["config.json"] = restructured(members["config.json"], random)
    elif way == 1:
        one = random.choice(sorted(members))
        members[one] = damaged(members[one], random)
    elif way in (2, 3):
        module, name = random.choice(_CODE)
        touched = f"touch {place / TRACE}"
        hostile_one: Any = random.choice(
            (
                {
                    "module": module,
                    "class_name": name,
                    "config": {
                        "command": touched,
                        "args": touched,
                        "filepath": str(path),
                        "name": "x",
                        "vocabulary": "/etc/passwd",
                        "function": {
                            "class_name": "__lambda__",
                            "config": {"value": ["4wEAAAA=", None, None]},
                        },
                        "arguments": {},
                    },
                    "registered_name": random.choice((None, name, "sentilab>Pooling")),
                },
                {
                    "module": module,
                    "class_name": "function",
                    "config": name,
                    "registered_name": name,
                },
                {
                    "module": "builtins",
                    "class_name": "function",
                    "config": touched,
                    "registered_name": "function",
                },
            )
        )
        one = random.choice(layers)
        random.choice(
            (
                lambda: one.update(hostile_one),
                lambda: one["config"].update(activation=hostile_one),
                lambda: one["config"].update(kernel_initializer=hostile_one),
                lambda: plain.update(
                    compile_config={"loss": hostile_one, "optimizer": hostile_one}
                ),
                lambda: plain.update(hostile_one),
            )
        )()
        members["config.json"] = json.dumps(plain).encode()
    elif way == 4:
        sizes = [
            (one["config"], key)
            for one in layers
            for key in one["config"]
            if key in ("units", "input_dim", "output_dim", "filters")
        ]
        if sizes:
            holder, key = random.choice(sizes)
            holder[key] = random.choice((0, -1, 3, 10**6, 10**9, 10**12, 2**70, 1.5, "8"))
        members["config.json"] = json.dumps(plain).encode()
    elif way == 5:
        members["model.weights.h5"] = others["model.weights.h5"]
    elif way == 6:
        members[random.choice(sorted(members))] = bytes(random.choice((0, 100, 600 << 20)))
        squeezed = zipfile.ZIP_DEFLATED
    elif way == 7:
        members["model.weights.h5"] = _hostile_weights(members["model.weights.h5"], random)
    elif way == 8:
        del members[random.choice(sorted(members))]
    elif way == 9:
        members[
            random.choice(
                (f"../{TRACE}", f"/tmp/{TRACE}", "assets/x", "model.weights.npz", "config.json/x")
            )
        ] = b"x"
    elif way == 10:
        members["config.json"] = random.choice(
            (
                b"[" * 50_000,
                b"null",
                b"[]",
                b"{}",
                b"\xff",
                b'{"class_name": "Sequential"}',
                b"1" * 5000,
            )
        )
    with zipfile.ZipFile(path, "w", squeezed, compresslevel=1) as target:
        for one, content in members.items():
            target.writestr(one, content)
    if way == 11:
        path.write_bytes(
            random.choice((damaged(path.read_bytes(), random), b"", members["model.weights.h5"]))
        )
    return path


def _hostile_weights(content: bytes, random: Random) -> bytes:
    import h5py

    buffer = io.BytesIO(content)
    with h5py.File(buffer, "a") as file:
        datasets: list[str] = []
        file.visititems(
            lambda name, one: datasets.append(name) if isinstance(one, h5py.Dataset) else None
        )
        name = random.choice(datasets)
        old = file[name][...]
        del file[name]
        way = random.randrange(7)
        if way == 0:
            # None of it is stored: it is all fill value.
            shape = random.choice((old.shape, (1 << 31,), (1 << 20, 1 << 20)))
            file.create_dataset(
                name, shape=shape, dtype="f4", chunks=tuple(min(1024, one) for one in shape)
            )
        elif way == 1:
            file.create_dataset(name, data=np.full(old.shape, np.nan, "f4"))
        elif way == 2:
            file.create_dataset(name, data=old.astype(random.choice(("i4", "f8", "S4"))))
        elif way == 3:
            file.create_dataset(
                name, old.shape, "f4", external=[("/etc/passwd", 0, 4 * max(1, old.size))]
            )
        elif way == 4:
            file[name] = random.choice(
                (
                    h5py.SoftLink("/nowhere"),
                    h5py.SoftLink(f"/{name}"),
                    h5py.ExternalLink("/etc/passwd", "/"),
                )
            )
        elif way == 5:
            file.create_dataset(name, data=np.zeros((*old.shape, 2), "f4"))
        else:
            file.create_group(name)
    return buffer.getvalue()
