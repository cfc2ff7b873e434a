"""Where data are looked for, in order, and one error that lists it all."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from sentilab.data import contrast, imdb
from sentilab.data.dataset import Dataset
from sentilab.data.files import Reading, read_file
from sentilab.data.generated import generate
from sentilab.errors import DataError, DataNotFound

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
    without: str = "",
) -> Dataset:
    """Loads "imdb", "generated" or a file of the user's own (CSV, TSV, JSON Lines, Parquet).

    ``data`` says where IMDB lies; without it the places of ``places`` are looked at, and then the
    reviews are downloaded unless ``download`` is False (``progress`` hears bytes done and in all).
    For files: ``text_column``, ``label_column`` and ``separator`` override what would be guessed; a
    share of bad rows above ``max_rejected`` is an error; the others are listed in a file in
    ``rejected_folder`` (default: beside the file). ``without`` is as ``leave_out`` takes it.

    Raises DataNotFound, naming every place looked at, or DataError if the data cannot be used.
    """
    if name_or_path == "imdb":
        loaded = _load_imdb(Path(data) if data else None, progress, download)
    elif name_or_path == "generated":
        loaded = generate()
    else:
        reading = Reading(text_column, label_column, separator, max_rejected, rejected_folder)
        loaded = read_file(Path(name_or_path), reading)
    return leave_out(loaded, without)


def leave_out(dataset: Dataset, without: str) -> Dataset:
    """``dataset`` less what ``without`` names: "contrast-originals", or "" for nothing.

    Raises DataNotFound if the contrast sets are not in reach, DataError for another name.
    """
    if not without:
        return dataset
    if without != contrast.ORIGINALS:
        raise DataError(f'without "{without}": all that can be left out is {contrast.ORIGINALS}.')
    pairs = () if dataset.is_generated else contrast_pairs(dataset.home)
    return contrast.leave_out(dataset, pairs)


def contrast_pairs(beside: Path | None = None) -> tuple[contrast.Pair, ...]:
    """IMDB's contrast sets: looked for in ``beside``, and then where IMDB itself is.

    Raises DataNotFound, naming every place looked at, or DataError if they are damaged.
    """
    looked_at = []
    for what, place in (("beside the reviews", beside), *places()):
        if place is None:
            continue
        folder = place / contrast.FOLDER
        missing = [one.name for one in contrast.files(folder) if not one.is_file()]
        if not missing:
            return contrast.read(folder)
        state = f"without {', '.join(missing)}" if folder.is_dir() else "does not exist"
        looked_at.append(f"  {what}: {folder.absolute()} ({state})")
    raise DataNotFound(
        "The contrast sets of IMDB were not found. Looked at, in order:\n"
        + "\n".join(looked_at)
        + f"\nPut dev_original.tsv, dev_contrast.tsv, test_original.tsv and test_contrast.tsv, from "
        f"IMDb/data in\ngithub.com/allenai/contrast-sets, into a folder {contrast.FOLDER} in one of "
        "these places, or name its parent:\nSENTILAB_DATA=PATH in the environment."
    )


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
            return replace(imdb.read(found), home=found.parent)
        state = "nothing known there" if place.exists() else "does not exist"
        looked_at.append(f"  {what}: {place.absolute()} ({state})")
    if data is None and download:
        try:
            fetched = imdb.read(imdb.download(cache_folder(), progress=progress))
            return replace(fetched, home=cache_folder())
        except OSError as error:
            looked_at.append(f"  download: {imdb.URL} ({error})")
    raise DataNotFound(
        "The IMDB reviews were not found. Looked at, in order:\n"
        + "\n".join(looked_at)
        + "\nPut imdb-labelled.parquet, the folder aclImdb, aclImdb_v1.tar.gz or Keras's imdb.npz into "
        "one of these places,\nor name it: --data PATH, or SENTILAB_DATA=PATH in the environment.\n"
        "Without them, --data generated trains on sentences from a built-in grammar."
    )
