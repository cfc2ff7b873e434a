"""A folder for the Hugging Face Hub, and pushing it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from sentilab.bundle import load
from sentilab.bundle.format import MANIFEST
from sentilab.bundle.hub import ATTRIBUTES, SPACE, export_hub, push
from sentilab.bundle.web_runtime import RuntimeMissing
from sentilab.errors import SentilabError, SettingsError
from sentilab.probe import Subject

Bundles = Callable[..., Path]
Subjects = Callable[..., Subject]


@pytest.fixture
def run(small_subject: Subjects) -> Path:
    return small_subject("mlp").run.path


@pytest.fixture
def exported(small_bundle: Bundles, run: Path, tmp_path: Path) -> Path:
    """Without a page."""
    return export_hub(small_bundle("mlp"), tmp_path / "mine", run=run, space=False).folder


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without the browser's runtime, which tests have no network for."""

    def export(bundles: list[Path], folder: Path, *, runtime: Path | None = None) -> None:
        folder.mkdir()
        (folder / "index.html").write_text("<!doctype html>")

    monkeypatch.setattr("sentilab.bundle.hub.export_web", export)


def test_the_folder_is_a_bundle_with_what_the_hub_asks_for(exported: Path, run: Path) -> None:
    names = {one.name for one in exported.iterdir()}
    assert {"README.md", ATTRIBUTES, "model.keras", "model.onnx", "weights.safetensors"} <= names
    assert (exported / "model.keras").read_bytes() == (run / "model.keras").read_bytes()
    kept = (exported / ATTRIBUTES).read_text().splitlines()
    assert "*.keras filter=lfs diff=lfs merge=lfs -text" in kept
    assert load(exported).probabilities(["good"]).shape == (1, 2)
    assert not list(exported.parent.glob(".*"))


def test_a_zipped_bundle_becomes_the_same_folder(
    small_bundle: Bundles, run: Path, exported: Path, tmp_path: Path
) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "small"), "zip", small_bundle("mlp")))
    other = export_hub(packed, tmp_path / "other", run=run, space=False).folder
    for one in exported.iterdir():
        assert (other / one.name).read_bytes() == one.read_bytes()


def test_stock_keras_loads_the_file_without_sentilab_and_answers_alike(
    exported: Path, small_subject: Subjects, tmp_path: Path
) -> None:
    classifier = small_subject("mlp").classifier
    ids = classifier.encode(["a wonderful film", "dull", "", "not good at all, not good"])
    np.save(tmp_path / "ids.npy", ids)
    answer(exported / "model.keras", tmp_path)
    answers = np.load(tmp_path / "answers.npy")
    np.testing.assert_allclose(answers[:, 0], classifier.score(ids)[:, 1], rtol=0, atol=1e-6)


def test_stock_keras_loads_a_masked_lstm_too(small_subject: Subjects, tmp_path: Path) -> None:
    subject = small_subject("bilstm1", masked=True)
    ids = subject.classifier.encode(["a wonderful film", "dull", "", "not good at all"])
    np.save(tmp_path / "ids.npy", ids)
    answer(subject.run.model, tmp_path)
    answers = np.load(tmp_path / "answers.npy")
    wanted = subject.classifier.score(ids)[:, 1]
    np.testing.assert_allclose(answers[:, 0], wanted, rtol=0, atol=1e-5)


def answer(model: Path, folder: Path) -> None:
    """Lets a process that knows nothing of Sentilab answer ``ids.npy``."""
    script = (
        "import sys, numpy as np, keras\n"
        f"model = keras.saving.load_model({str(model)!r})\n"
        f"ids = np.load({str(folder / 'ids.npy')!r})\n"
        f"np.save({str(folder / 'answers.npy')!r}, model.predict(ids, verbose=0))\n"
        "assert not [one for one in sys.modules if one.split('.')[0] == 'sentilab']\n"
    )
    environment = {"KERAS_BACKEND": "jax", "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=300)


def test_the_card_is_one_that_the_hubs_own_reader_takes(exported: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard.load(exported / "README.md")
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.model_name == "small-mlp"
    (accuracy, *_) = card.data.eval_results
    assert accuracy.metric_type == "accuracy"
    assert 0 <= accuracy.metric_value <= 1
    # Written out by the Hub's library it says the same.
    again = hub.ModelCardData(**card.data.to_dict())
    assert again.to_dict() == card.data.to_dict()


@pytest.mark.usefixtures("page")
def test_a_static_space_comes_with_it(small_bundle: Bundles, run: Path, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    made = export_hub(small_bundle("mlp"), tmp_path / "mine", run=run)
    card = hub.SpaceCard.load(made.folder / SPACE / "README.md")
    assert (card.data.sdk, card.data.app_file) == ("static", "index.html")
    assert (made.folder / SPACE / "index.html").is_file()
    assert made.space
    assert load(made.folder)


def test_without_the_browsers_runtime_the_error_says_how_to_go_on_and_nothing_is_left(
    small_bundle: Bundles, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise RuntimeMissing("It is not here.")

    monkeypatch.setattr("sentilab.bundle.hub.export_web", missing)
    with pytest.raises(SentilabError, match=r"not here.\n.*--no-space"):
        export_hub(small_bundle("mlp"), tmp_path / "mine", run=run)
    assert not list(tmp_path.iterdir())


def test_an_earlier_export_is_replaced_and_nothing_else_ever(
    small_bundle: Bundles, run: Path, exported: Path
) -> None:
    again = export_hub(small_bundle("mlp"), exported, run=run, space=False)
    assert load(again.folder)
    (exported / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="holds other things"):
        export_hub(small_bundle("mlp"), exported, run=run, space=False)
    assert (exported / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("kind", ["file", "folder", "bundle", "link"])
def test_what_is_not_an_export_is_not_replaced(
    small_bundle: Bundles, run: Path, tmp_path: Path, kind: str
) -> None:
    there = tmp_path / "mine"
    if kind == "file":
        there.write_text("mine")
    elif kind == "folder":
        (there / "mine").mkdir(parents=True)
    elif kind == "bundle":
        shutil.copytree(small_bundle("mlp"), there)
    else:
        there.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="Choose another name"):
        export_hub(small_bundle("mlp"), there, run=run, space=False)
    assert there.exists() or there.is_symlink()


def test_a_bundle_without_a_keras_file_asks_for_its_run(
    small_bundle: Bundles, small_subject: Subjects, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="--keras"):
        export_hub(small_bundle("mlp"), tmp_path / "mine", space=False)
    other = small_subject("bilstm1").run.path
    with pytest.raises(SettingsError, match="not of bilstm1"):
        export_hub(small_bundle("mlp"), tmp_path / "mine", run=other, space=False)


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub's interface as logging in and committing small files takes."""

    log: list[tuple[str, str, Any]]
    refuse: int

    def do_GET(self) -> None:
        if self.path.endswith("/whoami-v2"):
            return self.reply({"name": "somebody", "auth": {"type": "access_token"}})
        if "/tree/" in self.path:
            old = {"type": "file", "path": "models/old/model.onnx", "size": 1, "oid": "2" * 40}
            return self.reply([old])
        return self.reply({"siblings": [], "sha": "0" * 40, "id": "somebody/mine"})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        lines = [json.loads(one) for one in content.splitlines() if one]
        self.log.append((self.path, self.headers.get("Authorization", ""), lines))
        if self.refuse:
            return self.reply({"error": "You may not."}, self.refuse)
        if self.path.endswith("/repos/create"):
            kind = "spaces/" if lines[0].get("type") == "space" else ""
            name = f"{lines[0].get('organization', 'somebody')}/{lines[0]['name']}"
            return self.reply({"url": f"{self.url}/{kind}{name}"})
        if "/preupload/" in self.path:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in lines[0]["files"]
            ]
            return self.reply({"files": files})
        if "/commit/" in self.path:
            return self.reply(
                {
                    "commitUrl": f"{self.url}/somebody/mine/commit/1",
                    "commitOid": "1" * 40,
                    "success": True,
                }
            )
        return self.reply({})

    @property
    def url(self) -> str:
        return f"http://{self.headers['Host']}"

    def reply(self, content: Any, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Hub]]:
    """A stand-in on this machine, to which huggingface_hub's own client speaks."""
    pytest.importorskip("huggingface_hub")
    handler = type("Handler", (Hub,), {"log": [], "refuse": 0})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    yield handler
    server.shutdown()
    server.server_close()


def committed(hub: type[Hub], kind: str) -> set[str]:
    """The paths in the commits to repositories of this kind."""
    return {
        line["value"]["path"]
        for path, _, lines in hub.log
        if re.search(rf"/{kind}s/.*/commit/", path)
        for line in lines
        if line["key"] == "file"
    }


@pytest.mark.usefixtures("page")
def test_push_makes_the_repository_and_commits_every_file_but_the_space(
    hub: type[Hub], small_bundle: Bundles, run: Path, tmp_path: Path
) -> None:
    made = export_hub(small_bundle("mlp"), tmp_path / "mine", run=run)
    address = push(made.folder, "somebody/mine", private=True, token="hf_secret")
    assert address.endswith("/somebody/mine")
    create = next(lines[0] for path, _, lines in hub.log if path.endswith("/repos/create"))
    assert create.get("private") is True or create.get("visibility") == "private"
    assert {one for _, one, _ in hub.log} == {"Bearer hf_secret"}
    written = {one.name for one in made.folder.iterdir() if one.is_file()}
    assert committed(hub, "model") == written
    assert not committed(hub, "space")


@pytest.mark.usefixtures("page")
def test_the_space_is_pushed_as_a_repository_of_its_own_if_it_is_asked_for(
    hub: type[Hub], small_bundle: Bundles, run: Path, tmp_path: Path
) -> None:
    made = export_hub(small_bundle("mlp"), tmp_path / "mine", run=run)
    push(made.folder, "somebody/mine", token="hf_secret", space="somebody/show")
    assert committed(hub, "space") == {"index.html", "README.md", ATTRIBUTES}
    deleted = [
        line["value"]["path"]
        for path, _, lines in hub.log
        if "/commit/" in path
        for line in lines
        if line["key"] == "deletedFile"
    ]
    assert deleted == ["models/old/model.onnx"]
    creates = [lines[0] for path, _, lines in hub.log if path.endswith("/repos/create")]
    assert creates[1]["sdk"] == "static"


def test_a_refusal_of_the_hub_is_an_error_that_says_what_to_do(
    hub: type[Hub], exported: Path
) -> None:
    hub.refuse = 403
    with pytest.raises(SentilabError, match=r"could not push to .*\n.*hf auth login"):
        push(exported, "somebody/mine", token="hf_secret")


def test_a_name_that_is_none_is_an_error(hub: type[Hub], exported: Path) -> None:
    with pytest.raises(SentilabError, match="could not push to"):
        push(exported, "no/such/name", token="hf_secret")


def test_without_a_login_the_error_says_how_to_log_in(
    hub: type[Hub], exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: None)
    with pytest.raises(SentilabError, match="hf auth login"):
        push(exported, "somebody/mine")


def test_a_hub_out_of_reach_is_an_error(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SentilabError, match=r"could not log in \("):
        push(exported, "somebody/mine", token="hf_secret")


def test_without_the_library_the_error_says_what_to_install(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SentilabError, match=r"sentilab\[hub\]"):
        push(exported, "somebody/mine")


def test_only_a_whole_export_is_pushed(
    exported: Path, small_bundle: Bundles, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="not written for the Hub"):
        push(small_bundle("mlp"), "somebody/mine")
    with pytest.raises(SettingsError, match="without a Space"):
        push(exported, "somebody/mine", space="somebody/show")
    (exported / "README.md").write_text("another")
    with pytest.raises(SentilabError, match=r"README\.md"):
        push(exported, "somebody/mine")
    (exported / MANIFEST).unlink()
    with pytest.raises(SentilabError, match=MANIFEST):
        push(exported, "somebody/mine")
