"""N-grams of encoded texts: what tells two of them apart, and which texts have which.

An n-gram is known by a number of 32 bits. With all arithmetic modulo 2³²,

    h(w₁ … wₙ) = mix(h(w₁ … wₙ₋₁) + wₙ · C)        h() = 0
    mix(x) = rotated(x · A) · B        rotated(y) = y · 2¹⁶ + ⌊y / 2¹⁶⌋

where w are the words' integers. ``mix`` takes no two numbers to one, so that single words never share
a number; of longer n-grams two may, as rarely as numbers drawn at random, and then count as one.
An n-gram holds no padding. The number 0 says "none": an n-gram that came to it, and what goes on from
it, is left out.

A table of S slots, in which n-grams are looked up, holds each number in one of three places,

    place(h, P) = (rotated(h · P) mod 2³¹) mod S        for P in PLACES

The formulas need nothing but products, sums, quotients and remainders: as all constants are below
2³¹, 64-bit integers compute them, with a remainder by 2³² after each step, as well as 32-bit ones
that wrap around.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SentilabError
from sentilab.text.words import Encoding

Hashes = NDArray[np.uint32]

# All odd, so that multiplying is a one-to-one map. Of the 4,238,203 distinct n-grams of one to three
# words in 19,902 of IMDB's training reviews 1,941 fall on another's number; of drawn ones 2,091 would.
A, B, C = 0x4F1BBCDD, 0x5A4D2E17, 0x27D4EB2F
PLACES = (0x2C1B3C6D, 0x45D9F3B5, 0x3C6EF375)

# Slots for each n-gram held. With three places 1.09 are enough, but near that placing takes long.
# The few more are for tables so small that chance crowds them.
ROOM, AND_MORE = 1.25, 16
_ROUNDS = 1000


class NoPlace(SentilabError):
    """The n-grams do not fit into so few slots."""


def mix(x: Any) -> Any:
    """One step of the formula above, for arrays of uint32."""
    return rotated(x * np.uint32(A)) * np.uint32(B)


def rotated(y: Any) -> Any:
    """The upper and the lower half exchanged, for arrays of uint32."""
    return (y << np.uint32(16)) + (y >> np.uint32(16))


def hashes(ids: NDArray[np.int32], orders: int) -> Hashes:
    """The number of the n-gram that ends at each position: (texts, orders, length), order 1 first.

    ``ids`` are integers (texts, length); the answer is 0 where there is no such n-gram.
    """
    words = ids.astype(np.uint32)
    found = np.zeros((len(ids), orders, ids.shape[1]), np.uint32)
    whole = ids != Encoding.PAD
    for order in range(1, orders + 1):
        if order > ids.shape[1]:
            break
        # Where the n-gram's first words end: one position earlier.
        before = found[:, order - 2, order - 2 : -1] if order > 1 else np.uint32(0)
        there = whole[:, order - 1 :] & (order == 1 or before != 0)
        found[:, order - 1, order - 1 :] = np.where(
            there, mix(before + words[:, order - 1 :] * np.uint32(C)), 0
        )
    return found


@dataclass(frozen=True)
class NgramCounts:
    """The n-grams kept, in ascending order of their numbers, and the texts that have them.

    ``hashes`` and ``frequencies`` (in how many texts) have shape (features,). Text i has the features
    ``indices[starts[i] : starts[i + 1]]``, ascending; ``starts`` has shape (texts + 1,).
    """

    hashes: Hashes
    frequencies: NDArray[np.int32]
    starts: NDArray[np.int64]
    indices: NDArray[np.int32]

    def matrix(self, values: NDArray[np.float32] | None = None) -> Any:
        """A scipy.sparse.csr_array (texts, features), 1 where the text has the n-gram.

        ``values`` (features,) stand in the place of 1.
        """
        from scipy.sparse import csr_array

        ones = np.ones(len(self.indices), np.float32)
        entries = ones if values is None else values[self.indices]
        # Scikit-learn's solvers take nothing but 32-bit numbers.
        starts = self.starts if len(entries) >= 2**31 else self.starts.astype(np.int32)
        return csr_array((entries, self.indices, starts), (len(self.starts) - 1, len(self.hashes)))


def count(
    ids: NDArray[np.int32], orders: int, *, least: int = 2, features: int = 2**31 - 1
) -> NgramCounts:
    """The n-grams of 1 to ``orders`` words that stand in ``least`` of the texts (texts, length) or more.

    Of more than ``features`` the most frequent are kept; of equally frequent ones those with the lower
    numbers. N-grams that hold a word out of the vocabulary are none: which words are out depends on
    the training texts, where that is another thing than in all others.
    """
    ids = np.where(ids == Encoding.OUT_OF_VOCABULARY, Encoding.PAD, ids)
    found = hashes(ids, orders).reshape(len(ids), orders * ids.shape[1])
    texts, places = np.nonzero(found)
    pairs = np.unique(texts.astype(np.uint64) << np.uint64(32) | found[texts, places])
    texts = (pairs >> np.uint64(32)).astype(np.int64)
    distinct, which, frequencies = np.unique(
        (pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32), return_inverse=True, return_counts=True
    )
    kept = np.flatnonzero(frequencies >= least)
    # A stable sort by frequency leaves equally frequent ones in the order of their numbers.
    kept = np.sort(kept[np.argsort(-frequencies[kept], kind="stable")[:features]])
    feature = np.full(len(distinct), -1, np.int32)
    feature[kept] = np.arange(len(kept))
    indices = feature[which]
    texts = texts[indices >= 0]
    return NgramCounts(
        hashes=distinct[kept],
        frequencies=frequencies[kept].astype(np.int32),
        starts=np.concatenate([[0], np.bincount(texts, minlength=len(ids)).cumsum()]),
        indices=indices[indices >= 0],
    )


def slots_for(features: int) -> int:
    """How many slots a table for so many n-grams has, unless chance asks for more."""
    return int(features * ROOM) + AND_MORE


def places(hashes: Hashes, slots: int) -> NDArray[np.int64]:
    """The three slots in which each number may lie: (numbers, 3)."""
    return np.stack(
        [
            (rotated(hashes * np.uint32(one)) & np.uint32(2**31 - 1)) % np.uint32(slots)
            for one in PLACES
        ],
        axis=1,
    ).astype(np.int64)


def place(hashes: Hashes, slots: int) -> NDArray[np.int64]:
    """A slot of its own for each of the distinct numbers, one of its ``places``: (numbers,).

    Raises NoPlace where that cannot be done, or is not found.
    Source: Pagh and Rodler (2004); with three places Fotakis et al. (2005).
    """
    allowed = places(hashes, slots)
    owner = np.full(slots, -1)
    turn = np.zeros(len(hashes), np.int64)
    waiting = np.arange(len(hashes))
    random = np.random.default_rng(0)
    # All that wait move in at once; where several want one slot the last stays, and who lay there waits.
    for _ in range(_ROUNDS):
        if not len(waiting):
            break
        wanted = allowed[waiting, turn[waiting]]
        before = owner[wanted]
        owner[wanted] = waiting
        stays = owner[wanted] == waiting
        thrown_out = before[stays & (before >= 0)]
        waiting = np.concatenate([waiting[~stays], thrown_out])
        turn[waiting] = (turn[waiting] + random.integers(1, 3, len(waiting))) % 3
    if len(waiting):
        raise NoPlace(f"{len(hashes):,} n-grams do not find places in {slots:,} slots.")
    found: NDArray[np.int64] = allowed[np.arange(len(hashes)), turn]
    return found
