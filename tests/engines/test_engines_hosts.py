"""Hosts of a Ray cluster, each with a network of its own, of which one is cut off while it works.

Beside a killed node, whose connections close at once, this one goes on: nobody hears of it any more, but it
still writes to the folder that all share. Takes root and Linux's network namespaces.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sentilab.studies import read_progress

pytest.importorskip("ray", reason="Ray is not installed")

PORT = 6379
# How soon the cluster misses a host: about three seconds.
IMPATIENT = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
# A head that others reach asks for a token.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a token of thirty-two characters or more"}
SAME = ("metrics.jsonl", "model.keras", "predictions.parquet", "result.json", "weights.safetensors")


class Network:
    """A bridge, and hosts behind it: names that ``ip netns`` knows."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.mark = f"s{os.getpid() % 100_000}"
        self.subnet = f"10.{210 + os.getpid() % 40}.{os.getpid() % 250}"
        self.bridge = f"{self.mark}b"
        self.hosts: list[int] = []
        self.commands: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Network":
        ip("link", "add", self.bridge, "type", "bridge")
        ip("link", "set", self.bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for number in self.hosts:
            told = subprocess.run(
                ["ip", "netns", "pids", self.name(number)], capture_output=True, check=False
            )
            for pid in told.stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            ip("netns", "del", self.name(number))
        for one in self.commands:
            one.wait()
        ip("link", "del", self.bridge)

    def name(self, number: int) -> str:
        return f"{self.mark}h{number}"

    def address(self, number: int) -> str:
        return f"{self.subnet}.{number}"

    def add(self) -> int:
        """A host, with a folder of its own for what Ray keeps on it."""
        number = len(self.hosts) + 1
        name, cable = self.name(number), f"{self.mark}v{number}"
        ip("netns", "add", name)
        self.hosts.append(number)
        ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", cable, "master", self.bridge, "up")
        ip("-n", name, "address", "add", f"{self.address(number)}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            ip("-n", name, "link", "set", device, "up")
        (self.home / name).mkdir()
        return number

    def cut(self, number: int) -> None:
        """Pulls the host's cable."""
        ip("link", "set", f"{self.mark}v{number}", "down")

    def run(self, number: int, *call: str) -> "subprocess.Popen[bytes]":
        """A command on a host; what it says goes to a file."""
        script = f'mkdir -p /tmp/ray && mount --bind {self.home / self.name(number)} /tmp/ray && exec "$@"'
        with (self.home / f"{self.name(number)}.log").open("ab") as log:
            command = subprocess.Popen(
                ["ip", "netns", "exec", self.name(number), "sh", "-c", script, "sh", *call],
                cwd=self.home,
                env={**os.environ, **IMPATIENT, **TOKEN, "RAY_USAGE_STATS_ENABLED": "0"},
                stdout=log,
                stderr=log,
            )
        self.commands.append(command)
        return command

    def log(self, number: int) -> str:
        return (self.home / f"{self.name(number)}.log").read_text(errors="replace")


def ip(*call: str) -> None:
    subprocess.run(["ip", *call], check=True, capture_output=True)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    possible = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("ip") is not None
    if not (possible and _are_namespaces_allowed()):
        pytest.skip("no host with a network of its own can be made here")
    with Network(tmp_path) as made:
        yield made


def _are_namespaces_allowed() -> bool:
    name = f"s{os.getpid() % 100_000}try"
    try:
        ip("netns", "add", name)
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
    except subprocess.CalledProcessError:
        return False
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return True


def test_a_host_that_is_cut_off_while_it_works_costs_nothing(
    network: Network, tmp_path: Path, small_study: Callable[..., Path]
) -> None:
    ray = str(Path(sys.executable).with_name("ray"))
    head, first, second = network.add(), network.add(), network.add()
    address = f"{network.address(head)}:{PORT}"

    def start(number: int, *options: str) -> None:
        own = ["--node-ip-address", network.address(number), "--block"]
        network.run(number, ray, "start", *own, *options)

    start(head, "--head", "--port", str(PORT), "--num-cpus", "0", "--include-dashboard", "false")
    file = str(small_study([2, 60], [1, 2, 3]))
    study = [sys.executable, "-m", "sentilab", "study", file, "--threads", "1"]
    subprocess.run([*study, "--runs", "alone"], cwd=tmp_path, check=True, capture_output=True)
    for number in (first, second):
        start(number, "--address", address, "--num-cpus", "1")
    running = network.run(head, *study, "--runs", "shared", "--engine", "ray", "--address", address)
    folder = tmp_path / "shared" / "small-generated"
    until = time.monotonic() + 120
    while not (folder / "progress.json").exists() or read_progress(folder).finished < 2:
        assert running.poll() is None, network.log(head)
        assert time.monotonic() < until, network.log(head)
        time.sleep(0.1)
    network.cut(first)
    third = network.add()
    start(third, "--address", address, "--num-cpus", "1")
    assert running.wait(180) == 0, network.log(head)
    at_end = read_progress(folder)
    assert (at_end.finished, at_end.failed) == (6, 0)
    assert json.loads((folder / "progress.json").read_text())["spoilt"]["lost"] >= 1
    for run in sorted((tmp_path / "alone" / "small-generated").glob("*-*/")):
        for name in SAME:
            there = folder / run.name / name
            assert there.read_bytes() == (run / name).read_bytes(), there
