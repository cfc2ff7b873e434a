"""A part of IMDB's training reviews that shares no film with the rest, as far as names tell.

Written as a file to choose models with:

.venv/bin/python -m benchmarks.films films.csv
.venv/bin/sentilab train --data films.csv --model nbsvm

IMDB's official parts share no film, and a part drawn at random shares nearly all: what a model has learned
of a film's names helps it there and not on the test reviews. Reviews of one film stand one after another
in their ids, praise and blame in two lists in the same order of films, so that a stretch of each list,
at places that share names, has films of its own. Reviews that still share names with it are left out.
"""

import argparse
import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sentilab import atomic, data

# By rank of id: praise, blame of the same films, and blame of films that nobody praises.
PRAISE = (3_000, 5_500)
BLAME = ((860, 1_620), (7_000, 8_740))
# A word that is written with a capital so often, in so many reviews, is a name.
CAPITAL = 0.7
REVIEWS = (2, 60)
# Reviews that share as many names are taken to be of one film.
SHARED = 3

WORD = re.compile(r"[A-Za-z][A-Za-z'\-]+")


def names(texts: Sequence[str]) -> sp.csr_matrix:
    """Which text holds which name: (texts, names), ones and zeros."""
    words = [set(WORD.findall(one)) for one in texts]
    folded = [{word.lower() for word in one} for one in words]
    known = Counter(word for one in folded for word in one)
    capital = Counter(word.lower() for one in words for word in one if word[0].isupper())
    number = {
        word: place
        for place, word in enumerate(
            word
            for word, count in known.items()
            if REVIEWS[0] <= count <= REVIEWS[1] and capital[word] >= CAPITAL * count
        )
    }
    found = [[number[word] for word in one if word in number] for one in folded]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in found])])
    columns = np.asarray([column for one in found for column in one], np.int32)
    ones = np.ones(len(columns), np.float32)
    return sp.csr_matrix((ones, columns, starts), (len(texts), len(number)))


def parts(
    texts: Sequence[str], labels: NDArray[np.int64], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows to train on and those held out; ``numbers`` are those of the reviews' ids."""
    blame, praise = (
        rows[np.argsort(numbers[rows])] for rows in (np.flatnonzero(labels == k) for k in (0, 1))
    )
    held = np.concatenate([praise[slice(*PRAISE)], *(blame[slice(*one)] for one in BLAME)])
    rest = np.setdiff1d(np.arange(len(texts)), held)
    known = names(texts)
    shared = (known[held] @ known[rest].T).tocsc().max(axis=0).toarray().ravel()
    return rest[shared < SHARED], np.sort(held)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="the file to write; its column split tells them")
    output = parser.parse_args().output
    reviews = data.load("imdb")
    own = [row for row, one in enumerate(reviews.ids) if str(one).startswith("train/")]
    texts, labels = [reviews.texts[row] for row in own], np.asarray(reviews.labels)[own]
    numbers = np.asarray([int(str(reviews.ids[row]).rpartition("/")[2]) for row in own])
    train, held = parts(texts, labels, numbers)
    with (
        atomic.replacing(output) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        write = csv.writer(file)
        write.writerow(("text", "label", "split"))
        for split, rows in (("train", train), ("test", held)):
            for row in rows:
                write.writerow((texts[row], reviews.label_names[labels[row]], split))
    print(f"{output}: {len(train):,} reviews to train on, {len(held):,} of other films")


if __name__ == "__main__":
    main()
