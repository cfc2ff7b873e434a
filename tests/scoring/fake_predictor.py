"""A predictor that answers from a text's bytes, quickly, and differently beside other rows.

python fake_predictor.py SOURCE OUT [SLOWLY]    scores a file, for tests that kill it
"""

import sys
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Manifest:
    digest: str = "a-bundle"


@dataclass(frozen=True)
class Explanation:
    pieces: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class FakePredictor:
    labels: tuple[str, ...] = ("negative", "positive")
    manifest: Manifest = Manifest()
    engine: str = "a fake"
    slowly: float = 0.0
    batches: list[int] = field(default_factory=list)

    def encode(self, texts: list[str]) -> NDArray[np.int32]:
        ids = np.zeros((len(texts), 8), np.int32)
        for row, text in enumerate(texts):
            ids[row, -1 - len(text) % 8 :] = 1
            ids[row, -1] = zlib.crc32(text.encode()) % 10_000 + 1
        return ids

    def probabilities_of(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        self.batches.append(len(ids))
        time.sleep(self.slowly)
        # As in a real engine, the last bits hang on what else is in the batch.
        beside = np.float32(1e-6 * (int(ids.sum()) % 97))
        positive = (ids[:, -1] / 10_001).astype(np.float32) * np.float32(0.99) + beside
        return np.stack([1 - positive, positive], axis=1).astype(np.float32)

    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        return (probabilities[:, 1] > 0.5).astype(np.int64)

    def explain(self, text: str) -> Explanation:
        words = text.split(" ")
        pieces: list[tuple[str, float | None]] = []
        for number, word in enumerate(words):
            pieces += [(" ", None)] if number else []
            pieces.append((word, len(word) / 7))
        return Explanation(tuple(pieces))


def main() -> None:
    from sentilab.scoring import job, records, score_file

    # Many chunks of few rows, so that a kill finds one under way.
    job.CHUNK_ROWS = records.CHUNK_ROWS = 64
    options: dict[str, Any] = {"slowly": float(sys.argv[3])} if len(sys.argv) > 3 else {}
    score_file(FakePredictor(**options), Path(sys.argv[1]), Path(sys.argv[2]), prefix="p_")


if __name__ == "__main__":
    main()
