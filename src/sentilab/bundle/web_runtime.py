"""ONNX Runtime for browsers: one pinned release, checked before use and never part of Sentilab.

``python -m sentilab.bundle.web_runtime`` fetches it into the cache, for later use offline.
"""

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from sentilab import atomic
from sentilab.errors import SentilabError

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
TARBALL = f"onnxruntime-web-{VERSION}.tgz"
# As `npm view onnxruntime-web@VERSION dist.integrity` has it.
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="

# The build for processors alone, and the code that it runs, by their SHA-256.
MODULE, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
FILES = {
    MODULE: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    BINARY: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}

SECONDS = 120
MOST_TARBALL = 256 << 20  # bytes
_SOURCE = f"https://registry.npmjs.org/onnxruntime-web/-/{TARBALL}"


class RuntimeMissing(SentilabError):
    """ONNX Runtime for browsers is not here and cannot be fetched, or is not the pinned release."""


def cache_folder() -> Path:
    """Where the two files are kept between exports."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "sentilab" / PACKAGE


def cached() -> dict[str, bytes] | None:
    """The runtime's files by name, if they are in the cache and as they should be."""
    try:
        return _from_folder(cache_folder())
    except RuntimeMissing:
        return None


def runtime_files(given: Path | None = None) -> dict[str, bytes]:
    """The runtime's files by name: from ``given``, else from the cache, else fetched into it.

    ``given`` is the release's tarball, or a folder with the files (a node_modules/onnxruntime-web,
    say).

    Raises RuntimeMissing, saying how to go on without a network.
    """
    if given is not None:
        return _from_folder(given) if given.is_dir() else _from_tarball(given.name, _read(given))
    found = cached()
    if found is None:
        found = _from_tarball(TARBALL, _fetched())
        _keep(found)
    return found


def _keep(found: dict[str, bytes]) -> None:
    try:
        for name, content in found.items():
            atomic.write_bytes(cache_folder() / name, content)
    except OSError:
        # A cache that cannot be written to costs the next export a download, and this one nothing.
        pass


def _from_folder(folder: Path) -> dict[str, bytes]:
    found = {}
    for name, digest in FILES.items():
        path = next((one for one in (folder / name, folder / "dist" / name) if one.is_file()), None)
        if path is None:
            raise RuntimeMissing(f"{folder}: there is no {name} of {PACKAGE} here.{_advice()}")
        content = _read(path)
        if hashlib.sha256(content).hexdigest() != digest:
            raise RuntimeMissing(f"{path}: this is not the file of {PACKAGE}.{_advice()}")
        found[name] = content
    return found


def _from_tarball(where: str, content: bytes) -> dict[str, bytes]:
    """The two files out of a release's tarball; nothing is unpacked beside them, or to a path it names."""
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise RuntimeMissing(
            f"{where}: its checksum is not that of {PACKAGE}; it was changed or not copied whole."
            f"{_advice()}"
        )
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as packed:
        for name in FILES:
            file = packed.extractfile(f"package/dist/{name}")
            assert file is not None, "the checksum vouches for what is inside"
            found[name] = file.read()
    return found


def _fetched() -> bytes:
    """The tarball by npm, which knows the user's registry, else from npm's own."""
    troubles = []
    npm = shutil.which("npm")
    if npm is not None:
        try:
            return _by_npm(npm)
        except (OSError, subprocess.SubprocessError) as error:
            troubles.append(f"npm: {_said(error)}")
    try:
        with urllib.request.urlopen(_SOURCE, timeout=SECONDS) as answer:  # https
            content: bytes = answer.read(MOST_TARBALL)
            return content
    except (OSError, urllib.error.URLError) as error:
        troubles.append(f"the npm registry: {error}")
    raise RuntimeMissing(
        f"{PACKAGE} could not be fetched ({'; '.join(troubles)}).{_advice()}"
    ) from None


def _by_npm(npm: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [npm, "pack", PACKAGE, "--silent"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return (Path(folder) / TARBALL).read_bytes()


def _said(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    return str(said).strip().partition("\n")[0][:200]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RuntimeMissing(f"{path}: it cannot be read ({error.strerror}).") from error


def _advice() -> str:
    return (
        f"\n  On a machine with a network: npm pack {PACKAGE}\n"
        f"  Then give {TARBALL} to the export with --runtime."
    )


if __name__ == "__main__":
    import sys

    try:
        runtime_files()
    except RuntimeMissing as missing:
        sys.exit(str(missing))
    print(f"{PACKAGE} is in {cache_folder()}")
