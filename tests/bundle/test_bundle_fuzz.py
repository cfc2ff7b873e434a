"""Damaged bundles end in a clear error or in right answers; benchmarks/fuzz_bundles.py makes thousands."""

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from sentilab.bundle import BundleError, load

ROOT = Path(__file__).resolve().parents[2]
# The benchmarks are no part of the installed package.
sys.path.insert(0, str(ROOT))

from benchmarks.fuzz_bundles import (  # noqa: E402
    Case,
    Outcome,
    contents_of,
    judged,
    planned,
    table,
)
from benchmarks.mutations import KINDS, mended, mutant, write_folder  # noqa: E402

Bundles = Callable[..., Path]
EACH = 20


@pytest.fixture(scope="module")
def contents(small_bundle: Bundles) -> list[dict[str, bytes]]:
    """Files by name of an LSTM's bundle, a masked one's, an MLP's and one of an ensemble with n-grams."""
    bundles = (
        small_bundle(),
        small_bundle(masked=True),
        small_bundle("mlp"),
        small_bundle("ensemble", True),
    )
    return [contents_of(one) for one in bundles]


# Bombs take long to make; one is below.
@pytest.mark.parametrize("kind", [one for one in KINDS if one != "zip_bomb"])
def test_a_damaged_bundle_is_refused_with_a_reason_or_answers_as_it_says(
    contents: list[dict[str, bytes]], kind: str, tmp_path: Path
) -> None:
    for seed in range(EACH):
        path = tmp_path / f"{seed}{'.zip' if seed % 2 else ''}"
        mutant(contents[seed % len(contents)], kind, seed, path)
        verdict, said = judged(path, Case(kind, seed).engine)
        assert verdict in ("refused", "loaded"), f"{kind} {seed}: {said}"


def test_the_same_kind_and_seed_give_the_same_bundle(
    contents: list[dict[str, bytes]], tmp_path: Path
) -> None:
    for kind in ("json_structure", "graph_structure", "weights", "zip_fields"):
        for path in (tmp_path / f"{kind}-one", tmp_path / f"{kind}-two"):
            mutant(contents[0], kind, 7, path)
        first, second = (
            contents_of(path) if path.is_dir() else path.read_bytes()
            for path in (tmp_path / f"{kind}-one", tmp_path / f"{kind}-two")
        )
        # A .zip holds the time at which it was written.
        assert first == second or (isinstance(first, bytes) and len(first) == len(second))


def test_what_is_planned_has_every_kind_and_of_bombs_a_tenth() -> None:
    cases = list(planned(len(KINDS) * 20, (), 0))
    assert {one.kind for one in cases} == set(KINDS)
    assert 2 <= sum(one.kind == "zip_bomb" for one in cases) <= 3
    assert [one.seed for one in planned(3, ("golden",), 5)] == [5, 6, 7]


def test_the_table_counts_every_verdict() -> None:
    outcomes = [
        Outcome("golden", n, one, "") for n, one in enumerate(("refused", "loaded", "FINDING"))
    ]
    assert table(outcomes).splitlines()[-1] == "| all | 3 | 1 | 1 | 1 | 0.00 | 0 |"


# What an earlier loader did not refuse, or not so.


@pytest.fixture
def bundle(small_bundle: Bundles, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_bundle(), tmp_path / "bundle"))


def manifest_with(bundle: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    plain = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    change(plain)
    (bundle / "bundle.json").write_text(json.dumps(plain), encoding="utf-8")


def rewritten(bundle: Path, **files: bytes) -> None:
    """Other contents, with their checksums; "_" stands for "." in the names."""
    changed = contents_of(bundle) | {name.replace("_", "."): one for name, one in files.items()}
    shutil.rmtree(bundle)
    write_folder(mended(changed), bundle)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plain: plain["model"].update(layers=[]), '"layers"'),
        (lambda plain: plain["model"].update(layers=plain["model"]["layers"] * 50), '"layers"'),
        (lambda plain: plain.update(temperature=10**400), "too large"),
        (lambda plain: plain.update(labels=["a", "\ud800"]), "half of a character"),
        (lambda plain: plain.update(created="\udfff"), "half of a character"),
        (lambda plain: plain.update(labels=["a", "\x1b[2J"]), '"labels"'),
        (lambda plain: plain.update(labels=["a", "b" * 10_000]), '"labels"'),
        (lambda plain: plain.update(name=".."), '"name"'),
        (lambda plain: plain.update(name="a" * 101), '"name"'),
        (lambda plain: plain["encoding"].update(words=5_000_000), '"words"'),
        (lambda plain: plain["files"]["golden.json"].update(bytes=1 << 29), '"bytes"'),
        (lambda plain: plain["files"].update({"\x1b" * 5_000: {}}), "�"),
        (lambda plain: plain["parity"].update(deep=json.loads("[" * 500 + "]" * 500)), "nested"),
    ],
)
def test_a_manifest_that_could_not_be_shown_or_written_again_is_refused(
    bundle: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    manifest_with(bundle, change)
    with pytest.raises(BundleError) as refused:
        load(bundle)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"threshold": 0.5', '"threshold": 1e999', "too large"),
        ('"parity": {', '"parity": {"worst": 1e999, ', "too large"),
        ('"threshold": 0.5', '"threshold": 0.5, "threshold": 0.9', "stands twice"),
    ],
)
def test_json_that_readers_understand_differently_is_refused(
    bundle: Path, old: str, new: str, said: str
) -> None:
    text = (bundle / "bundle.json").read_text(encoding="utf-8")
    assert old in text
    (bundle / "bundle.json").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(BundleError, match=said):
        load(bundle)


@pytest.mark.parametrize("name", ["README.md", "provenance.json"])
def test_a_file_that_is_read_late_is_checked_when_the_bundle_is_loaded(
    bundle: Path, name: str
) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[9] ^= 1
    (bundle / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=f"{name}: its checksum"):
        load(bundle)


def test_more_examples_than_a_bundle_needs_are_refused_before_they_are_encoded(
    bundle: Path,
) -> None:
    many = {"texts": [""] * 200_000, "probabilities": [[0.5, 0.5]] * 200_000}
    rewritten(bundle, golden_json=json.dumps(many).encode())
    with pytest.raises(BundleError, match=r"golden\.json: it has more than 30 examples"):
        load(bundle)


def test_a_card_that_is_no_text_is_refused(bundle: Path) -> None:
    rewritten(bundle, README_md=b"\xff\xfe\x00")
    with pytest.raises(BundleError, match=r"README\.md: it is no text"):
        load(bundle)


@pytest.mark.skipif(not Path("/proc/uptime").exists(), reason="there is no /proc here")
def test_a_file_that_the_system_makes_up_is_not_read(bundle: Path) -> None:
    # Of /proc/kmsg, another of them, reading never ends.
    (bundle / "bundle.json").unlink()
    (bundle / "bundle.json").symlink_to("/proc/uptime")
    with pytest.raises(BundleError, match=r"bundle\.json: it is not valid JSON"):
        load(bundle)


def test_a_bomb_is_refused_before_it_is_unpacked(bundle: Path, tmp_path: Path) -> None:
    size = 1 << 26
    manifest_with(bundle, lambda plain: plain["files"]["weights.safetensors"].update(bytes=size))
    packed = tmp_path / "bomb.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for one in bundle.iterdir():
            if one.name != "weights.safetensors":
                file.write(one, one.name)
        file.writestr("weights.safetensors", bytes(size))
    with pytest.raises(BundleError, match=r"weights\.safetensors: it unpacks to far more"):
        load(packed, engine="native")


def test_a_list_of_very_many_entries_is_refused_before_it_is_read(
    bundle: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "many.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for one in bundle.iterdir():
            file.write(one, one.name)
        for n in range(2_000):
            file.writestr(f"n{n}", b"")
    with pytest.raises(BundleError, match="more than the 1,000 entries"):
        load(packed)


def test_what_stands_beside_a_bundles_own_entries_is_never_written_or_read(
    bundle: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "slip.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for one in bundle.iterdir():
            file.write(one, one.name)
        for name in ("../up", "/tmp/absolute", "bundle.json/x", "Model.onnx"):
            file.writestr(name, b"x")
    before = sorted(tmp_path.iterdir())
    assert load(packed).predict(["good"])
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("engine", ["onnx", "int8", "native"])
def test_a_model_that_reads_padding_cannot_be_called_masked(bundle: Path, engine: str) -> None:
    # The examples, answered together, do not show it in a graph: the longest needs no padding.
    def masked(plain: Any) -> None:
        plain["model"]["layers"][0]["settings"]["masked"] = True
        plain["model"]["ignores_padding"] = True

    manifest_with(bundle, masked)
    with pytest.raises(BundleError, match=r"it reads padding|answers these examples"):
        load(bundle, engine=engine)  # type: ignore[arg-type]


def test_what_the_layers_do_not_say_the_examples_tell(bundle: Path) -> None:
    manifest_with(bundle, lambda plain: plain["model"].update(layers=None, ignores_padding=True))
    with pytest.raises(BundleError, match="answers these examples differently"):
        load(bundle, engine="onnx")


def test_weights_of_whole_numbers_are_none_that_the_kernel_reads(bundle: Path) -> None:
    tensors = safetensors.numpy.load_file(bundle / "weights.safetensors")
    whole = {name: one.astype(np.int32) for name, one in tensors.items()}
    rewritten(bundle, weights_safetensors=safetensors.numpy.save(whole))
    with pytest.raises(BundleError, match="tensors that are not float32"):
        load(bundle, engine="native")
