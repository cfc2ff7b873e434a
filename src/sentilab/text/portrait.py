"""How a dataset looks to a model: sizes, lengths, padding, and one text on its way to integers."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab.text.words import Encoding, Tokens, Vocabulary

if TYPE_CHECKING:
    from sentilab.data import Dataset

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
BINS = 40
EXAMPLE_CHARACTERS = 1_000


@dataclass(frozen=True)
class Portrait:
    """Figures are of the training texts unless they say otherwise.

    ``length_quantiles`` and ``length_histogram`` count words a text, the start token included; the
    histogram's last bin takes all that is longer than its edge. ``padding_share`` is of all encoded
    positions, ``truncated_share`` of texts, ``unknown_share`` of words. ``frequent_words`` holds
    [word, integer] pairs; ``example`` a text (a long one's start), its encoded row, and what
    decoding gives back.
    """

    texts: dict[str, int]
    labels: dict[str, dict[str, int]]
    distinct_words: int
    mean_length: float
    length_quantiles: dict[str, float]
    length_histogram: dict[str, list[float]]
    length: int
    words: int
    padding_share: float
    truncated_share: float
    unknown_share: float
    frequent_words: list[list[Any]]
    example: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values.

        {"texts": {"train": n, "test": n}, "labels": {name: {"train": n, "test": n}},
        "distinct_words": n, "mean_length": x, "length_quantiles": {"0.05": x, "0.25": x,
        "0.5": x, "0.75": x, "0.95": x, "1.0": x}, "length_histogram": {"edges": [x, ...],
        "counts": [n, ...]}, "length": n, "words": n, "padding_share": x, "truncated_share": x,
        "unknown_share": x, "frequent_words": [[word, n], ...], "example": {"id": text,
        "label": text, "text": text, "encoded": [n, ...], "decoded": text}}, shares from 0 to 1.
        """
        return asdict(self)


def portrait(
    dataset: "Dataset",
    tokens: Tokens,
    vocabulary: Vocabulary,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
) -> Portrait:
    """Looks at the rows ``train`` and ``test`` of ``dataset`` through ``vocabulary``."""
    limit = vocabulary.encoding.length
    ids, lengths = tokens.of(train)
    lengths = lengths + 1
    # Bins of whole tokens, so that none is wider than its neighbours, and the limit among them.
    width = int(np.ceil(max(np.quantile(lengths, 0.99), 1.1 * limit) / BINS))
    edges = np.arange(BINS + 1) * float(width)
    counts, _ = np.histogram(np.minimum(lengths, edges[-1]), edges)
    table = np.fromiter(
        (word in vocabulary.index for word in tokens.words), bool, len(tokens.words)
    )
    example = _example(lengths, limit, train)
    encoded = vocabulary.encode_tokens(tokens, np.asarray([example]))[0]
    return Portrait(
        texts={"train": len(train), "test": len(test)},
        labels={
            name: {
                "train": int((dataset.labels[train] == number).sum()),
                "test": int((dataset.labels[test] == number).sum()),
            }
            for number, name in enumerate(dataset.label_names)
        },
        distinct_words=len(np.unique(ids)),
        mean_length=float(lengths.mean()),
        length_quantiles={str(one): float(np.quantile(lengths, one)) for one in QUANTILES},
        length_histogram={"edges": edges.tolist(), "counts": counts.tolist()},
        length=limit,
        words=vocabulary.encoding.words,
        padding_share=float(np.maximum(limit - lengths, 0).sum() / (limit * len(lengths))),
        truncated_share=float((lengths > limit).mean()),
        unknown_share=float(1 - table[ids].mean()) if len(ids) else 0.0,
        frequent_words=[
            [word, number]
            for number, word in enumerate(vocabulary.words[:20], start=Encoding.OFFSET + 1)
        ],
        example={
            "id": str(dataset.ids[example]),
            "label": dataset.label_names[int(dataset.labels[example])],
            "text": _start_of(dataset.texts[example]),
            "encoded": encoded.tolist(),
            "decoded": vocabulary.decode(encoded),
        },
    )


def _example(lengths: NDArray[np.int64], limit: int, rows: NDArray[np.int64]) -> int:
    """A short text that needs padding: nearest to a third of the kept length, the first such."""
    return int(rows[np.abs(lengths - limit / 3).argmin()])


def _start_of(text: str) -> str:
    return text if len(text) <= EXAMPLE_CHARACTERS else text[:EXAMPLE_CHARACTERS].rstrip() + " …"
