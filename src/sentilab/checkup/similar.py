"""Pairs of texts that are nearly the same.

A text is the set of its shingles: runs of a few words. Two texts are near-duplicates if the Jaccard
index of their sets, what they share over what either has, reaches a threshold. Sketches of the
sets (MinHash), cut into bands (locality-sensitive hashing), propose pairs; each proposed pair is
measured on the sets themselves, so that none is reported that does not reach the threshold, and
one that does is missed with a probability below 0.001.

Sources: Broder (1997), "On the resemblance and containment of documents", section 2; Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4 (banding).
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sentilab.text import Tokens

Rows = NDArray[np.int64]
Hashes = NDArray[np.uint64]

SKETCH = 128
SEED = 297
MOST_MISSED = 0.001
BLOCK = 4096
# A bucket of more texts than this is a template with many fillings. Each of its texts is then
# compared with its nearest neighbours and with one text of each of the most frequent kinds only,
# so that the work stays linear.
ALL_PAIRS = 32
NEIGHBOURS = 2
OF_EACH_KIND = 1
MOST_KINDS = 8
# Five standard deviations of a sketch's estimate: what looks further below the threshold is not
# worth measuring.
SLACK = 5 * 0.5 / np.sqrt(SKETCH)


@dataclass(frozen=True, eq=False)
class Pairs:
    """``rows``, shape (pairs, 2), and their Jaccard index, shape (pairs,).

    ``are_all`` is False where some texts have so many neighbours that not all were compared.
    """

    rows: Rows
    similarity: NDArray[np.float64]
    are_all: bool


def shingle_words(lengths: NDArray[np.int64]) -> int:
    """How many words a shingle has, from 2 to 5, where texts have these lengths in words.

    The most with which a text of median length that has one word changed still reaches 0.8: of its
    n - k + 1 shingles k change, and (n - 2k + 1) / (n + 1) >= 0.8 where k <= (n + 1) / 10.
    """
    median = float(np.median(lengths)) if len(lengths) else 0.0
    return int(np.clip((median + 1) // 10, 2, 5))


def band_rows(threshold: float) -> int:
    """The most rows in a band with which a pair at the threshold is missed less than once in 1000."""
    return max(
        rows
        for rows in (1, 2, 4, 8, 16)
        if rows == 1 or (1 - threshold**rows) ** (SKETCH / rows) < MOST_MISSED
    )


def near_duplicates(tokens: Tokens, rows: Rows, kinds: Rows, threshold: float, words: int) -> Pairs:
    """The pairs among ``rows`` whose Jaccard index over shingles of ``words`` reaches ``threshold``.

    ``kinds``, shape (rows,), tells apart what a pair is looked for between, such as splits: of many
    texts that are all alike, each is compared with some of every kind. Texts without words are in no
    pair.
    """
    has_words = tokens.lengths[rows] > 0
    rows, kinds = rows[has_words], kinds[has_words]
    word_hashes = _word_hashes(tokens)
    sketches = np.zeros((len(rows), SKETCH), np.uint32)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        sketches[start : start + BLOCK] = _sketches(tokens, block, word_hashes, words)
    # An order that the texts themselves give: buckets are the same however a table is shuffled.
    order = np.lexsort(sketches[:, ::16].T)
    rows, sketches, kinds = rows[order], sketches[order], kinds[order]
    proposed, are_all = _proposed(sketches, kinds, band_rows(threshold))

    @lru_cache(maxsize=5 * BLOCK)
    def shingles_of(row: int) -> frozenset[int]:
        return frozenset(_shingles(tokens, np.asarray([row]), word_hashes, words)[0].tolist())

    found: list[tuple[int, int]] = []
    similarity: list[float] = []
    for start in range(0, len(proposed), BLOCK):
        block = proposed[start : start + BLOCK]
        estimate = (sketches[block[:, 0]] == sketches[block[:, 1]]).mean(axis=1)
        for first, second in rows[block[estimate >= threshold - SLACK]].tolist():
            index = jaccard(shingles_of(first), shingles_of(second))
            if index >= threshold:
                found.append((min(first, second), max(first, second)))
                similarity.append(index)
    pairs = np.asarray(found, np.int64).reshape(-1, 2)
    return Pairs(pairs, np.asarray(similarity, np.float64), are_all)


def jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    """What two sets share over what either has."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)


def _word_hashes(tokens: Tokens) -> Hashes:
    """64 bits for each distinct word, from the word alone: shape (words,)."""
    digests = (
        hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for word in tokens.words
    )
    return np.frombuffer(b"".join(digests), np.uint64)


def _shingles(
    tokens: Tokens, rows: Rows, word_hashes: Hashes, words: int
) -> tuple[Hashes, NDArray[np.uint64]]:
    """The rows' shingles end to end, repeats included, and where each row's begin: (rows + 1,).

    A text of fewer words than a shingle has one, of all its words.
    """
    ids, lengths = tokens.of(rows)
    values = word_hashes[ids]
    counts = np.maximum(lengths - words + 1, 1)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
    at = np.repeat(np.cumsum(lengths) - lengths, counts) + within
    left = np.repeat(lengths, counts) - within
    mixed = np.zeros(len(at), np.uint64)
    for step in range(words):
        word = np.where(left > step, values[np.minimum(at + step, len(values) - 1)], np.uint64(0))
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + word
    # The last lines of SplitMix64, so that every bit depends on every word.
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31)), offsets.astype(np.uint64)


def _sketches(tokens: Tokens, rows: Rows, word_hashes: Hashes, words: int) -> NDArray[np.uint32]:
    """Shape (rows, SKETCH)."""
    import rensa

    shingles, offsets = _shingles(tokens, rows, word_hashes, words)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(shingles, offsets, SKETCH, SEED)
    return np.asarray(matrix.to_rows(), np.uint32)


def _proposed(sketches: NDArray[np.uint32], kinds: Rows, rows: int) -> tuple[Rows, bool]:
    """(pairs that agree in all ``rows`` values of some band: shape (pairs, 2), each once; if all)."""
    texts = len(sketches)
    codes = [np.zeros(0, np.int64)]
    are_all = True
    for start in range(0, SKETCH, rows):
        key = np.zeros(texts, np.uint64)
        for column in range(start, start + rows):
            key = key * np.uint64(0x9E3779B97F4A7C15) + sketches[:, column]
            key ^= key >> np.uint64(29)
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))[:texts]
        sizes = np.diff(np.append(begins, texts))
        small = np.repeat(sizes, sizes) <= ALL_PAIRS
        for step in range(1, min(ALL_PAIRS, texts)):
            same = ordered[step:] == ordered[:-step]
            if step > NEIGHBOURS:
                same &= small[step:]
            if not same.any():
                break
            codes.append(order[:-step][same] * texts + order[step:][same])
        for bucket in np.flatnonzero(sizes > ALL_PAIRS):
            are_all = False
            members = order[begins[bucket] : begins[bucket] + sizes[bucket]]
            for chosen in _of_each_kind(members, kinds):
                others = members[members != chosen]
                codes.append(np.minimum(others, chosen) * texts + np.maximum(others, chosen))
    code = np.unique(np.concatenate(codes))
    return np.stack(np.divmod(code, max(texts, 1)), axis=1), are_all


def _of_each_kind(members: Rows, kinds: Rows) -> list[int]:
    """The first OF_EACH_KIND members of each of the most frequent kinds."""
    numbers, counts = np.unique(kinds[members], return_counts=True)
    frequent = numbers[np.argsort(-counts, kind="stable")[:MOST_KINDS]]
    return [
        int(member)
        for kind in frequent
        for member in members[kinds[members] == kind][:OF_EACH_KIND]
    ]
