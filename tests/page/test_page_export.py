"""What an export writes, and where it has the runtime from."""

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sentilab.bundle import format, web, web_runtime
from sentilab.bundle.format import BundleError
from sentilab.bundle.web import export_web
from sentilab.bundle.web_runtime import FILES, RuntimeMissing, cache_folder, runtime_files
from sentilab.errors import SettingsError


def test_an_export_holds_what_the_page_needs_and_no_more(
    exported: Path, bundles: list[Path]
) -> None:
    names = {str(one.relative_to(exported)) for one in exported.rglob("*") if one.is_file()}
    assert {
        "index.html",
        "models.json",
        "runtime/ort.wasm.bundle.min.mjs",
        "runtime/ort-wasm-simd-threaded.wasm",
        "models/1-plain/model.onnx",
        "models/2-lstm/model.int8.onnx",
        "models/3-three/README.md",
    } <= names
    assert not any(one.endswith(("weights.safetensors", "provenance.json")) for one in names)
    described = json.loads((exported / "models.json").read_text())
    assert [one["name"] for one in described["models"]] == ["plain", "lstm", "three"]
    assert set(described["models"][0]["files"]) == {
        "model.onnx",
        "vocabulary.json",
        "golden.json",
        "README.md",
    }


def test_the_exported_page_allows_itself_nothing_from_elsewhere(exported: Path) -> None:
    index = (exported / "index.html").read_text()
    policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}' in index
    assert '<meta name="sentilab-models" content="models.json">' in index
    sources = [one for one in exported.iterdir() if one.suffix in (".js", ".css", ".html")]
    for one in sources:
        content = one.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in content, one
        assert "https://" not in content.replace("https?://", ""), one
        assert "innerHTML" not in content, one


def test_an_export_replaces_an_export_and_nothing_else(
    exported: Path, bundles: list[Path], runtime: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "page"
    export_web(bundles, folder, runtime=runtime)
    again = export_web(bundles[:1], folder, runtime=runtime)
    assert [one.name for one in (folder / "models").iterdir()] == ["1-plain"]
    assert again.models == ("plain",)
    assert again.size == sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(SettingsError, match="no page of Sentilab"):
        export_web(bundles, other, runtime=runtime)


def test_bundles_that_cannot_be_shown_are_refused(
    bundles: list[Path], tmp_path: Path, runtime: Path
) -> None:
    with pytest.raises(SettingsError, match='named "plain"'):
        export_web([bundles[0], bundles[0]], tmp_path / "page", runtime=runtime)
    with pytest.raises(SettingsError, match="no bundle"):
        export_web([], tmp_path / "page", runtime=runtime)
    with pytest.raises(BundleError):
        export_web([tmp_path / "nothing"], tmp_path / "page", runtime=runtime)
    assert not (tmp_path / "page").exists()


def test_another_python_s_words_go_with_its_page(
    monkeypatch: pytest.MonkeyPatch, bundles: list[Path], tmp_path: Path, runtime: Path
) -> None:
    monkeypatch.setattr(web.unicodedata, "unidata_version", "99.0.0")
    monkeypatch.setattr(web, "lower_module", lambda: "// another table\n")
    export_web(bundles[:1], tmp_path / "page", runtime=runtime)
    assert (tmp_path / "page" / "lower.js").read_text() == "// another table\n"


def test_names_of_models_become_safe_folders(
    bundles: list[Path], tmp_path: Path, runtime: Path
) -> None:
    opened = format.Bundle(bundles[0])
    contents = {name: opened.read(name) for name in opened.manifest.files}
    for number, name in enumerate(["..", "модель", "a.b"]):
        named = format.Manifest(**{**vars(opened.manifest), "name": name})
        try:
            format.write(tmp_path / f"bundle{number}", named, contents)
        except BundleError:
            continue  # such a name is no name at all
        folder = export_web(
            [tmp_path / f"bundle{number}"], tmp_path / f"page{number}", runtime=runtime
        )
        (place,) = (folder.folder / "models").iterdir()
        assert place.name.isascii()
        assert (place / "model.onnx").is_file()


def test_the_runtime_comes_from_a_folder_as_npm_installs_it(tmp_path: Path, runtime: Path) -> None:
    dist = tmp_path / "onnxruntime-web" / "dist"
    dist.mkdir(parents=True)
    for name in FILES:
        (dist / name).write_bytes((runtime / name).read_bytes())
    assert set(runtime_files(dist.parent)) == set(FILES)
    (dist / web_runtime.MODULE).write_text("// changed")
    with pytest.raises(RuntimeMissing, match=r"(?s)not the file of onnxruntime-web@.*npm pack"):
        runtime_files(dist.parent)


def _packed(names: list[str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 1
            file.addfile(entry, io.BytesIO(b"x"))
    return packed.getvalue()


def _pinned(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    import base64
    import hashlib

    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    monkeypatch.setattr(web_runtime, "INTEGRITY", f"sha512-{digest}")
    one = hashlib.sha256(b"x").hexdigest()
    monkeypatch.setattr(web_runtime, "FILES", dict.fromkeys(FILES, one))


def test_a_tarball_is_taken_only_if_it_is_the_pinned_one_and_nothing_beside_is_unpacked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = [f"package/dist/{one}" for one in FILES]
    content = _packed([*names, "../../evil", "/tmp/evil"])
    tarball = tmp_path / "package.tgz"
    tarball.write_bytes(content)
    with pytest.raises(RuntimeMissing, match="its checksum is not that of onnxruntime-web@"):
        runtime_files(tarball)
    _pinned(monkeypatch, content)
    assert runtime_files(tarball) == dict.fromkeys(FILES, b"x")
    assert [one.name for one in tmp_path.iterdir()] == ["package.tgz"]


def test_what_npm_fetches_is_checked_kept_and_not_fetched_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = _packed([f"package/dist/{one}" for one in FILES])
    asked: list[list[str]] = []

    def npm(command: list[str], *, cwd: str, **_: Any) -> None:
        asked.append(command)
        (Path(cwd) / web_runtime.TARBALL).write_bytes(content)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(web_runtime.shutil, "which", lambda _: "npm")
    monkeypatch.setattr(web_runtime.subprocess, "run", npm)
    with pytest.raises(RuntimeMissing, match="checksum"):
        runtime_files()
    assert web_runtime.cached() is None
    _pinned(monkeypatch, content)
    assert runtime_files() == dict.fromkeys(FILES, b"x")
    assert runtime_files() == dict.fromkeys(FILES, b"x")
    assert len(asked) == 2
    assert {one.name for one in cache_folder().iterdir()} == set(FILES)


def test_without_a_network_one_is_told_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def npm(*_: Any, **__: Any) -> None:
        raise subprocess.CalledProcessError(1, "npm", stderr="npm ERR! network\nmore")

    def away(*_: Any, **__: Any) -> None:
        raise OSError("unreachable")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(web_runtime.shutil, "which", lambda _: "npm")
    monkeypatch.setattr(web_runtime.subprocess, "run", npm)
    monkeypatch.setattr(web_runtime.urllib.request, "urlopen", away)
    with pytest.raises(RuntimeMissing) as raised:
        runtime_files()
    said = str(raised.value)
    assert "npm ERR! network;" in said
    assert "unreachable" in said
    assert "npm pack onnxruntime-web@" in said
    assert "--runtime" in said
