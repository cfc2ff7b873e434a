"""The simulated cluster: small, with every fault, and the real scheduler."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import pages, simulate_cluster  # noqa: E402
from benchmarks.cluster import Cluster, Driver, SimulatedPool, Storage, Trial, Work  # noqa: E402
from benchmarks.simulate_cluster import simulate  # noqa: E402
from sentilab.engines import carry_out  # noqa: E402
from sentilab.engines.tasks import Task  # noqa: E402

# Half an hour between deaths, in a study of hours: everything goes wrong that can.
FAULTY = Cluster(20, mtbf=0.5, node=4)
SURE = Cluster(3, uneven=0, stragglers=0, late=0, joining=0, driver=Driver(0, 0, 0))
PLAIN = Trial("plain", 1.0, (10.0, 10.0), 4.0, 0.0, 0.0)


def test_with_every_fault_each_task_ends_once_and_the_seed_decides_all() -> None:
    first = simulate(FAULTY, 200, seed=1, longer=10)  # it checks that each ends once
    assert first.done + first.failed == 200
    assert first.done >= 195
    assert {"lost", "hung"} <= set(first.in_vain)
    assert {"worker", "node", "hung"} == set(first.deaths)
    assert first.makespan > first.bound
    assert 0 < first.lost_share < 0.5
    again = simulate(FAULTY, 200, seed=1, longer=10)
    assert again.without_cpu() == first.without_cpu()
    other = simulate(FAULTY, 200, seed=2, longer=10)
    assert other.makespan != first.makespan


def test_without_faults_nothing_is_tried_twice() -> None:
    found = simulate(replace(FAULTY, mtbf=None), 200)
    assert (found.done, found.attempts, found.in_vain, found.lost_share) == (200, 200, {}, 0)


def test_a_killed_trial_goes_on_after_its_last_complete_epoch() -> None:
    pool = SimulatedPool([Work("a", PLAIN)], replace(SURE, workers=1), seed=0)
    pool._push(15.0, "death", "worker 0.1")  # in the second epoch
    outcomes = carry_out([Task("a", "simulated")], pool, clock=lambda: pool.now)
    assert outcomes["a"].ending == "done"
    assert pool.lost == pytest.approx(4, abs=0.2)
    assert pool.worked == pytest.approx(25 + 1 + 4, abs=0.5)  # it starts twice
    assert pool.epochs_done["a"] == 2


def test_times_are_those_worked_by_hand_where_nothing_is_in_the_way() -> None:
    none = Storage(rate=1e12, bandwidth=1e18, latency=0)
    found = simulate(replace(SURE, storage=none), 6, trials=((1, PLAIN),))
    assert found.makespan == pytest.approx(50, abs=1)
    assert found.bound == 50


def test_storage_does_one_thing_after_another() -> None:
    slow = Storage(rate=1e12, bandwidth=1.0, latency=0)
    trial = replace(PLAIN, state=5.0, results=5.0)
    found = simulate(replace(SURE, storage=slow), 3, trials=((1, trial),))
    # Three trials each write three times five bytes; the shared data are read by one node.
    assert found.longest_wait >= 10
    assert found.makespan >= 45


def test_storage_that_refuses_for_a_second_is_waited_for_and_for_minutes_ends_a_study() -> None:
    hiccup = simulate(Cluster(400, outage=(120.0, 121.0)), 2_000)
    assert hiccup.blocked == ""
    assert hiccup.done + hiccup.failed == 2_000
    outage = simulate(Cluster(400, outage=(120.0, 600.0)), 2_000)
    assert outage.blocked == "runs: Input/output error"
    assert outage.done < 2_000


def test_longest_first_is_sooner_done() -> None:
    cluster = Cluster(20)
    assert simulate(cluster, 200, longest_first=True).makespan < simulate(cluster, 200).makespan


def test_times_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "times.json"
    one = {"kind": "x", "share": 1, "start": 1, "epochs": [2, 3], "finish": 4}
    file.write_text(json.dumps([one | {"state": 5, "results": 6}]))
    assert simulate_cluster.read_times(file) == ((1, Trial("x", 1, (2, 3), 4, 5, 6)),)


def test_the_page_has_a_place_for_each_table() -> None:
    text = pages.page("scale.md").read_text(encoding="utf-8")
    for name in ("failures", "failures-long", "changes", "sweep"):
        assert pages.between(text, name)
