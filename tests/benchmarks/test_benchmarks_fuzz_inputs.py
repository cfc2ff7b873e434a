"""A few dozen hostile inputs of each kind; benchmarks/fuzz_inputs.py makes thousands."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The benchmarks are no part of the installed package.
sys.path.insert(0, str(ROOT))

from benchmarks import fuzz_inputs  # noqa: E402
from benchmarks.bounded import MOST_RESIDENT, SECONDS, Worker  # noqa: E402
from benchmarks.inputs import KINDS, hostile  # noqa: E402

EACH = 16

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc"
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good files of every kind."""
    folder = tmp_path_factory.mktemp("good")
    fuzz_inputs.good(folder)
    return folder


def test_every_hostile_input_is_refused_with_a_reason_or_read_rightly(good: Path) -> None:
    worker = Worker("benchmarks.fuzz_inputs", good)
    try:
        found = [worker.judge(kind, seed) for kind in KINDS for seed in range(EACH)]
    finally:
        worker.stop()
    assert {one.verdict for one in found} == {"accepted", "refused"}, [
        one for one in found if one.verdict not in ("accepted", "refused")
    ]
    assert max(one.seconds for one in found) < SECONDS
    assert max(one.mebibytes for one in found) < MOST_RESIDENT >> 20
    refused = {one.kind for one in found if one.verdict == "refused"}
    assert refused == set(KINDS) == set(fuzz_inputs.JUDGES) == set(fuzz_inputs.COUNTS)


def test_the_same_kind_and_seed_give_the_same_input(good: Path, tmp_path: Path) -> None:
    for kind in ("study", "texts"):
        for name in ("one", "two"):
            (tmp_path / kind / name).mkdir(parents=True)
        one, two = (hostile(good, kind, 7, tmp_path / kind / name) for name in ("one", "two"))
        assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())


def test_another_error_or_an_unclear_one_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentilab import SentilabError

    path = tmp_path / "a.toml"
    for error, verdict in (
        (SentilabError("a.toml: wrong"), "refused"),
        (SentilabError("wrong"), "FINDING"),
        (SentilabError("a.toml: \x1b[2J"), "FINDING"),
        (SentilabError("a.toml: " + "a" * 9_999), "FINDING"),
        (KeyError("a.toml"), "FINDING"),
    ):

        def judge(_: Path, error: Exception = error) -> None:
            raise error

        monkeypatch.setitem(fuzz_inputs.JUDGES, "study", judge)
        assert fuzz_inputs.judged("study", path)[0] == verdict


def test_the_page_has_the_place_for_the_table() -> None:
    from benchmarks import pages

    text = pages.page(fuzz_inputs.PAGE).read_text(encoding="utf-8")
    shown = pages.between(text, "inputs")
    assert all(f"| {kind} | {count:,} |" in shown for kind, count in fuzz_inputs.COUNTS.items())
