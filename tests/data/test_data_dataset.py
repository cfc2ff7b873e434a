import numpy as np
import pyarrow as pa

from sentilab.data.dataset import ArrowTexts, fingerprint_of

NAMES = ("no", "yes")


def fingerprint(texts: object, labels: tuple[int, ...] = (0, 1)) -> str:
    return fingerprint_of(texts, np.asarray(labels), NAMES, None)  # type: ignore[arg-type]


def test_equal_tables_have_equal_fingerprints_however_they_lie_in_memory() -> None:
    whole = ArrowTexts(pa.array(["before", "one", "two", "after"]))
    chunked = ArrowTexts(pa.chunked_array([["one"], ["two"]]))
    assert fingerprint(whole[1:3]) == fingerprint(["one", "two"]) == fingerprint(chunked)


def test_what_differs_in_content_differs_in_fingerprint() -> None:
    assert fingerprint(["one", "two"]) != fingerprint(["onet", "wo"])
    assert fingerprint(["one", "two"]) != fingerprint(["one", "two"], (1, 0))


def test_lazy_texts_behave_as_a_list_does() -> None:
    plain = [f"text {number}" for number in range(10_000)]
    lazy = ArrowTexts(pa.array(plain))
    assert len(lazy) == 10_000
    assert list(lazy) == plain
    assert lazy[-1] == plain[-1]
    assert list(lazy[5:8]) == plain[5:8]
