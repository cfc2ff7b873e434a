"""A service of fakes on a real socket, and a client for it."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from serve_fakes import FakePredictor

from sentilab.serve import Address, ServiceSettings, create_app
from sentilab.serve.server import server_of


class Served:
    """A running service: its client, its application and the predictor behind it."""

    def __init__(self, settings: ServiceSettings, predictors: list[FakePredictor]) -> None:
        self.predictors, self.predictor = predictors, predictors[0]
        self.app = create_app(predictors, settings)
        self.service = self.app.state.service
        self.address = Address.bind("127.0.0.1", 0)
        self.server = server_of(self.app)
        self._thread = threading.Thread(target=self.server.run, args=([self.address.socket],))
        self.client = httpx.Client(base_url=self.address.url, timeout=30)

    def start(self) -> None:
        self._thread.start()
        eventually(lambda: self.server.started)
        for one in self.predictors:
            one.begun.clear()
            one.batches.clear()

    def stop(self) -> None:
        for one in self.predictors:
            one.gate.set()
        self.client.close()
        self.server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()

    def predict(self, *texts: str, model: str = "fake") -> httpx.Response:
        return self.client.post(f"/v1/models/{model}/predict", json={"texts": list(texts)})

    def explain(self, text: str, model: str = "fake") -> httpx.Response:
        return self.client.post(f"/v1/models/{model}/explain", json={"text": text})

    def in_background(self, call: Callable[[], httpx.Response]) -> "Background":
        return Background(call)

    @property
    def waiting(self) -> int:
        return int(self.service.models["fake"].predictions.waiting)


class Background:
    """A request in a thread of its own."""

    def __init__(self, call: Callable[[], httpx.Response]) -> None:
        self._answer: list[httpx.Response | Exception] = []
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], httpx.Response]) -> None:
        try:
            self._answer.append(call())
        except Exception as error:
            self._answer.append(error)

    def result(self) -> httpx.Response:
        self._thread.join(30)
        (answer,) = self._answer
        if isinstance(answer, Exception):
            raise answer
        return answer


def eventually(holds: Callable[[], Any]) -> None:
    """Waits until it does; fails after half a minute."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "this never came about"
        time.sleep(0.002)


@pytest.fixture
def serving() -> Iterator[Callable[..., Served]]:
    """Starts services with the given settings; they end with the test."""
    running: list[Served] = []

    def start(*predictors: FakePredictor, **settings: Any) -> Served:
        chosen = ServiceSettings(**{"drain_seconds": 0.0, **settings})
        one = Served(chosen, list(predictors) or [FakePredictor()])
        running.append(one)
        one.start()
        return one

    yield start
    for one in running:
        one.stop()


@pytest.fixture(name="eventually")
def _eventually() -> Callable[[Callable[[], Any]], None]:
    return eventually
