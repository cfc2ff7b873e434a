"""Real processes, and what befalls them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentilab.engines import (
    LocalPool,
    MachineTrouble,
    Outcome,
    Patience,
    Task,
    carry_out,
)
from sentilab.errors import SentilabError

QUICK = Patience(lasting=0.2, pause=0.01, longest_pause=0.05)


def a_task(tmp_path: Path, how: str, times: int = 1, **more: object) -> Task:
    payload = {"how": how, "times": times, "calls": str(tmp_path / how)}
    return Task(how, "work:once", payload, **more)  # type: ignore[arg-type]


def test_tasks_are_done_and_give_their_results(pool: LocalPool) -> None:
    tasks = [Task(f"t{n}", "work:nothing", {"value": n}) for n in range(20)]
    found = carry_out(tasks, pool)
    assert {key: one.result for key, one in found.items()} == {f"t{n}": n for n in range(20)}


@pytest.mark.parametrize(("how", "times"), [("die", 3), ("exit", 1), ("segfault", 1)])
def test_a_task_whose_worker_died_is_done_by_another(
    pool: LocalPool, tmp_path: Path, how: str, times: int
) -> None:
    found = carry_out([a_task(tmp_path, how, times)], pool)
    assert found[how] == Outcome("done", result=times + 1)


@pytest.mark.parametrize(("how", "said"), [("exit", "code 7"), ("segfault", "SIGSEGV")])
def test_a_task_that_ends_its_process_is_given_up_sooner_than_one_that_is_killed(
    pool: LocalPool, tmp_path: Path, how: str, said: str
) -> None:
    found = carry_out([a_task(tmp_path, how, 99)], pool, patience=Patience(crashed=2, lost=99))
    assert found[how].ending == "failed"
    assert said in found[how].reason
    assert "tried 2 times" in found[how].reason


def test_a_task_that_kills_every_worker_is_given_up_and_the_others_go_on(
    pool: LocalPool, tmp_path: Path
) -> None:
    others = [Task(f"t{n}", "work:nothing") for n in range(5)]
    found = carry_out([a_task(tmp_path, "die", 99), *others], pool, patience=Patience(lost=3))
    assert found["die"].ending == "failed"
    assert "SIGKILL" in found["die"].reason
    assert "tried 3 times" in found["die"].reason
    assert all(found[one.key].ending == "done" for one in others)


@pytest.mark.parametrize("how", ["hang", "stop"])
def test_a_task_that_is_silent_too_long_is_killed_and_tried_again(
    pool: LocalPool, tmp_path: Path, how: str
) -> None:
    found = carry_out([a_task(tmp_path, how, silence=1.0)], pool)
    assert found[how] == Outcome("done", result=2)


def test_that_somebody_stopped_its_worker_is_not_held_against_a_task(
    pool: LocalPool, tmp_path: Path
) -> None:
    stopped = a_task(tmp_path, "stop", 2, silence=0.5)
    found = carry_out([stopped], pool, patience=Patience(hung=1, lost=3))
    assert found["stop"] == Outcome("done", result=3)
    found = carry_out([stopped], pool, patience=Patience(hung=1, lost=1))
    assert found["stop"] == Outcome("done", result=4)
    (tmp_path / "stop").unlink()
    found = carry_out([stopped], pool, patience=Patience(hung=1, lost=1))
    assert "no sign of life" in found["stop"].reason
    assert "stopped (SIGSTOP)" in found["stop"].reason


def test_one_that_always_hangs_is_given_up_with_its_reason(pool: LocalPool, tmp_path: Path) -> None:
    found = carry_out([a_task(tmp_path, "hang", 99, silence=0.5)], pool)
    assert found["hang"].ending == "failed"
    assert "no sign of life" in found["hang"].reason


def test_signs_of_life_keep_a_long_task_alive(pool: LocalPool) -> None:
    found = carry_out([Task("long", "work:ticking", {"ticks": 15}, silence=1.0)], pool)
    assert found["long"].result == 15


def test_a_task_that_outgrows_its_share_of_memory_is_stopped(
    pool_of: Callable[..., LocalPool], tmp_path: Path
) -> None:
    with pool_of(1, memory=300 << 20) as pool:
        found = carry_out(
            [a_task(tmp_path, "hungry", 99), Task("other", "work:nothing")],
            pool,
            patience=Patience(starved=2),
        )
    assert found["hungry"].ending == "failed"
    assert "more than its share" in found["hungry"].reason
    assert found["other"].ending == "done"


def test_a_full_disk_is_waited_for(pool: LocalPool, tmp_path: Path) -> None:
    found = carry_out([a_task(tmp_path, "full", 3)], pool, patience=QUICK)
    assert found["full"] == Outcome("done", result=4)


def test_a_disk_that_stays_full_ends_it_all_with_the_reason(
    pool: LocalPool, tmp_path: Path
) -> None:
    with pytest.raises(MachineTrouble, match="No space left on device"):
        carry_out([a_task(tmp_path, "full", 999)], pool, patience=QUICK)


def test_an_error_nobody_foresaw_is_tried_twice_and_told(pool: LocalPool, tmp_path: Path) -> None:
    found = carry_out([a_task(tmp_path, "bug", 99)], pool)
    assert "KeyError: 'no such thing'" in found["bug"].reason
    assert (tmp_path / "bug").read_text() == "xx"


def test_an_error_of_the_users_is_final(pool: LocalPool, tmp_path: Path) -> None:
    found = carry_out([a_task(tmp_path, "refuse", 99)], pool)
    assert found["refuse"] == Outcome("failed", reason="These settings cannot be meant.")
    assert (tmp_path / "refuse").read_text() == "x"


def test_workers_have_cores_and_threads_of_their_own(
    pool_of: Callable[..., LocalPool],
) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("one core")
    with pool_of(2, 1) as pool:
        tasks = [Task(f"t{n}", "work:where") for n in range(8)]
        found = carry_out(tasks, pool)
        assert {tuple(one.result) for one in found.values()} <= {(cores[0],), (cores[1],)}
    with pool_of(1, 2) as pool:
        found = carry_out([Task("t", "work:threads")], pool)
        assert found["t"].result == {"NPROC": "2", "SENTILAB_THREADS": "2"}


def test_a_worker_killed_from_outside_at_any_moment_costs_nothing(
    pool: LocalPool, assassin: Any
) -> None:
    tasks = [Task(f"t{n}", "work:ticking", {"ticks": 3}) for n in range(12)]
    # A task takes 0.3 s: workers die before, in and after one.
    killing = assassin(pool, [0.035 * n for n in range(12)])
    found = carry_out(tasks, pool, killing, patience=Patience(lost=99))
    assert {key: one.result for key, one in found.items()} == {f"t{n}": 3 for n in range(12)}
    assert killing.killed >= 8


def test_workers_that_never_come_to_be_are_an_error(
    pool_of: Callable[..., LocalPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pool_of(1) as pool, pytest.raises(SentilabError, match="No worker process comes to be"):
        carry_out([Task("t", "work:nothing")], pool)


def test_workers_end_with_an_engine_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys; from sentilab.engines import *\n"
        "pool = LocalPool(1, 1, environment={'PYTHONPATH': sys.argv[2]})\n"
        "with pool: carry_out([Task('t', 'work:orphan', {'pid': sys.argv[1]})], pool)\n"
    )
    told = tmp_path / "pid"
    here = str(Path(__file__).parent)
    engine = subprocess.Popen([sys.executable, "-c", script, str(told), here])
    until = time.monotonic() + 60
    while not (told.exists() and told.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    engine.kill()
    engine.wait()
    worker = Path(f"/proc/{told.read_text()}")
    while worker.exists() and time.monotonic() < until:
        state = (worker / "stat").read_text().rpartition(")")[2].split()[0]
        if state in "ZX":
            break
        time.sleep(0.05)
    else:
        assert not worker.exists()
