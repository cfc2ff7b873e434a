"""A Ray cluster of several nodes on this machine: nodes are lost and join, and nothing is lost with them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sentilab import studies
from sentilab.engines import Outcome, Patience, Silent, Status, Task, carry_out
from sentilab.errors import SentilabError
from sentilab.studies import Study
from sentilab.training import Crew, Preparation, Silence

ray = pytest.importorskip("ray", reason="Ray is not installed")
from ray.cluster_utils import Cluster  # noqa: E402

from sentilab.engines.ray import RayPool  # noqa: E402

pytestmark = [
    # Ray's own sockets and files, closed when its processes end.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

MARK = f"SENTILAB_TEST_CLUSTER={os.getpid()}".encode()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without cores of its own, and two nodes of one core."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    os.environ["SENTILAB_TEST_CLUSTER"] = str(os.getpid())
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        made.add_node(num_cpus=1)
        made.add_node(num_cpus=1)
        yield made
    finally:
        del os.environ["PYTHONPATH"], os.environ["SENTILAB_TEST_CLUSTER"]
        made.shutdown()


def quiet(*_: object) -> Silence:
    return Silence()


def test_tasks_are_done_by_all_nodes(cluster: Any) -> None:
    with RayPool(cluster.address) as pool:
        tasks = [Task(f"t{n}", "work:nothing", {"value": n}) for n in range(20)]
        found = carry_out(tasks, pool)
        assert "3 nodes, 2 cores" in pool.told
        # A second round finds the workers of the first.
        assert carry_out([Task("again", "work:nothing")], pool)["again"].ending == "done"
    assert {key: one.result for key, one in found.items()} == {f"t{n}": n for n in range(20)}


def test_a_worker_that_dies_or_is_silent_is_replaced(cluster: Any, tmp_path: Path) -> None:
    def a_task(how: str, **more: Any) -> Task:
        return Task(how, "work:once", {"how": how, "calls": str(tmp_path / how)}, **more)

    with RayPool(cluster.address) as pool:
        found = carry_out([a_task("die"), a_task("hang", silence=2.0)], pool)
    assert found == {"die": Outcome("done", result=2), "hang": Outcome("done", result=2)}


def test_tasks_of_a_lost_node_are_done_by_one_that_joins(cluster: Any, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=1)
    tasks = [Task(f"t{n}", "work:ticking", {"ticks": 8}) for n in range(12)]

    class Trouble(Silent):
        ended_so_far = 0

        def ended(self, status: Status) -> None:
            self.ended_so_far += 1
            if self.ended_so_far == 3:
                cluster.remove_node(node, allow_graceful=False)
            if self.ended_so_far == 5:
                cluster.add_node(num_cpus=1)

    with RayPool(cluster.address) as pool:
        found = carry_out(tasks, pool, Trouble(), patience=Patience(lost=9))
    assert {one.ending for one in found.values()} == {"done"}


def test_a_study_on_a_cluster_ends_with_the_bytes_of_one_process(
    cluster: Any,
    preparation: Preparation,
    tmp_path: Path,
    small_study: Callable[..., Path],
) -> None:
    spec = studies.read(str(small_study([1, 3], [1, 2])))
    Study.prepare(spec, preparation, tmp_path / "alone").carry_out(quiet, lambda _: None)
    study = Study.prepare(spec, preparation, tmp_path / "cluster")
    witness = study.folder / "study.json"
    with RayPool(cluster.address, share=study.folder / ".share", witness=witness) as pool:
        over = threading.Event()

        def chaos() -> None:
            if not over.wait(6):
                for one in Path("/proc").glob("[0-9]*"):
                    # Those of this cluster, and not of a test beside it.
                    if b"sentilab.engines.worker" in _read(one / "cmdline") and MARK in _read(
                        one / "environ"
                    ):
                        os.kill(int(one.name), signal.SIGKILL)
                        return

        thread = threading.Thread(target=chaos)
        thread.start()
        results = study.carry_out(quiet, lambda _: None, Crew(pool))
        over.set()
        thread.join()
    assert results.finished
    names = ("weights.safetensors", "predictions.parquet", "metrics.jsonl", "result.json")
    for run in sorted((tmp_path / "alone").glob("*-*/")):
        for name in names:
            there = tmp_path / "cluster" / run.name / name
            assert there.read_bytes() == (run / name).read_bytes(), there


def test_nodes_that_do_not_see_the_share_get_a_copy_of_it(
    cluster: Any, preparation: Preparation, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    preparation.write_shared(share)
    hidden = share.rename(tmp_path / "hidden")
    share.mkdir()
    with RayPool(cluster.address, share=hidden) as pool:
        task = Task("t", "work:files", {"share": str(share)})
        found = carry_out([task], pool)["t"].result
    assert found["folder"] != str(share)
    assert set(found["files"]) >= {one.name for one in hidden.iterdir()}


def test_a_copy_is_made_anew_where_a_task_met_trouble(
    cluster: Any, preparation: Preparation, tmp_path: Path
) -> None:
    share, hidden = tmp_path / "share", tmp_path / "hidden"
    preparation.write_shared(hidden)
    share.mkdir()
    payload = {"share": str(share), "how": "full", "calls": str(tmp_path / "calls")}
    with RayPool(cluster.address, share=hidden) as pool:
        found = carry_out([Task("t", "work:files", payload)], pool)["t"].result
        copy = Path(found["folder"], "labels.npy")
        copy.write_bytes(b"damaged")
        tasks = [Task(f"t{n}", "work:once", payload) for n in range(2)]
        carry_out(tasks, pool, patience=Patience(pause=0.01))
    assert copy.read_bytes() == (hidden / "labels.npy").read_bytes()


def test_a_node_that_does_not_see_the_results_folder_says_so(cluster: Any, tmp_path: Path) -> None:
    witness = tmp_path / "study.json"
    witness.write_text("{}")
    with RayPool(cluster.address, witness=witness) as pool:
        pool._witness = tmp_path / "elsewhere.json"
        pool._seen = lambda: [str(tmp_path / "nowhere" / "study.json"), "0"]  # type: ignore[method-assign]
        found = carry_out([Task("t", "work:nothing")], pool, patience=Patience(trouble=2, pause=0))
    assert "does not see" in found["t"].reason
    assert "--runs" in found["t"].reason


def test_a_cluster_that_is_not_there_is_told() -> None:
    with pytest.raises(SentilabError, match="No Ray cluster is reached"), RayPool("127.0.0.1:1"):
        pass


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
