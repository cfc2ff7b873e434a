"""What a bundle is on disk: a folder, or the same in one .zip; read with every check, written whole.

bundle.json          the manifest: what the model is, and each other file's size and checksum
model.onnx           token ids in, probabilities out, before calibration
model.int8.onnx      optional: the same with weights of 8 bits
weights.safetensors  the model's weights by name
vocabulary.json      words and encoding settings
golden.json          texts and the calibrated probabilities that they must get
provenance.json      the training run: settings, data, environment, result
README.md            the model card
model.keras          optional: for Keras; prediction never opens it
"""

import hashlib
import io
import json
import math
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sentilab import atomic
from sentilab.errors import SentilabError
from sentilab.text.words import Encoding

FORMAT = 1
MANIFEST = "bundle.json"
ONNX, INT8, WEIGHTS = "model.onnx", "model.int8.onnx", "weights.safetensors"
VOCABULARY, GOLDEN, PROVENANCE = "vocabulary.json", "golden.json", "provenance.json"
CARD, KERAS = "README.md", "model.keras"

REQUIRED = (ONNX, WEIGHTS, VOCABULARY, GOLDEN, PROVENANCE, CARD)
OPTIONAL = (INT8, KERAS)

# Bytes of a file. JSON takes up to some 25 times its size once it is read.
MOST_FILE, MOST_MANIFEST = 1 << 30, 1 << 20
MOST_BYTES: Mapping[str, int] = MappingProxyType(
    {
        MANIFEST: MOST_MANIFEST,
        VOCABULARY: 32 << 20,
        GOLDEN: 4 << 20,
        PROVENANCE: 4 << 20,
        CARD: 4 << 20,
    }
)
MOST_LABELS, MOST_WORDS, MOST_LENGTH = 1_000, 1_000_000, 100_000
MOST_LAYERS, MOST_EXAMPLES, MOST_DEPTH = 100, 30, 30

# A .zip's entries may unpack to so many times their size, and have so much more.
MOST_UNPACKED, UNPACKED_FREELY = 100, 1 << 20
MOST_ENTRIES = 1_000

# Zip's earliest date: equal bundles are equal files.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


class BundleError(SentilabError):
    """The bundle is damaged, not one at all, or of a newer format."""


@dataclass(frozen=True)
class Layer:
    """One step of the model as the compiled kernel computes it.

    ``kind`` is "embedding", "lstm", "flatten" or "dense"; ``weights`` names its tensors in
    weights.safetensors, in Keras's order (both directions of an LSTM one after the other);
    ``settings`` are masked (embedding), directions ("forward", "backward" or "both") and sequences
    (lstm), activation (dense).
    """

    kind: str
    weights: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """What bundle.json says.

    ``layers`` is None for a model that only its ONNX graph describes; ``ignores_padding`` says that
    texts may be cropped to their tokens, which changes no answer; ``temperature`` is None where
    none could be fitted, and ``uncalibrated`` says why. ``threshold`` is the calibrated probability
    of the second of two labels above which it is answered. ``digest`` is the SHA-256 of bundle.json,
    which holds those of all other files.
    """

    name: str
    created: str
    sentilab: str
    tokeniser: str
    family: str
    settings: Mapping[str, Any]
    layers: tuple[Layer, ...] | None
    labels: tuple[str, ...]
    encoding: Encoding
    temperature: float | None
    uncalibrated: str
    threshold: float
    parity: Mapping[str, Any]
    files: Mapping[str, "File"]
    ignores_padding: bool = False
    digest: str = ""

    def to_json(self) -> dict[str, Any]:
        """The content of bundle.json."""
        return {
            "format": FORMAT,
            "name": self.name,
            "created": self.created,
            "sentilab": self.sentilab,
            "tokeniser": self.tokeniser,
            "model": {
                "family": self.family,
                "settings": dict(self.settings),
                "layers": None if self.layers is None else [asdict(one) for one in self.layers],
                "ignores_padding": self.ignores_padding,
            },
            "labels": list(self.labels),
            "encoding": {"words": self.encoding.words, "length": self.encoding.length},
            "temperature": self.temperature,
            "uncalibrated": self.uncalibrated,
            "threshold": self.threshold,
            "parity": dict(self.parity),
            "files": {name: one.to_json() for name, one in self.files.items()},
        }


@dataclass(frozen=True)
class File:
    """A file's size in bytes, "bytes" in the manifest, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        return {"bytes": self.size, "sha256": self.sha256}

    @classmethod
    def of(cls, content: bytes) -> "File":
        return cls(len(content), hashlib.sha256(content).hexdigest())


class Bundle:
    """A bundle opened for reading: its manifest has been checked, a file is when it is read."""

    def __init__(self, path: Path | str) -> None:
        """Raises BundleError if ``path`` is no bundle, or its files are not as its manifest says."""
        self.path = Path(path)
        self._zip = _opened_zip(self.path)
        content = self._content(MANIFEST, MOST_BYTES[MANIFEST])
        self.manifest = _manifest(f"{self.path}: {MANIFEST}", content)
        for name, file in self.manifest.files.items():
            found = self._size(name)
            if found != file.size:
                raise self.fault(
                    name,
                    f"it has {found:,} bytes where the manifest says {file.size:,}; the bundle was "
                    "changed or not copied whole",
                )
        self._check_texts()

    def read(self, name: str) -> bytes:
        """A file's content, whose checksum is right.

        Raises BundleError if it is not, or the bundle has no such file.
        """
        if name not in self.manifest.files:
            raise self.fault(name, "the bundle has no such file")
        content = self._content(name, self.manifest.files[name].size)
        if hashlib.sha256(content).hexdigest() != self.manifest.files[name].sha256:
            raise self.fault(
                name, "its checksum is not the manifest's; the bundle was changed or damaged"
            )
        return content

    def json(self, name: str) -> Any:
        """The same, parsed. Raises BundleError where it is no JSON, or has too many examples."""
        plain = _json(f"{self.path}: {name}", self.read(name))
        # Before anybody encodes them, which takes memory for each.
        texts = plain.get("texts") if name == GOLDEN and isinstance(plain, dict) else None
        if isinstance(texts, list) and len(texts) > MOST_EXAMPLES:
            raise self.fault(name, f"it has more than {MOST_EXAMPLES} examples")
        return plain

    def fault(self, name: str, what: str) -> BundleError:
        """An error about one of the bundle's files."""
        return BundleError(f"{self.path}: {name}: {shown(what)}.")

    def _check_texts(self) -> None:
        """What is small and read late, the card and the provenance, is read once now."""
        for name in (CARD, PROVENANCE):
            try:
                self.read(name).decode("utf-8")
            except UnicodeDecodeError as error:
                raise self.fault(name, f"it is no text in UTF-8 ({error})") from error
        self.json(PROVENANCE)

    def _size(self, name: str) -> int:
        if self._zip is not None:
            return self._entry(name).file_size
        return _size_of(self.path, name)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        assert self._zip is not None
        entries = [one for one in self._zip.infolist() if one.filename == name]
        if len(entries) != 1:
            problem = "it is missing" if not entries else "it is there twice"
            raise self.fault(name, f"{problem}; this is not a whole bundle")
        return entries[0]

    def _content(self, name: str, most: int) -> bytes:
        """At most ``most`` bytes; more is an error."""
        try:
            if self._zip is None:
                if not _size_of(self.path, name):
                    return b""  # what the system makes up has no size, and may never end
                with (self.path / name).open("rb") as file:
                    content = file.read(most + 1)
            else:
                entry = self._entry(name)
                if entry.flag_bits & 1:
                    raise self.fault(name, "it is encrypted")
                if entry.file_size > MOST_UNPACKED * entry.compress_size + UNPACKED_FREELY:
                    raise self.fault(name, "it unpacks to far more than a bundle's file does")
                # No more is unpacked than may be there, whatever the entry says.
                with self._zip.open(entry) as packed:
                    content = packed.read(most + 1)
        except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
            raise self.fault(name, f"it cannot be read ({error})") from error
        except Exception as error:  # zlib, lzma and bz2 have errors of their own
            if isinstance(error, BundleError):
                raise
            raise self.fault(name, f"it cannot be unpacked ({error})") from error
        if len(content) > most:
            raise self.fault(name, f"it is larger than the {most:,} bytes that it may have")
        return content


def write(path: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> Manifest:
    """Writes a bundle in one step: a .zip if ``path`` ends so, else a folder. Gives its manifest.

    ``manifest.files`` is filled in here from ``contents``, which hold all but bundle.json. A bundle
    that stands there is replaced.

    Raises BundleError if something that is no bundle stands there.
    """
    files = {name: File.of(content) for name, content in contents.items()}
    described = replace(manifest, files=files).to_json()
    top = (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode()
    made = _manifest(MANIFEST, top)
    if path.suffix == ".zip":
        atomic.write_bytes(path, _zipped({MANIFEST: top, **contents}))
        return made
    if path.exists() and not (path / MANIFEST).is_file():
        raise BundleError(f"{path}: this is there already, and no bundle.\n  Choose another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        temporary.mkdir()
        for name, content in {**contents, MANIFEST: top}.items():
            atomic.write_bytes(temporary / name, content)
        if path.exists():
            # Two renames: for a moment there is none, but never half of one.
            former = path.with_name(f".{os.getpid()}.former.partial.{path.name}")
            path.rename(former)
            temporary.rename(path)
            shutil.rmtree(former)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return made


def _zipped(contents: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _NO_DATE)
            # A table that is nearly empty would unpack to more than a reader takes.
            small = len(content) <= MOST_UNPACKED * len(zlib.compress(content, 1))
            entry.compress_type = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content)
    return packed.getvalue()


def _opened_zip(path: Path) -> zipfile.ZipFile | None:
    """None for a folder."""
    if path.is_dir():
        return None
    if not path.is_file():
        raise BundleError(
            f"{path}: there is no bundle here.\n"
            "  Make one from a finished run with: sentilab export RUN --to bundle --out NAME"
        )
    try:
        _check_directory(path)
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise BundleError(
            f"{path}: this is neither a folder nor a readable .zip ({shown(str(error))})."
        ) from error


def _check_directory(path: Path) -> None:
    """Raises BadZipFile where the list of entries is larger than a bundle's, before it is read whole.

    Source: APPNOTE.TXT of PKWARE, sections 4.3.15 and 4.3.16.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - (1 << 16) - 42))
        tail = file.read()
    # As zipfile looks for it: at the very end, else the last one before a comment.
    at = len(tail) - 22
    if tail[at:][:4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("there is no list of entries at its end")
    entries, listed = struct.unpack("<HI", tail[at + 10 : at + 16])
    if tail[max(0, at - 20) : at].startswith(b"PK\6\7"):
        raise zipfile.BadZipFile("it is of the kind for more than 4 GB")
    if entries > MOST_ENTRIES or listed > 1_000 * MOST_ENTRIES:
        raise zipfile.BadZipFile(f"it lists more than the {MOST_ENTRIES:,} entries allowed")


def _size_of(folder: Path, name: str) -> int:
    """Of a regular file, or a link to one, as download caches make them; a pipe would hang."""
    try:
        found = (folder / name).stat()
    except OSError as error:
        raise BundleError(
            f"{folder}: {name}: it is missing; this is not a whole bundle ({error.strerror})."
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise BundleError(f"{folder}: {name}: it is not a plain file.")
    return found.st_size


def _json(where: str, content: bytes) -> Any:
    try:
        return json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_without_repeats,
        )
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: it is not valid JSON ({shown(str(error))}).") from error


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON's")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is too large")
    return number


def _whole(word: str) -> int:
    if len(word) > 20:
        raise ValueError("a whole number is too large")
    return int(word)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def shown(text: str, most: int = 300) -> str:
    """Text of a stranger's as a message may show it: short, and without commands for a terminal."""
    plain = "".join(one if one.isprintable() else "�" for one in text[:most])
    return plain + ("…" if len(text) > most else "")


def _manifest(where: str, content: bytes) -> Manifest:
    """Raises BundleError, naming the key, for anything but what ``Manifest.to_json`` gives."""
    plain = _json(where, content)
    checked = _Checked(where, plain)
    version = checked.get("format", int)
    if version != FORMAT:
        raise BundleError(
            f"{where}: it has format {shown(str(version), 20)}, and this Sentilab reads format {FORMAT}.\n"
            "  Update Sentilab, or export the bundle again with the one that is installed."
        )
    model, encoding = (_Checked(where, checked.get(one, dict)) for one in ("model", "encoding"))
    described = model.plain.get("layers")
    layers = None if described is None else _layers(where, model.get("layers", list))
    temperature = checked.plain.get("temperature")
    made = Manifest(
        name=checked.get("name", str),
        created=checked.get("created", str),
        sentilab=checked.get("sentilab", str),
        tokeniser=checked.get("tokeniser", str),
        family=model.get("family", str),
        settings=model.get("settings", dict),
        layers=layers,
        labels=tuple(checked.get("labels", list)),
        encoding=Encoding(
            encoding.within("words", 1, MOST_WORDS), encoding.within("length", 1, MOST_LENGTH)
        ),
        temperature=None
        if temperature is None
        else float(checked.get("temperature", (int, float))),
        uncalibrated=checked.get("uncalibrated", str),
        threshold=float(checked.get("threshold", (int, float))),
        parity=checked.get("parity", dict),
        files=_files(where, checked.get("files", dict)),
        ignores_padding=_ignores_padding(model, layers),
        digest=hashlib.sha256(content).hexdigest(),
    )
    _check_values(checked, made)
    return made


def _check_values(checked: "_Checked", made: Manifest) -> None:
    fault = _unsayable(checked.plain)
    if fault:
        raise BundleError(f"{checked.where}: {fault}.")
    if (
        not 1 <= len(made.name) <= 100
        or made.name in (".", "..")
        or not all(one.isalnum() or one in "-_." for one in made.name)
    ):
        raise checked.fault("name", 'it must be 1 to 100 letters, digits, "-", "_" and "."')
    labels = made.labels
    if not 2 <= len(labels) <= MOST_LABELS or not all(isinstance(one, str) for one in labels):
        raise checked.fault("labels", f"it must list 2 to {MOST_LABELS} texts")
    if not all(1 <= len(one) <= 200 and one.isprintable() for one in labels):
        raise checked.fault("labels", "a label must be 1 to 200 characters that can be printed")
    if len(set(labels)) < len(labels):
        raise checked.fault("labels", "a label stands there twice")
    if made.temperature is not None and not 0 < made.temperature < math.inf:
        raise checked.fault("temperature", "it must be above 0")
    if not 0 <= made.threshold <= 1:
        raise checked.fault("threshold", "it must lie between 0 and 1")


def _unsayable(plain: Any) -> str:
    """Why what was read could not be written again or shown; "" if it can be."""
    waiting, depth = [plain], 0
    while waiting:
        if depth > MOST_DEPTH:
            return f"it is nested more than {MOST_DEPTH} deep"
        inner = []
        for one in waiting:
            values = one.values() if isinstance(one, dict) else one
            inner += [each for each in values if isinstance(each, dict | list)]
        waiting, depth = inner, depth + 1
    try:
        json.dumps(plain, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "it holds half of a character, which no text can have"
    return ""


def _layers(where: str, plain: list[Any]) -> tuple[Layer, ...]:
    if not 1 <= len(plain) <= MOST_LAYERS:
        raise BundleError(f'{where}: "layers": it must list 1 to {MOST_LAYERS}, or be null.')
    made = []
    for one in plain:
        layer = _Checked(where, one)
        weights = layer.get("weights", list)
        if not all(isinstance(name, str) for name in weights):
            raise layer.fault("weights", "it must list names")
        made.append(Layer(layer.get("kind", str), tuple(weights), layer.get("settings", dict)))
    return tuple(made)


def _ignores_padding(model: "_Checked", layers: tuple[Layer, ...] | None) -> bool:
    """Bundles made before there was such a key say it by a masked embedding alone."""
    said = model.plain.get("ignores_padding")
    masked = layers is not None and layers[0].settings.get("masked") is True
    if said is None:
        return masked
    if not isinstance(said, bool):
        raise model.fault("ignores_padding", "it must be true or false")
    if layers is not None and said != masked:
        raise model.fault("ignores_padding", "its layers say otherwise")
    return said


def _files(where: str, plain: dict[str, Any]) -> dict[str, File]:
    missing = [one for one in REQUIRED if one not in plain]
    if missing:
        raise BundleError(f'{where}: "files" lacks {", ".join(missing)}.')
    files = {}
    for name, said in plain.items():
        if name not in (*REQUIRED, *OPTIONAL):
            raise BundleError(f'{where}: "files" names "{shown(name, 60)}", which no bundle has.')
        one = _Checked(where, said)
        most = MOST_BYTES.get(name, MOST_FILE)
        files[name] = File(one.within("bytes", 0, most), one.get("sha256", str))
    return files


class _Checked:
    """A JSON object whose keys are asked for with their types."""

    def __init__(self, where: str, plain: Any) -> None:
        if not isinstance(plain, dict):
            raise BundleError(f"{where}: there is {type(plain).__name__} where an object belongs.")
        self.where, self.plain = where, plain

    def get(self, key: str, kind: type | tuple[type, ...]) -> Any:
        value = self.plain.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            names = kind if isinstance(kind, tuple) else (kind,)
            wanted = " or ".join(one.__name__ for one in names)
            raise self.fault(key, f"it must be there, of type {wanted}")
        return value

    def within(self, key: str, least: int, most: int) -> int:
        value: int = self.get(key, int)
        if not least <= value <= most:
            raise self.fault(key, f"it must lie between {least:,} and {most:,}")
        return value

    def fault(self, key: str, what: str) -> BundleError:
        return BundleError(f'{self.where}: "{key}": {what}.')
