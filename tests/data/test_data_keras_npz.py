import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentilab.data.keras_npz import read_sequences
from sentilab.errors import DataError


def array_of(lists: list[list[int]], protocol: int) -> bytes:
    """The .npy file of an object array, as NumPy of any age has pickled it."""
    content = np.empty(len(lists), object)
    content[:] = lists
    file = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": content.shape}
    np.lib.format.write_array_header_1_0(file, header)
    file.write(pickle.dumps(content, protocol=protocol))
    return file.getvalue()


def npz_of(path: Path, sequences: bytes, labels: object = (0, 1)) -> Path:
    answers = io.BytesIO()
    np.save(answers, np.asarray(labels))
    with zipfile.ZipFile(path, "w") as archive:
        for split in ("train", "test"):
            archive.writestr(f"x_{split}.npy", sequences)
            archive.writestr(f"y_{split}.npy", answers.getvalue())
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_lists_of_any_length_and_size_come_back_as_they_were(tmp_path: Path, protocol: int) -> None:
    lists = [[], [1], [0, 255, 256, 65_535, 65_536, 88_584], list(range(3_000)), [7] * 300, [1, 2]]
    labels = [0, 1] * 3
    path = npz_of(tmp_path / "imdb.npz", array_of(lists, protocol), labels)
    assert read_sequences(path)["train"] == (lists, labels)


def test_labels_that_are_no_whole_numbers_are_refused(tmp_path: Path) -> None:
    path = npz_of(tmp_path / "imdb.npz", array_of([[1], [2]], 4), [0.0, 0.5])
    with pytest.raises(DataError, match=r"imdb\.npz.*y_train.*float64"):
        read_sequences(path)


VALID = array_of([[1, 300], [70_000]], 4)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(VALID) - 1), st.integers(0, 255), st.booleans())
def test_a_damaged_byte_or_a_cut_gives_numbers_or_an_error_in_words(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: bool
) -> None:
    damaged = VALID[:at] if cut else VALID[:at] + bytes([byte]) + VALID[at + 1 :]
    path = npz_of(tmp_path_factory.getbasetemp() / "fuzzed.npz", damaged)
    try:
        sequences, _ = read_sequences(path)["train"]
    except DataError:
        return
    assert all(type(rank) is int for ranks in sequences for rank in ranks)


# What benchmarks/fuzz_inputs.py found: small when packed, and large in memory.
HEAD = array_of([[1]], 2)[:128]


@pytest.mark.parametrize(
    "opcodes",
    [
        b"\x80\x02]" + b"]" * (2 << 20),
        b"\x80\x02]" + b"]\x94" * (2 << 20),
        b"\x80\x02]" + b"(" * (2 << 20),
        b"\x80\x02]q\0]q\1" + b"h\1" * 9,
        b"\x80\x02]J\xff\xff\xff\x7f",
        b"\x80\x02X\xff\xff\xff\x0f" + b"a" * 9,
    ],
)
def test_parts_without_end_are_refused_before_they_fill_the_memory(
    tmp_path: Path, opcodes: bytes
) -> None:
    path = npz_of(tmp_path / "imdb.npz", HEAD + opcodes + b".")
    with pytest.raises(DataError, match=r"imdb\.npz: not Keras's imdb\.npz"):
        read_sequences(path)


def test_an_array_that_would_unpack_to_far_more_than_keras_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "imdb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", bytes(65 << 20))
    with pytest.raises(DataError, match="x_train would unpack to 68,157,440 bytes"):
        read_sequences(path)


def test_members_that_are_packed_in_a_damaged_way_are_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "imdb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x_train.npy", VALID * 9)
    content = bytearray(path.read_bytes())
    content[60:90] = b"\xff" * 30
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"imdb\.npz"):
        read_sequences(path)


@pytest.mark.parametrize(
    "content", [b'{"a": 1e999}', b'{"a": NaN}', b"[" * 100_000, b'{"\\ud800": 1}', b"null"]
)
def test_an_index_of_words_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    from sentilab.data.keras_npz import word_of_rank

    (tmp_path / "imdb_word_index.json").write_bytes(content)
    with pytest.raises(DataError, match=r"imdb_word_index\.json: not a word index"):
        word_of_rank(tmp_path / "imdb_word_index.json")
