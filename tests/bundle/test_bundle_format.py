"""What a bundle is on disk, and what is refused."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentilab.bundle import Bundle, BundleError, format


@pytest.fixture
def bundle(small_bundle: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(small_bundle(), tmp_path / "bundle"))


def changed_manifest(bundle: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = bundle / "bundle.json"
    plain = json.loads(path.read_text(encoding="utf-8"))
    change(plain)
    path.write_text(json.dumps(plain), encoding="utf-8")


def test_a_bundle_holds_what_the_manifest_says_and_nothing_else(bundle: Path) -> None:
    opened = Bundle(bundle)
    assert {one.name for one in bundle.iterdir()} == {"bundle.json", *opened.manifest.files}
    for name in opened.manifest.files:
        assert opened.read(name) == (bundle / name).read_bytes()


def test_a_zip_holds_the_same_and_equal_bundles_are_equal_files(
    bundle: Path, tmp_path: Path
) -> None:
    opened = Bundle(bundle)
    contents = {name: opened.read(name) for name in opened.manifest.files}
    for path in ("one.zip", "two.zip", "folder"):
        format.write(tmp_path / path, opened.manifest, contents)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    for copy in (Bundle(tmp_path / "one.zip"), Bundle(tmp_path / "folder")):
        assert copy.manifest == opened.manifest
        assert {name: copy.read(name) for name in contents} == contents


def test_a_table_that_is_nearly_empty_can_be_unpacked_again(bundle: Path, tmp_path: Path) -> None:
    opened = Bundle(bundle)
    contents = {name: opened.read(name) for name in opened.manifest.files}
    table = bytes(4 << 20)
    format.write(tmp_path / "a.zip", opened.manifest, {**contents, "weights.safetensors": table})
    assert Bundle(tmp_path / "a.zip").read("weights.safetensors") == table


@pytest.mark.parametrize("masked", [True, False])
def test_bundles_of_before_say_by_their_mask_whether_padding_may_be_cropped(
    small_bundle: Callable[..., Path], tmp_path: Path, masked: bool
) -> None:
    bundle = Path(shutil.copytree(small_bundle(masked=masked), tmp_path / "bundle"))
    assert Bundle(bundle).manifest.ignores_padding == masked
    changed_manifest(bundle, lambda plain: plain["model"].pop("ignores_padding"))
    assert Bundle(bundle).manifest.ignores_padding == masked
    changed_manifest(bundle, lambda plain: plain["model"].update(ignores_padding=not masked))
    with pytest.raises(BundleError, match="its layers say otherwise"):
        Bundle(bundle)
    changed_manifest(bundle, lambda plain: plain["model"].update(ignores_padding="yes"))
    with pytest.raises(BundleError, match="it must be true or false"):
        Bundle(bundle)


def test_writing_over_a_bundle_replaces_it_and_over_anything_else_is_refused(
    bundle: Path, tmp_path: Path
) -> None:
    opened = Bundle(bundle)
    contents = {name: opened.read(name) for name in opened.manifest.files}
    format.write(bundle, opened.manifest, {**contents, "README.md": b"another"})
    assert Bundle(bundle).read("README.md") == b"another"
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="no bundle"):
        format.write(mine, opened.manifest, contents)
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert not list(tmp_path.glob(".*partial*"))


@pytest.mark.parametrize("name", sorted(format.REQUIRED))
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: it is missing"):
        Bundle(bundle)


def test_a_file_of_another_size_or_content_is_refused(bundle: Path) -> None:
    path = bundle / "vocabulary.json"
    before = path.read_bytes()
    path.write_bytes(before + b" ")
    with pytest.raises(BundleError, match="bytes where the manifest says"):
        Bundle(bundle)
    path.write_bytes(before.replace(b"a", b"b", 1))
    with pytest.raises(BundleError, match=r"vocabulary\.json: its checksum"):
        Bundle(bundle).read("vocabulary.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plain: plain.update(format=2), "it has format 2, and this Sentilab reads format 1"),
        (lambda plain: plain.update(format=True), '"format"'),
        (lambda plain: plain.update(name="../up"), '"name"'),
        (lambda plain: plain.update(labels=["one"]), '"labels"'),
        (lambda plain: plain.update(labels=["one", "one"]), "stands there twice"),
        (lambda plain: plain.update(temperature=0), '"temperature"'),
        (lambda plain: plain.update(temperature="warm"), '"temperature"'),
        (lambda plain: plain.update(threshold=1.5), '"threshold"'),
        (lambda plain: plain["encoding"].update(length=10**9), '"length"'),
        (lambda plain: plain.update(files=[]), '"files"'),
        (lambda plain: plain["files"].pop("golden.json"), "lacks golden.json"),
        (lambda plain: plain["files"].update({"../x": {}}), "which no bundle has"),
        (lambda plain: plain["files"]["README.md"].update(bytes=-1), '"bytes"'),
        (lambda plain: plain["model"].update(layers=[{"kind": 1}]), '"weights"'),
        (lambda plain: plain.pop("model"), '"model"'),
    ],
)
def test_a_manifest_that_is_not_right_is_refused_by_its_key(
    bundle: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    changed_manifest(bundle, change)
    with pytest.raises(BundleError) as refused:
        Bundle(bundle)
    assert said in str(refused.value)
    assert "bundle.json" in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"[" * 100_000, b"\xff\xfe", b'{"format": NaN}']
)
def test_a_manifest_that_is_no_object_of_json_is_refused(bundle: Path, content: bytes) -> None:
    (bundle / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        Bundle(bundle)


def test_what_is_no_bundle_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="sentilab export RUN"):
        Bundle(tmp_path / "nothing")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(BundleError, match=r"neither a folder nor a readable \.zip"):
        Bundle(tmp_path / "text.zip")
    with pytest.raises(BundleError, match=r"bundle\.json: it is missing"):
        Bundle(tmp_path)


def test_a_pipe_in_a_files_place_is_refused_at_once(bundle: Path) -> None:
    (bundle / "golden.json").unlink()
    os.mkfifo(bundle / "golden.json")
    with pytest.raises(BundleError, match="not a plain file"):
        Bundle(bundle)


def test_a_zip_that_unpacks_to_more_than_it_says_is_refused(bundle: Path, tmp_path: Path) -> None:
    packed = tmp_path / "bomb.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bundle.json", b" " * (format.MOST_MANIFEST + 1))
    with pytest.raises(BundleError, match="larger than"):
        Bundle(packed)
