"""The Large Movie Review Dataset (Maas et al., ACL 2011), in any form it is found in.

The folder, the archive and the parquet give the same table: training before test, in each
negative before positive, by the file's number sorted as text. Word ranks hang on that order where
words are equally frequent, and this is the one in which they are nearest to Keras's own.
"""

import gzip
import hashlib
import http.client
import re
import shutil
import stat
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.data.dataset import ArrowTexts, Dataset, fingerprint_of
from sentilab.data.keras_npz import read_sequences, word_of_rank
from sentilab.errors import DataError
from sentilab.readable import printable
from sentilab.tables import read_table

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"

LABELS = ("negative", "positive")
COLUMNS = ("split", "id", "text", "label")
PARTS = (("train", "neg"), ("train", "pos"), ("test", "neg"), ("test", "pos"))
REVIEW = re.compile(r"(?:^|/)(train|test)/(neg|pos)/([0-9]{1,9})_([0-9]{1,9})\.txt$")
# No review of the release is longer than 14,000 characters; what is far beyond is no review.
LONGEST_REVIEW = 1_000_000
MOST_REVIEWS = 50_000
# The release is half of it when it is unpacked.
LARGEST_ARCHIVE = 640 << 20
LONGEST_READ = 1 << 20

Row = tuple[str, str, int, str]
"""(split, "neg" or "pos", number, text)"""


def find(place: Path) -> Path | None:
    """The reviews at ``place``, or in it if it is a folder; None if there is nothing known."""
    if place.is_file():
        known = place.name.endswith((".tar.gz", ".tgz", ".npz")) or _is_our_parquet(place)
        return place if known else None
    if (place / "train" / "pos").is_dir():
        return place
    for name in ("imdb-labelled.parquet", "aclImdb", "aclImdb_v1.tar.gz", "imdb.npz"):
        inside = place / name
        if inside.is_file() or (inside / "train" / "pos").is_dir():
            return inside
    return None


def read(path: Path) -> Dataset:
    """Reads what ``find`` found; raises DataError if it is damaged or not these reviews."""
    if path.is_dir():
        return _from_rows(_rows_of_folder(path), path)
    if path.suffix == ".parquet":
        return _from_parquet(path)
    if path.suffix == ".npz":
        return _from_npz(path)
    return _from_rows(_rows_of_archive(path), path)


def download(
    folder: Path,
    *,
    url: str = URL,
    sha256: str = SHA256,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Fetches the archive, checks and unpacks it, and returns ``folder``/aclImdb.

    An interrupted download goes on where it was. The unpacked folder appears in one step.

    Raises OSError if the network fails, DataError if what came is not the release.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "aclImdb_v1.tar.gz"
    part = archive.with_suffix(".gz.part")
    _fetch(url, part, progress)
    if _sha256(part) != sha256:
        part.unlink()
        raise DataError(
            f"{url}: what was downloaded is not the published file (SHA-256 differs).\n"
            "  It was removed; try again, or supply the file by --data PATH."
        )
    part.replace(archive)
    target = folder / "aclImdb"
    unpack(archive, target)
    archive.unlink()
    return target


def unpack(archive: Path, target: Path) -> None:
    """Unpacks the labelled reviews, and nothing else, as ``target``; it appears in one step.

    Only regular members whose names are those of reviews are written, each under a name made here,
    so that no path or link in the archive can lead outside. Raises DataError as ``read`` does.
    """
    staging = target.with_name(f".{target.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        for match, content in _reviews_of_archive(archive):
            split, label, number, rating = match.groups()
            file = staging / split / label / f"{number}_{rating}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        if not staging.exists():
            raise DataError(f"{archive}: there are no reviews here.")
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetch(url: str, part: Path, progress: Callable[[int, int | None], None] | None) -> None:
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310
    try:
        response = urllib.request.urlopen(request, timeout=30)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            return  # nothing is left to fetch; the checksum will tell
        raise
    except http.client.HTTPException as error:
        raise ConnectionError(f"the server's answer makes no sense: {error!r}") from error
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        done = done if resumed else 0
        left = response.headers.get("Content-Length")
        total = done + int(left) if left else None
        with part.open("ab" if resumed else "wb") as file:
            try:
                while block := response.read(1 << 16):
                    file.write(block)
                    done += len(block)
                    if progress:
                        progress(done, total)
            except http.client.HTTPException as error:
                raise ConnectionError(f"the connection broke ({error!r})") from error
    if total is not None and done < total:
        raise ConnectionError(
            f"the connection broke after {done:,} of {total:,} bytes; the next attempt goes on there"
        )


def _is_our_parquet(path: Path) -> bool:
    """Whether it is called IMDB and has our columns; a user's own table may share the name only."""
    if path.suffix != ".parquet" or "imdb" not in path.name.lower():
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return set(COLUMNS) <= set(pq.read_schema(path).names)
    except (pa.ArrowException, OSError):
        # A damaged copy is still IMDB: reading it says what is wrong.
        return path.name == "imdb-labelled.parquet"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rows_of_folder(folder: Path) -> Iterable[Row]:
    for split, label in PARTS:
        for file in (folder / split / label).glob("*.txt"):
            match = REVIEW.search(f"{split}/{label}/{file.name}")
            if match is not None:
                yield split, label, int(match[3]), read_review(file)


def read_review(file: Path) -> str:
    """The text of one review. Raises DataError for what is no plain file, too long or not UTF-8."""
    try:
        # A pipe or a device under a review's name would never end.
        if not stat.S_ISREG(file.stat().st_mode):
            raise DataError(f"{file}: no plain file; unpack or fetch it again.")
        with file.open("rb") as opened:
            content = opened.read(LONGEST_REVIEW + 1)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}).") from error
    if len(content) > LONGEST_REVIEW:
        raise DataError(f"{file}: too large for a review; unpack or fetch it again.")
    return _decoded(content, str(file))


def _rows_of_archive(archive: Path) -> Iterable[Row]:
    for match, content in _reviews_of_archive(archive):
        name = f"{archive}, {printable(match.string)}"
        yield match[1], match[2], int(match[3]), _decoded(content, name)


def _reviews_of_archive(archive: Path) -> Iterator[tuple[re.Match[str], bytes]]:
    """(name as REVIEW sees it, content) of each review; what else is in the archive is passed over.

    Raises DataError if it cannot be read, or holds more, or longer, reviews than were published.
    """
    reviews = 0
    try:
        with (
            gzip.open(archive) as unpacked,
            tarfile.open(fileobj=_Bounded(unpacked, archive), mode="r:") as opened,  # type: ignore[call-overload]
        ):
            for member in opened:
                match = REVIEW.search(member.name)
                content = opened.extractfile(member) if match and member.isreg() else None
                if match is None or content is None:
                    continue
                reviews += 1
                if member.size > LONGEST_REVIEW or reviews > MOST_REVIEWS:
                    raise DataError(
                        f"{archive}: too large for the IMDB reviews ({printable(member.name)})."
                    )
                yield match, content.read()
    # tarfile raises ValueError and LookupError for headers that it did not think of.
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, LookupError) as error:
        raise DataError(
            f"{archive}: not a readable archive ({printable(str(error))}); fetch it again."
        ) from error


class _Bounded:
    """An unpacked archive for tarfile, which reads whatever a header tells it to."""

    def __init__(self, file: gzip.GzipFile, archive: Path) -> None:
        self._file, self._archive = file, archive

    def read(self, size: int) -> bytes:
        if size > LONGEST_READ:
            raise DataError(f"{self._archive}: too large for the IMDB reviews (a header).")
        return self._file.read(size)

    def seek(self, to: int) -> int:
        if to > LARGEST_ARCHIVE:
            raise DataError(f"{self._archive}: too large for the IMDB reviews.")
        return self._file.seek(to)

    def tell(self) -> int:
        return self._file.tell()


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 ({error.reason} at byte {error.start + 1}).") from error


def _from_rows(rows: Iterable[Row], path: Path) -> Dataset:
    ordered = sorted(rows, key=lambda row: (PARTS.index((row[0], row[1])), str(row[2])))
    present = {row[:2] for row in ordered}
    missing = [f"{split}/{label}" for split, label in PARTS if (split, label) not in present]
    if missing:
        raise DataError(
            f"{path}: there are no reviews in {', '.join(missing)}; unpack or fetch it again."
        )
    if len({row[:3] for row in ordered}) < len(ordered):
        raise DataError(f"{path}: the same review stands in it twice; fetch it again.")
    import pyarrow as pa

    return _dataset(
        ids=[f"{split}/{label}/{number}" for split, label, number, _ in ordered],
        texts=ArrowTexts(pa.array([row[3] for row in ordered], pa.large_string())),
        labels=np.asarray([int(row[1] == "pos") for row in ordered]),
        splits=np.asarray([row[0] for row in ordered]),
        path=path,
    )


def _from_parquet(path: Path) -> Dataset:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        table = read_table(path, list(COLUMNS))
        require_texts(table)
        kind = table["id"].type
        if not (pa.types.is_integer(kind) or pa.types.is_string(kind)):
            raise ValueError(f"its ids are {printable(str(kind))}")
        labels = table["label"].cast(pa.int64()).to_numpy()
        split = table["split"].cast(pa.string())
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"{path}: not the reviews as a Parquet table ({printable(str(error))})."
        ) from error
    if sum(one.null_count for one in table.columns):
        raise DataError(f"{path}: no value may be missing; fetch it again.")
    is_train = pc.equal(split, "train").to_numpy()
    known = is_train | pc.equal(split, "test").to_numpy()
    if not table.num_rows or not (np.isin(labels, (0, 1)) & known).all():
        raise DataError(f"{path}: labels must be 0 and 1, and splits train and test.")
    numbers = table["id"].to_numpy().astype(str)
    order = np.lexsort((numbers, labels, ~is_train))
    numbers, labels, is_train = numbers[order], labels[order], is_train[order]
    splits = np.where(is_train, "train", "test")
    names = np.where(labels == 1, "pos", "neg")
    ids = np.char.add(np.char.add(np.char.add(splits, "/"), np.char.add(names, "/")), numbers)
    return _dataset(ids.tolist(), ArrowTexts(table["text"].take(order)), labels, splits, path)


def require_texts(table: Any) -> None:
    """Raises ValueError if the column "text" holds anything else."""
    import pyarrow as pa

    kind = table["text"].type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise ValueError(f"its texts are {printable(str(kind))}")


def _from_npz(path: Path) -> Dataset:
    parts = read_sequences(path)
    words, known = word_of_rank(path.with_name("imdb_word_index.json"))
    sequences = [ranks for split in parts for ranks in parts[split][0]]
    labels = np.asarray([label for split in parts for label in parts[split][1]])
    splits = np.repeat(list(parts), [len(parts[split][1]) for split in parts])
    if len(sequences) != len(labels) or not np.isin(labels, (0, 1)).all():
        raise DataError(f"{path}: its sequences and labels do not fit each other.")
    import pyarrow as pa

    texts = [" ".join(map(words, ranks)) for ranks in sequences]
    notice = (
        f"{path.name} holds word ranks and no texts; words were put back from imdb_word_index.json."
        if known
        else f"{path.name} holds word ranks and no texts; words are shown as rank1, rank2, ... "
        "Put Keras's imdb_word_index.json beside it to see them."
    )
    ids = [f"{split}/{number}" for number, split in enumerate(splits)]
    return _dataset(
        ids, ArrowTexts(pa.array(texts, pa.large_string())), labels, splits, path, notice
    )


def _dataset(
    ids: list[str],
    texts: ArrowTexts,
    labels: NDArray[np.int64],
    splits: NDArray[np.str_],
    path: Path,
    *notices: str,
) -> Dataset:
    return Dataset(
        name="imdb",
        origin=path.name,
        fingerprint=fingerprint_of(texts, labels, LABELS, splits),
        ids=ids,
        texts=texts,
        labels=labels.astype(np.int64),
        label_names=LABELS,
        splits=splits,
        notices=notices,
    )
