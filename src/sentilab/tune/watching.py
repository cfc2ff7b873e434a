"""A trial's listener: gives the trial up where it is hopeless, or the time is over."""

from collections.abc import Callable
from pathlib import Path

from sentilab.training import EpochMetrics, Listener, Step, resume
from sentilab.training.progress import LanguageEpoch, LanguageStep
from sentilab.tune.proposals import Hopeless


class GivenUp(Exception):
    """The median rule says that this trial is not worth going on with."""


class OutOfTime(Exception):
    """The search's time is over; the trial can go on from its state."""


class Watching:
    """Passes on what training tells, and raises GivenUp or OutOfTime between two epochs.

    ``state`` is the run's state file, ``epochs`` how many the run has, ``value_of`` the objective
    of an epoch; ``over`` says whether the time is. Never raises after the last epoch.
    """

    def __init__(
        self,
        listener: Listener,
        hopeless: Hopeless,
        state: Path,
        epochs: int,
        value_of: Callable[[EpochMetrics], float],
        over: Callable[[], bool],
    ) -> None:
        self._listener, self._hopeless, self._state = listener, hopeless, state
        self._epochs, self._value_of, self._over = epochs, value_of, over
        self.values: list[float] = []

    def on_resume(self, epochs_done: int, source: str) -> None:
        self._listener.on_resume(epochs_done, source)
        # Killed after an epoch was saved and before it was judged, it is judged now.
        judged = [self._judge(one) for one in resume.load(self._state).history]
        self._end_here(epochs_done, hopeless=bool(judged) and judged[-1])

    def on_language_step(self, step: LanguageStep) -> None:
        self._listener.on_language_step(step)

    def on_language_epoch(self, measured: LanguageEpoch, epochs: int, seconds: float) -> None:
        self._listener.on_language_epoch(measured, epochs, seconds)

    def on_pass(self, done: int, passes: int) -> None:
        self._listener.on_pass(done, passes)

    def on_step(self, step: Step) -> None:
        self._listener.on_step(step)

    def on_validate(self, epoch: int) -> None:
        self._listener.on_validate(epoch)

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        self._listener.on_epoch(metrics, epochs, seconds)
        self._end_here(metrics.epoch, hopeless=self._judge(metrics))

    def _judge(self, metrics: EpochMetrics) -> bool:
        value = self._value_of(metrics)
        self.values.append(value)
        return self._hopeless.after(metrics.epoch, value)

    def _end_here(self, epoch: int, *, hopeless: bool) -> None:
        if epoch >= self._epochs:
            return
        if hopeless:
            raise GivenUp
        if self._over():
            raise OutOfTime
