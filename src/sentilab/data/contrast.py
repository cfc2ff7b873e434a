"""The contrast sets of IMDB: reviews, each with a twin that was edited until its label turned.

Experts changed as little as they could. A model that knows why a review is positive answers both.
Source: Gardner et al. (Findings of EMNLP 2020); github.com/allenai/contrast-sets, IMDb/data.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sentilab.data.dataset import Dataset, subset
from sentilab.errors import DataError

FOLDER = "contrast-sets"
PARTS = ("dev", "test")
HEADER = ["Sentiment", "Text"]
SENTIMENTS = {"Negative": False, "Positive": True}

# What data sets may be loaded without.
ORIGINALS = "contrast-originals"

# The release has lost the dashes that IMDB's reviews hold as miscoded control characters.
CONTROL = re.compile(r"[\x80-\x84\x86-\x9f]")


@dataclass(frozen=True)
class Pair:
    """``original`` stands in IMDB; ``twin`` has the other label. ``positive`` is the original's."""

    original: str
    twin: str
    positive: bool


def files(folder: Path) -> list[Path]:
    """The four files that make up the contrast sets, whether they exist or not."""
    return [folder / f"{part}_{which}.tsv" for part in PARTS for which in ("original", "contrast")]


def read(folder: Path) -> tuple[Pair, ...]:
    """All pairs, first of dev, then of test; raises DataError if a file is not as published."""
    pairs: list[Pair] = []
    for part in PARTS:
        originals = folder / f"{part}_original.tsv"
        twins = folder / f"{part}_contrast.tsv"
        first, second = _rows(originals), _rows(twins)
        if len(first) != len(second):
            raise DataError(
                f"{twins}: {len(second)} reviews where {originals.name} has {len(first)}; "
                "fetch both again."
            )
        for number, (one, other) in enumerate(zip(first, second, strict=True), start=1):
            if one[0] == other[0]:
                raise DataError(
                    f"{twins}, review {number}: it has the label of its original in "
                    f"{originals.name}, where a twin has the other; fetch both again."
                )
            pairs.append(Pair(one[1], other[1], one[0]))
    return tuple(pairs)


def folded(text: str) -> str:
    """Equal for an original and its review in IMDB: white space, case, lost control characters."""
    return " ".join(CONTROL.sub("", text).split()).casefold()


def leave_out(dataset: Dataset, pairs: Sequence[Pair]) -> Dataset:
    """``dataset`` less the rows that are originals; rows of an official test split stay.

    Raises DataError if no row is one: they are then kept in another form, or are other texts.
    """
    if dataset.is_generated:
        notice = "Generated sentences are no originals of the contrast sets; none was left out."
        return replace(dataset, notices=(*dataset.notices, notice))
    originals = {folded(one.original) for one in pairs}
    found = np.fromiter((folded(text) in originals for text in dataset.texts), bool, len(dataset))
    if dataset.splits is not None:
        found &= dataset.splits != "test"
    if not found.any():
        raise DataError(
            f"{dataset.origin}: none of its training texts is an original of the contrast sets, "
            "so that none can be left out.\n"
            "  Use IMDB's raw texts (not imdb.npz, which holds word ranks), or all of these data."
        )
    which = (
        "1 review that is an original of the contrast sets was"
        if found.sum() == 1
        else f"{found.sum():,} reviews that are originals of the contrast sets were"
    )
    notice = f"{which} left out of the training data."
    return replace(
        subset(dataset, np.flatnonzero(~found)),
        notices=(*dataset.notices, notice),
        without=ORIGINALS,
    )


def _rows(path: Path) -> list[tuple[bool, str]]:
    """(is positive, text) of each review."""
    rows = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, delimiter="\t", strict=True)
            if next(reader, None) != HEADER:
                raise DataError(f"{path}, line 1: the header must be Sentiment, tab, Text.")
            for row in reader:
                if len(row) != len(HEADER) or row[0] not in SENTIMENTS or not row[1].strip():
                    raise DataError(
                        f"{path}, line {reader.line_num}: not Negative or Positive, a tab and a "
                        "text; fetch it again."
                    )
                rows.append((SENTIMENTS[row[0]], row[1]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again.") from error
    return rows
