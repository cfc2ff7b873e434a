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
