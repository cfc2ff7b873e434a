"""Ctrl-C where Python ignores exceptions still ends what it was meant to end."""

import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sentilab import interrupts
from sentilab.engines import Needs, Outcome, Task
from sentilab.engines.running import carry_out
from sentilab.engines.tasks import Event, Joined

# A destructor's exception, which Python prints and ignores, is what these are about.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _usual_handler(lose_an_interrupt: Callable[[], None]) -> None: ...


class _Idle:
    """One worker that never ends what it does, and an interrupt in the second look for news."""

    def __init__(self, lose: Callable[[], None]) -> None:
        self.looks, self.lose = 0, lose

    def muster(self) -> None: ...
    def start(self, worker: str, task: Task) -> None: ...
    def kill(self, worker: str, why: Outcome) -> None: ...

    def events(self, timeout: float) -> Sequence[Event]:
        self.looks += 1
        if self.looks == 2:
            self.lose()
        assert self.looks < 5, "the interrupt was lost"
        return [Joined("one", Needs(1), "here")] if self.looks == 1 else []


def test_tasks_end_by_an_interrupt_that_a_destructor_swallowed(
    lose_an_interrupt: Callable[[], None],
) -> None:
    pool = _Idle(lose_an_interrupt)
    with pytest.raises(KeyboardInterrupt), interrupts.heeded():
        carry_out([Task("a", "nothing", {})], pool)
    assert pool.looks == 2


def test_training_ends_by_an_interrupt_that_a_destructor_swallowed(
    lose_an_interrupt: Callable[[], None],
) -> None:
    import numpy as np

    from sentilab import models
    from sentilab.training import RunSettings, Silence, Step
    from sentilab.training.examples import Part
    from sentilab.training.steps import compile_model, train_epoch

    settings = RunSettings(model="averaging", epochs=1, batch_size=2)
    model = models.build("averaging", models.Task(words=9, length=4, classes=2))
    compile_model(model, settings, 2)
    texts = 40
    ids = np.arange(texts).astype(str)
    part = Part(np.ones((texts, 4), np.int32), np.zeros(texts, np.int64), ids)
    steps: list[int] = []

    class Losing(Silence):
        def on_step(self, step: Step) -> None:
            steps.append(step.batch)
            lose_an_interrupt()

    with pytest.raises(KeyboardInterrupt), interrupts.heeded():
        train_epoch(model, settings, part, 1, Losing())
    assert steps == [1]


def test_an_interrupt_that_arrives_is_raised_at_once_and_once() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.heeded():
        signal.raise_signal(signal.SIGINT)
    interrupts.raise_if_lost()
    with interrupts.heeded():
        interrupts.raise_if_lost()


def test_it_leaves_other_handlers_and_other_threads_alone() -> None:
    def other(*_: Any) -> None: ...

    before = signal.signal(signal.SIGINT, other)
    try:
        with interrupts.heeded():
            assert signal.getsignal(signal.SIGINT) is other
    finally:
        signal.signal(signal.SIGINT, before)
    found: list[Any] = []

    def elsewhere() -> None:
        with interrupts.heeded():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]
