"""A disk that is full, or read-only, for a while: the study waits and ends as it would have.

The run folders lie on a small file system of their own, which takes root to mount.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sentilab import studies
from sentilab.engines import LocalPool, MachineTrouble, Patience
from sentilab.engines import scheduler as scheduling
from sentilab.studies import Study, StudySpec
from sentilab.training import Crew, Preparation, Silence

MIB = 60
SAME = ("metrics.jsonl", "predictions.parquet", "result.json", "weights.safetensors")


def mount(*options: str) -> bool:
    return not subprocess.run(["mount", *options], capture_output=True, check=False).returncode


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if not (is_root and mount("-t", "tmpfs", "-o", f"size={MIB}m", "test", str(folder))):
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        for _ in range(50):
            if not subprocess.run(
                ["umount", str(folder)], capture_output=True, check=False
            ).returncode:
                break
            time.sleep(0.1)


@pytest.fixture
def spec(small_study: Callable[..., Path]) -> StudySpec:
    return studies.read(str(small_study([2, 5], [1, 2])))


class Full:
    """Takes all the room there is."""

    def __init__(self, disk: Path) -> None:
        self.ballast = disk / "ballast"

    def begin(self) -> bool:
        with suppress(OSError), self.ballast.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
        return True

    def end(self) -> None:
        self.ballast.unlink()


class ReadOnly:
    """Lets nobody write any more: the same files, mounted once more in their own place, for reading."""

    def __init__(self, disk: Path) -> None:
        self.disk = str(disk)

    def begin(self) -> bool:
        return mount("--bind", self.disk, self.disk) and mount("-o", "remount,bind,ro", self.disk)

    def end(self) -> None:
        subprocess.run(["umount", "--lazy", self.disk], check=True)


def quiet(*_: object) -> Silence:
    return Silence()


@pytest.mark.parametrize("fault", [Full, ReadOnly])
def test_a_disk_that_refuses_for_a_while_is_waited_for(
    disk: Path,
    spec: StudySpec,
    preparation: Preparation,
    tmp_path: Path,
    fault: type[Full] | type[ReadOnly],
) -> None:
    Study.prepare(spec, preparation, tmp_path / "calm").carry_out(quiet, lambda _: None)
    study = Study.prepare(spec, preparation, disk / "small")
    refused = []

    def trouble() -> None:
        time.sleep(6)
        made = fault(disk)
        assert made.begin()
        refused.append(True)
        time.sleep(5)
        made.end()

    thread = threading.Thread(target=trouble)
    with LocalPool(2, 1) as pool:
        thread.start()
        results = study.carry_out(quiet, lambda _: None, Crew(pool))
        thread.join()
    assert refused
    assert results.finished
    for run in sorted((tmp_path / "calm").glob("*-*/")):
        for name in SAME:
            there = study.folder / run.name / name
            assert there.read_bytes() == (run / name).read_bytes(), there


def test_a_disk_that_stays_full_ends_the_study_which_goes_on_once_there_is_room(
    disk: Path, spec: StudySpec, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = Patience(troubles=4, lasting=1, pause=0.1, longest_pause=0.2)
    monkeypatch.setattr(scheduling, "Patience", lambda: impatient)
    study = Study.prepare(spec, preparation, disk / "small")
    full = Full(disk)

    def announce(*_: object) -> Silence:
        if not full.ballast.exists():
            full.begin()
        return Silence()

    with LocalPool(2, 1) as pool, pytest.raises(MachineTrouble, match="No space left on device"):
        study.carry_out(announce, lambda _: None, Crew(pool))
    assert not list(study.folder.glob("*/result.json"))
    full.end()
    with LocalPool(2, 1) as pool:
        assert study.carry_out(quiet, lambda _: None, Crew(pool)).finished
