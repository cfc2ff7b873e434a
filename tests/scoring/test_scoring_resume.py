import errno
import gzip
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_predictor import FakePredictor, Manifest
from numpy.typing import NDArray

from sentilab import interrupts
from sentilab.scoring import Scored, ScoringError, journal, tables

Score = Callable[..., Scored]
SCRIPT = Path(__file__).with_name("fake_predictor.py")
ROWS = 4000


def texts() -> list[str]:
    chosen = random.Random(5)
    return ["word " * chosen.randrange(1, 40) + str(number) for number in range(ROWS)]


def write(path: Path) -> None:
    rows = texts()
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"text": rows, "n": range(ROWS)}), path, row_group_size=1500)
    elif ".jsonl" in path.name:
        lines = [json.dumps({"text": text, "label": n}) for n, text in enumerate(rows)]
        lines[::50] = ["not JSON"] * len(lines[::50])
        path.write_text("\n".join(lines) + "\n")
    else:
        lines = [f'{n},"{text}\n"""' for n, text in enumerate(rows)]
        lines[::50] = ["a,b,c"] * len(lines[::50])
        content = ("label,text\n" + "\n".join(lines) + "\n").encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def run(source: Path, out: Path, *slowly: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(source), str(out), *slowly], stderr=subprocess.PIPE
    )


def finished(process: subprocess.Popen[bytes], within: float | None = None) -> bool:
    try:
        _, errors = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        return False
    assert process.returncode == 0, errors.decode()
    return True


def digests(folder: Path) -> dict[str, str]:
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.glob("out*")}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_job_ends_by_an_interrupt_that_a_destructor_swallowed(
    score: Score,
    tmp_path: Path,
    chunks_of: Callable[[int], None],
    lose_an_interrupt: Callable[[], None],
) -> None:
    chunks_of(10)
    content = "".join(f"text {number}\n" for number in range(100)).encode()
    chunks: list[int] = []

    class Interrupted(FakePredictor):
        def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
            chunks.append(len(probabilities))
            if len(chunks) == 2:
                lose_an_interrupt()
            return super().decide(probabilities)

    with pytest.raises(KeyboardInterrupt), interrupts.heeded():
        score("a.txt", content, "out.csv", predictor=Interrupted())
    assert chunks == [10, 10]
    assert score("a.txt", None, "out.csv").rows == 100


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.parquet"])
def test_a_job_killed_at_random_moments_ends_with_the_same_bytes(name: str, tmp_path: Path) -> None:
    kills = int(os.environ.get("SENTILAB_TEST_KILLS", "4"))
    moments = random.Random(2026)
    source = tmp_path / name
    write(source)
    folders = [tmp_path / one for one in ("undisturbed", "killed")]
    for folder in folders:
        folder.mkdir()
    out = folders[1] / f"out{name[1:]}"
    started = time.monotonic()
    assert finished(run(source, folders[0] / out.name, "0.01"))
    whole = time.monotonic() - started
    killed = 0
    for _ in range(10 * kills):
        process = run(source, out, "0.01")
        if killed >= kills:
            assert finished(process)
            break
        if finished(process, within=moments.uniform(0.2, 0.2 + 2 / kills) * whole):
            if killed:
                break
            # The machine was busier before: once more, and sooner.
            for one in folders[1].glob("out*"):
                one.unlink()
            whole /= 2
            continue
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += 1
        if out.exists() and not list(folders[1].glob(".*")):
            break  # it had done all but leave
    assert killed, "it was over before it could be killed"
    assert digests(folders[1]) == digests(folders[0])
    assert not list(folders[1].glob(".*"))


def test_the_answers_do_not_hang_on_workers_or_on_where_the_job_was_stopped(
    score: Score, tmp_path: Path, chunks_of: Callable[[int], None]
) -> None:
    chunks_of(300)
    write(tmp_path / "a.csv")
    score("a.csv", None, "whole.csv", prefix="p_")

    class Stops(FakePredictor):
        def probabilities_of(self, ids: Any) -> Any:
            if len(self.batches) > 9:
                raise KeyboardInterrupt
            return super().probabilities_of(ids)

    with pytest.raises(KeyboardInterrupt):
        score("a.csv", None, "out.csv", prefix="p_", predictor=Stops(), workers=2)
    assert not (tmp_path / "out.csv").exists()
    done = score("a.csv", None, "out.csv", prefix="p_", workers=3)
    assert 0 < done.earlier < done.rows
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_the_batches_hold_texts_of_like_length(score: Score) -> None:
    predictor = FakePredictor()
    score("a.txt", "\n".join(texts()).encode(), "out.txt", predictor=predictor)
    assert predictor.batches == [64] * 62 + [32]


def begun(score: Score, tmp_path: Path) -> None:
    """A job that was stopped halfway."""

    def stop(progress: Any) -> None:
        if progress.rows > 1000:
            raise KeyboardInterrupt

    write(tmp_path / "a.csv")
    with pytest.raises(KeyboardInterrupt):
        score("a.csv", None, "out.csv", prefix="p_", progress=stop)
    assert (tmp_path / ".out.csv.partial" / "journal.json").exists()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"prefix": "q_"}, "the prefix"),
        ({"predictor": FakePredictor(manifest=Manifest("another"))}, "the bundle"),
        ({"predictor": FakePredictor(engine="another")}, "the engine"),
        ({"explain": True}, "explanations"),
        ({"text_column": "label"}, "the text column"),
    ],
)
def test_another_job_is_not_mixed_with_what_was_begun(
    options: dict[str, Any],
    what: str,
    score: Score,
    tmp_path: Path,
    chunks_of: Callable[[int], None],
) -> None:
    chunks_of(200)
    begun(score, tmp_path)
    with pytest.raises(ScoringError, match=rf"{what}\.(.|\n)*--restart"):
        score("a.csv", None, "out.csv", **{"prefix": "p_", **options})
    done = score("a.csv", None, "out.csv", restart=True, **{"prefix": "p_", **options})
    assert (done.rows, done.earlier) == (3920, 0)


def test_a_changed_input_is_another_job(
    score: Score, tmp_path: Path, chunks_of: Callable[[int], None]
) -> None:
    chunks_of(200)
    begun(score, tmp_path)
    with (tmp_path / "a.csv").open("ab") as file:
        file.write(b"1,more\n")
    with pytest.raises(ScoringError, match="the input"):
        score("a.csv", None, "out.csv", prefix="p_")


def test_what_is_there_already_is_replaced_only_on_demand(score: Score, tmp_path: Path) -> None:
    score("a.txt", b"one\n", "out.txt")
    with pytest.raises(ScoringError, match="there already"):
        score("a.txt", b"one\ntwo\n", "out.txt")
    assert not list(tmp_path.glob(".*"))
    assert score("a.txt", None, "out.txt", restart=True).rows == 2
    with pytest.raises(ScoringError, match="the input itself"):
        score("a.txt", None, "a.txt", restart=True)


def test_two_processes_cannot_write_one_file(score: Score, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")
    folder = tmp_path / ".out.txt.partial"
    folder.mkdir()
    with (
        journal.locked(folder / "lock", tmp_path / "out.txt"),
        pytest.raises(ScoringError, match="another process"),
    ):
        score("a.txt", None, "out.txt")
    assert score("a.txt", None, "out.txt").rows == 1


def test_leavings_that_are_damaged_are_an_error_that_says_how_to_begin_anew(
    score: Score, tmp_path: Path, chunks_of: Callable[[int], None]
) -> None:
    chunks_of(200)
    begun(score, tmp_path)
    folder = tmp_path / ".out.csv.partial"
    with (folder / "output").open("r+b") as file:
        file.truncate(10)
    with pytest.raises(ScoringError, match=r"is missing(.|\n)*--restart"):
        score("a.csv", None, "out.csv", prefix="p_")
    (folder / "journal.json").write_text("{")
    with pytest.raises(ScoringError, match=r"damaged(.|\n)*--restart"):
        score("a.csv", None, "out.csv", prefix="p_")


@pytest.mark.parametrize("moment", ["commit", "finish"])
def test_a_full_disk_is_an_error_after_which_the_job_goes_on(
    moment: str,
    score: Score,
    tmp_path: Path,
    chunks_of: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks_of(300)
    write(tmp_path / "a.csv")
    score("a.csv", None, "whole.csv", prefix="p_")
    usual = getattr(journal.Journal, moment)
    calls = []

    def full(self: Any, *arguments: Any) -> Any:
        calls.append(1)
        if moment == "finish" or len(calls) > 3:
            self._output.write(b"half of a ch")
            self._output.flush()
            raise OSError(errno.ENOSPC, "No space left on device")
        return usual(self, *arguments)

    monkeypatch.setattr(journal.Journal, moment, full)
    with pytest.raises(ScoringError, match=r"No space left(.|\n)*the same command goes on"):
        score("a.csv", None, "out.csv", prefix="p_")
    monkeypatch.undo()
    chunks_of(300)
    assert score("a.csv", None, "out.csv", prefix="p_").earlier >= 880
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_disk_that_is_full_when_a_table_is_put_together_is_an_error_like_any_other(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.parquet")
    score("a.parquet", None, "whole.parquet")
    usual = tables._Writing.__init__

    class Full(io.BytesIO):
        def write(self, content: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tables._Writing, "__init__", lambda self, file: usual(self, Full()))
    with pytest.raises(ScoringError, match="No space left"):
        score("a.parquet", None, "out.parquet")
    monkeypatch.undo()
    assert score("a.parquet", None, "out.parquet").earlier == ROWS
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_a_job_killed_while_it_moves_its_files_into_place_can_be_ended(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.parquet")
    score("a.parquet", None, "whole.parquet")
    usual = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target.name == "out.parquet":
            raise KeyboardInterrupt
        return usual(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        score("a.parquet", None, "out.parquet")
    monkeypatch.undo()
    done = score("a.parquet", None, "out.parquet")
    assert done.rows == done.earlier == ROWS
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        source, out = tmp_path / f"{rows}.csv", tmp_path / f"{rows}.out.csv"
        with source.open("w") as file:
            file.write("text\n")
            file.writelines(f"{'word ' * 100}{number}\n" for number in range(rows))
        code = (
            f"import sys; sys.argv = ['', {str(source)!r}, {str(out)!r}]\n"
            f"sys.path.insert(0, {str(SCRIPT.parent)!r}); import fake_predictor\n"
            "fake_predictor.main()\n"
            "print(open('/proc/self/status').read())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        )
        # Not getrusage: that counts what this process had when it started the other.
        return int(done.stdout.partition("VmHWM:")[2].split()[0])

    small, large = peak(2000), peak(60_000)  # 1 MB and 30 MB
    assert large < small + 10_000, f"{small} KiB, {large} KiB"
