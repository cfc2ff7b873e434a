"""A bundle as a repository of the Hugging Face Hub, with a static Space that shows it."""

import importlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentilab import atomic
from sentilab.bundle import format
from sentilab.bundle.format import CARD, KERAS, MANIFEST, PROVENANCE, Bundle, BundleError
from sentilab.bundle.web import export_web
from sentilab.bundle.web_runtime import RuntimeMissing
from sentilab.errors import SentilabError, SettingsError

ATTRIBUTES, SPACE = ".gitattributes", "space"
# Its first line tells a folder of ours from another's.
_MARK = "# Written by sentilab export --to hub."
# What Git keeps badly, and the Hub asks to be kept by LFS; so are other files from this size on.
_LARGE = ("*.keras", "*.onnx", "*.safetensors", "*.wasm")
_MOST_PLAIN = 10_000_000


@dataclass(frozen=True)
class HubFolder:
    """What was written: the folder, whether a Space is in it, and its size in bytes."""

    folder: Path
    space: bool
    size: int


def export_hub(
    bundle: Path,
    folder: Path,
    *,
    run: Path | None = None,
    space: bool = True,
    runtime: Path | None = None,
) -> HubFolder:
    """Writes a folder that can be pushed to the Hub as it stands, and that is a bundle itself.

    It holds the bundle's files, model.keras, .gitattributes, and in space/ a page that computes in the
    browser. ``run`` is the run that the bundle was made of, needed where it lacks model.keras.
    ``space``: without, no page is written; ``runtime`` as for ``export_web``.
    It is written beside ``folder`` and then renamed; what an earlier export wrote is replaced.

    Raises BundleError for a damaged bundle, SettingsError without a .keras file or where something else
    stands at ``folder``, SentilabError if the page's runtime cannot be had.
    """
    opened = Bundle(bundle)
    contents = {name: opened.read(name) for name in opened.manifest.files}
    if KERAS not in contents:
        contents[KERAS] = _keras(opened, run)
    _require_ours(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{os.getpid()}.partial.{folder.name}")
    try:
        format.write(temporary, opened.manifest, contents)
        atomic.write_bytes(temporary / ATTRIBUTES, _attributes(contents))
        if space:
            _write_space(opened, temporary / SPACE, runtime)
        size = sum(one.stat().st_size for one in temporary.rglob("*") if one.is_file())
        _move(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return HubFolder(folder, space, size)


def push(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    token: str | None = None,
    space: str | None = None,
) -> str:
    """Pushes what ``export_hub`` wrote to the model repository ``repo_id``; gives its address.

    The repository is made if need be; ``private`` says whether a new one is. ``space`` names a second
    repository, of a static Space, for the page. ``token``: the one kept by `hf auth login` if None.

    Raises SentilabError without huggingface_hub, without a login, and where the Hub refuses.
    """
    _require_written(folder, space is not None)
    hub = _hub()
    api = hub.HfApi(token=token)
    _attempt(hub, "log in", api.whoami)

    def upload() -> str:
        made = api.create_repo(repo_id, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=made.repo_id,
            folder_path=folder,
            ignore_patterns=[f"{SPACE}/*"],
            commit_message="Bundle by Sentilab",
        )
        return str(made)

    def upload_space() -> None:
        made = api.create_repo(
            space, private=private, exist_ok=True, repo_type="space", space_sdk="static"
        )
        api.upload_folder(
            repo_id=made.repo_id,
            repo_type="space",
            folder_path=folder / SPACE,
            delete_patterns=["models/*"],  # a model that the page no longer shows
            commit_message="Page by Sentilab",
        )

    address: str = _attempt(hub, f'push to "{repo_id}"', upload)
    if space is not None:
        _attempt(hub, f'push the Space to "{space}"', upload_space)
    return address


def _keras(opened: Bundle, run: Path | None) -> bytes:
    if run is None:
        raise SettingsError(
            f"{opened.path}: this bundle has no {KERAS}, which a folder for the Hub is to hold.\n"
            "  Export the run itself, or make the bundle again with --keras."
        )
    plain = opened.json(PROVENANCE)
    made_of = plain.get("run") if isinstance(plain, dict) else None
    if made_of != run.name:
        raise SettingsError(
            f"{opened.path}: this bundle was made of the run {made_of}, not of {run.name}."
        )
    try:
        return (run / KERAS).read_bytes()
    except OSError as error:
        raise SettingsError(f"{run / KERAS}: it cannot be read ({error.strerror}).") from error


def _attributes(contents: Mapping[str, bytes]) -> bytes:
    large = [
        name
        for name, content in contents.items()
        if len(content) > _MOST_PLAIN and f"*{Path(name).suffix}" not in _LARGE
    ]
    lines = [f"{one} filter=lfs diff=lfs merge=lfs -text" for one in (*_LARGE, *large)]
    return "\n".join([_MARK, *lines, ""]).encode()


def _write_space(opened: Bundle, folder: Path, runtime: Path | None) -> None:
    try:
        export_web([opened.path], folder, runtime=runtime)
    except RuntimeMissing as error:
        raise SentilabError(f"{error}\n  Or leave the Space out with --no-space.") from error
    name = opened.manifest.name
    front = {
        "title": name,
        "emoji": "🎬",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "static",
        "app_file": "index.html",
        "pinned": False,
    }
    about = "".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in front.items()
    )
    text = (
        f"---\n{about}---\n\n# {name}\n\nA page that labels texts in the browser: nothing that is typed "
        "leaves it. Made by Sentilab; the model card lies beside the model.\n"
    )
    atomic.write_text(folder / CARD, text)
    atomic.write_bytes(folder / ATTRIBUTES, _attributes({}))


def _require_ours(folder: Path) -> None:
    """Raises SettingsError unless ``folder`` is free, empty, or what an export wrote and nothing more."""
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_dir() and not folder.is_symlink():
        names = {one.name for one in folder.iterdir()}
        if not names:
            return
        try:
            ours = {MANIFEST, ATTRIBUTES, SPACE, KERAS, *Bundle(folder).manifest.files}
            marked = (folder / ATTRIBUTES).read_text(encoding="utf-8").startswith(_MARK)
        except (BundleError, OSError, UnicodeDecodeError):
            ours, marked = set(), False
        if marked and names <= ours:
            return
    raise SettingsError(
        f"{folder}: this is there already, and holds other things than an export for the Hub.\n"
        "  Choose another name."
    )


def _require_written(folder: Path, with_space: bool) -> None:
    opened = Bundle(folder)
    for name in opened.manifest.files:
        opened.read(name)  # says what is wrong with it
    if not (folder / ATTRIBUTES).is_file():
        raise SettingsError(
            f"{folder}: this bundle was not written for the Hub.\n"
            f"  Write it with: sentilab export {folder} --to hub"
        )
    if with_space and not (folder / SPACE / CARD).is_file():
        raise SettingsError(f"{folder}: it was exported without a Space; export it again with one.")


def _move(temporary: Path, folder: Path) -> None:
    """Two renames where something stands there: for a moment there is none, but never half of one."""
    former = folder.with_name(f".{os.getpid()}.former.partial.{folder.name}")
    if folder.exists():
        folder.rename(former)
    temporary.rename(folder)
    shutil.rmtree(former, ignore_errors=True)


def _hub() -> Any:
    try:
        importlib.import_module("huggingface_hub.errors")
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise SentilabError(
            "huggingface_hub is not installed, which folders are pushed with.\n"
            '  Install it with: pip install "sentilab[hub]"'
        ) from error


def _attempt(hub: Any, what: str, step: Any) -> Any:
    """``step()``; its errors as one that says what to do."""
    # The second is OSError; the first is that of the HTTP client, which differs between releases.
    failures = (*hub.errors.HfHubHTTPError.__bases__, ValueError)
    try:
        return step()
    except hub.errors.LocalTokenNotFoundError as error:
        raise SentilabError(
            "Nobody is logged in to the Hugging Face Hub.\n"
            "  Log in with: hf auth login, or set HF_TOKEN."
        ) from error
    except failures as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        said = str(error).strip().partition("\n")[0][:300]
        advice = (
            "Log in with a token that may write: hf auth login, or set HF_TOKEN."
            if status in (401, 403)
            else "The folder is whole; the same command tries again."
        )
        raise SentilabError(
            f"The Hugging Face Hub: could not {what} ({said}).\n  {advice}"
        ) from error
