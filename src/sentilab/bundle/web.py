"""Bundles as a page of static files that answers in the browser, on any host and under any path."""

import json
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentilab import __version__, atomic
from sentilab.bundle.format import CARD, GOLDEN, INT8, ONNX, VOCABULARY, Bundle
from sentilab.bundle.web_runtime import BINARY, PACKAGE, runtime_files
from sentilab.bundle.web_tables import lower_module, page_folder
from sentilab.errors import SettingsError

MODELS = "models.json"
LOWER = "lower.js"
INDEX = "index.html"

# What the page reads of a bundle; the rest stays at home.
NEEDED = (ONNX, VOCABULARY, GOLDEN, CARD)
POSSIBLE = (INT8,)

# Nothing but what lies beside the page is loaded or asked, and WebAssembly may be compiled.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"
)
_MARK = "<!-- static -->"
_META = f"""\
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="sentilab-models" content="{MODELS}">"""


@dataclass(frozen=True)
class Exported:
    """The page's folder, the models it offers, and its size in bytes."""

    folder: Path
    models: tuple[str, ...]
    size: int


def export_web(bundles: Sequence[Path], folder: Path, *, runtime: Path | None = None) -> Exported:
    """Writes the page with these bundles' models to ``folder``; the first is shown first.

    ``runtime``: ONNX Runtime for browsers, if it is not to be fetched: see ``runtime_files``.
    A page that stands there is replaced, file by file, the list of models last.

    Raises BundleError for a damaged bundle, RuntimeMissing without the runtime, SettingsError for
    two bundles of one name, or where ``folder`` holds something else.
    """
    opened = [Bundle(one) for one in bundles]
    _require_names(opened)
    _require_place(folder)
    engine = runtime_files(runtime)
    contents = {**_page(), **{f"runtime/{name}": file for name, file in engine.items()}}
    described = []
    for bundle, place in zip(opened, _places(opened), strict=True):
        names = [*NEEDED, *(one for one in POSSIBLE if one in bundle.manifest.files)]
        contents.update({f"{place}/{name}": bundle.read(name) for name in names})
        described.append(_described(bundle, place, names))
    models = {
        "sentilab": __version__,
        "runtime": {"name": PACKAGE, "bytes": len(engine[BINARY])},
        "models": described,
    }
    listed = (json.dumps(models, indent=1, ensure_ascii=False) + "\n").encode()
    shutil.rmtree(folder / "models", ignore_errors=True)
    for name, content in {**contents, MODELS: listed}.items():
        atomic.write_bytes(folder / name, content)
    return Exported(
        folder=folder,
        models=tuple(one.manifest.name for one in opened),
        size=sum(map(len, contents.values())) + len(listed),
    )


def _require_names(opened: Sequence[Bundle]) -> None:
    if not opened:
        raise SettingsError("There is no bundle to show; name one or more.")
    name, count = Counter(one.manifest.name for one in opened).most_common(1)[0]
    if count > 1:
        raise SettingsError(
            f'{count} of these bundles are named "{name}"; the page could not tell them apart.\n'
            "  Export one of them again under another name."
        )


def _require_place(folder: Path) -> None:
    taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken and not (folder / MODELS).is_file():
        raise SettingsError(
            f"{folder}: this is there already, and no page of Sentilab's.\n  Choose another name."
        )


def _page() -> dict[str, bytes]:
    """The page's own files by name."""
    sources = (one for one in sorted(page_folder().iterdir()) if one.name[0] not in "._")
    contents = {one.name: one.read_bytes() for one in sources if one.is_file()}
    index = contents[INDEX].decode()
    assert _MARK in index
    contents[INDEX] = index.replace(_MARK, _META).encode()
    # The words that this Python makes of a text are those that the page is to make of it.
    if f'UNICODE = "{unicodedata.unidata_version}"' not in contents[LOWER].decode():
        contents[LOWER] = lower_module().encode()
    return contents


def _places(opened: Sequence[Bundle]) -> list[str]:
    """A folder for each, whose name is safe in any address and file system."""
    plain = [re.sub(r"[^A-Za-z0-9_-]+", "-", one.manifest.name) for one in opened]
    return [f"models/{number}-{name}" for number, name in enumerate(plain, start=1)]


def _described(bundle: Bundle, place: str, names: Sequence[str]) -> dict[str, Any]:
    manifest = bundle.manifest.to_json()
    files = {name: manifest["files"][name] for name in names}
    return {**manifest, "digest": bundle.manifest.digest, "folder": f"{place}/", "files": files}
