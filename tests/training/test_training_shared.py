"""Shared data say whether they are what was written."""

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from sentilab.training import Preparation, shared


@given(
    values=st.lists(st.integers(-128, 127), min_size=1, max_size=40),
    kind=st.sampled_from(["i1", "i4", "i8", "bool"]),
    data=st.data(),
)
def test_no_byte_can_change_without_the_total(values: list[int], kind: str, data: Any) -> None:
    array = np.asarray(values).astype(kind)
    content = bytearray(array.tobytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    changed = np.frombuffer(bytes(content), np.uint8)
    total = shared._total(np.frombuffer(array.tobytes(), np.uint8))
    assert shared._total(array) == total
    assert shared._total(changed) != total


def test_what_was_written_is_read(preparation: Preparation, tmp_path: Path) -> None:
    preparation.write_shared(tmp_path)
    found = shared.read(tmp_path)
    assert found.dataset.ids == list(preparation.dataset.ids)
    assert np.array_equal(found.dataset.labels, preparation.dataset.labels)
    assert np.array_equal(found.tokens.ids, preparation.tokens.ids)
    assert {one.path.name for one in found.mapped} == {one.name for one in tmp_path.glob("*.npy")}
    shared.require_whole(found.mapped)


@pytest.mark.parametrize("name", ["facts.json", "labels.npy", "tokens-words.npy", "labels.sha256"])
@pytest.mark.parametrize("how", ["flipped", "shorter", "gone"])
def test_a_damaged_file_is_refused_and_mended(
    preparation: Preparation, tmp_path: Path, name: str, how: str
) -> None:
    preparation.write_shared(tmp_path)
    whole = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    preparation.mend_shared(tmp_path)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == whole
    content = bytearray(whole[name])
    content[len(content) // 2] ^= 2
    if how == "gone":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(bytes(content if how == "flipped" else content[:-1]))
    with pytest.raises(shared.DamagedShare, match=name.partition(".")[0]):
        shared.read(tmp_path)
    preparation.mend_shared(tmp_path)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == whole
