"""The process: signals, and what the command says."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

HERE = Path(__file__).parent

# A model that takes a while, so that a signal meets it at work.
SERVICE = """
import sys, time
sys.path.insert(0, {here!r})
from serve_fakes import FakePredictor
from sentilab import serve

class Slow(FakePredictor):
    def probabilities_of(self, ids):
        time.sleep(0.3)
        return super().probabilities_of(ids)

settings = serve.ServiceSettings(drain_seconds={drain}, batch_texts=1)
address = serve.Address.bind("127.0.0.1", 0)
print(address.url, flush=True)
serve.run(serve.create_app([Slow()], settings), address)
print("ended", flush=True)
"""


@contextmanager
def process(drain: float = 0.0) -> Iterator[tuple["subprocess.Popen[str]", httpx.Client]]:
    code = SERVICE.format(here=str(HERE), drain=drain)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        try:
            url = running.stdout.readline().strip()
            with httpx.Client(
                base_url=url, timeout=30, transport=httpx.HTTPTransport(retries=20)
            ) as client:
                assert client.get("/ready").status_code == 200
                yield running, client
        finally:
            running.kill()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_after_what_it_has_accepted(
    by: signal.Signals, eventually: Callable[..., None]
) -> None:
    with process() as (running, client):
        answers: list[httpx.Response] = []

        def ask() -> None:
            answers.append(client.post("/v1/models/fake/predict", json={"texts": ["good", "bad"]}))

        def waits() -> bool:
            return (
                'sentilab_waiting{model="fake",task="predict"} 2.0' in client.get("/metrics").text
            )

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for one in asking:
            one.start()
        eventually(waits)  # one text of four is at work, and one of its request waits with it
        running.send_signal(by)
        for one in asking:
            one.join(30)
        assert [one.status_code for one in answers] == [200, 200]
        said, log = running.communicate(timeout=30)
        assert running.returncode == 0
        assert said == "ended\n"
        assert "Traceback" not in log


def test_ready_says_no_before_the_service_stops_listening() -> None:
    with process(drain=20.0) as (running, client):
        running.send_signal(signal.SIGTERM)
        while client.get("/ready").status_code == 200:
            pass
        assert client.get("/ready").json()["error"]["code"] == "leaving"
        assert client.post("/v1/models/fake/predict", json={"texts": ["a"]}).status_code == 200
        running.send_signal(signal.SIGINT)  # a second one ends it without further delay
        assert running.wait(15) == 0


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sentilab", "serve", *arguments],
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_address_that_others_can_reach_needs_a_key_or_a_word() -> None:
    done = run("nothing-here", "--host", "0.0.0.0")
    assert done.returncode == 1
    assert "SENTILAB_API_KEY" in done.stderr
    assert "--open" in done.stderr
    # With either, the next thing that is missing is the bundle.
    for arguments, environment in (
        (("--open",), {}),
        ((), {"SENTILAB_API_KEY": "a-key-of-more-than-16-characters"}),
    ):
        done = run("nothing-here", "--host", "0.0.0.0", *arguments, **environment)
        assert done.returncode == 1
        assert "there is no bundle here" in done.stderr


def test_a_key_file_without_a_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("\n")
    done = run("nothing-here", "--api-key-file", str(file))
    assert done.returncode == 1
    assert "there is no key in it" in done.stderr


def test_serving_needs_nothing_of_what_training_needs() -> None:
    code = """
import sys
import sentilab.bundle, sentilab.cli.serve, sentilab.serve
for name in ("keras", "jax", "pyarrow", "rich", "sklearn", "altair", "sentilab.training",
             "sentilab.models", "sentilab.probe", "sentilab.report", "sentilab.layers"):
    assert name not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_fastapi_the_command_says_what_to_install() -> None:
    code = """
import sys
sys.modules["fastapi"] = None
from sentilab.cli import main
sys.argv = ["sentilab", "serve", "nothing-here"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert 'pip install "sentilab[serve]"' in done.stderr
    assert "Traceback" not in done.stderr
