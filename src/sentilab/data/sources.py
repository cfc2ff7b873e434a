"""Where data are looked for, in order, and one error that lists it all."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from sentilab.data import imdb
from sentilab.data.dataset import Dataset
from sentilab.data.files import Reading, read_file
from sentilab.data.generated import generate
from sentilab.errors import DataNotFound

Progress = Callable[[int, int | None], None]


def load(
    name_or_path: str | Path = "imdb",
    *,
    data: Path | str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    separator: str | None = None,
    max_rejected: float = 0.05,
    rejected_folder: Path | None = None,
    progress: Progress | None = None,
    download: bool = True,
) -> Dataset:
    """Loads "imdb", "generated" or a file of the user's own (CSV, TSV, JSON Lines, Parquet).

    ``data`` says where IMDB lies; without it the places of ``places`` are looked at, and then the
    reviews are downloaded unless ``download`` is False (``progress`` hears bytes done and in all).
    For files: ``text_column``, ``label_column`` and ``separator`` override what would be guessed; a
    share of bad rows above ``max_rejected`` is an error; the others are listed in a file in
    ``rejected_folder`` (default: beside the file).

    Raises DataNotFound, naming every place looked at, or DataError if the data cannot be used.
    """
    if name_or_path == "imdb":
        return _load_imdb(Path(data) if data else None, progress, download)
    if name_or_path == "generated":
        return generate()
    reading = Reading(text_column, label_column, separator, max_rejected, rejected_folder)
    return read_file(Path(name_or_path), reading)


def is_imdb(path: Path) -> bool:
    """Whether ``path`` is, or is a folder that holds, the IMDB reviews in a form known here."""
    return imdb.find(path) is not None


def places(data: Path | None = None) -> Iterator[tuple[str, Path]]:
    """(what it is, path) of each place where IMDB is looked for, in order."""
    if data is not None:
        # Who names a place means that one and no other.
        yield "--data", data
        return
    named = os.environ.get("SENTILAB_DATA")
    if named:
        yield "SENTILAB_DATA", Path(named).expanduser()
    yield "./datasets", Path("datasets")
    yield "../shared/datasets", Path("..", "shared", "datasets")
    yield "the cache folder", cache_folder()


def cache_folder() -> Path:
    """Where downloads are kept."""
    from platformdirs import user_cache_path

    return user_cache_path("sentilab") / "datasets"


def _load_imdb(data: Path | None, progress: Progress | None, download: bool) -> Dataset:
    looked_at = []
    for what, place in places(data):
        found = imdb.find(place)
        if found is not None:
            return imdb.read(found)
        state = "nothing known there" if place.exists() else "does not exist"
        looked_at.append(f"  {what}: {place.absolute()} ({state})")
    if data is None and download:
        try:
            return imdb.read(imdb.download(cache_folder(), progress=progress))
        except OSError as error:
            looked_at.append(f"  download: {imdb.URL} ({error})")
    raise DataNotFound(
        "The IMDB reviews were not found. Looked at, in order:\n"
        + "\n".join(looked_at)
        + "\nPut imdb-labelled.parquet, the folder aclImdb, aclImdb_v1.tar.gz or Keras's imdb.npz into "
        "one of these places,\nor name it: --data PATH, or SENTILAB_DATA=PATH in the environment.\n"
        "Without them, --data generated trains on sentences from a built-in grammar."
    )
