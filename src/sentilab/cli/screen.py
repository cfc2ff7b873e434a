"""What a person sees while a study runs: a live line on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from sentilab.cli.live import pictured
from sentilab.engines import Outcome, Status
from sentilab.studies import Snapshot, Training
from sentilab.training import EpochMetrics, LanguageEpoch, LanguageStep, RunSettings, Step

NO_TASK = TaskID(-1)


class Screen:
    """Shows trainings one after another, or ``several`` at once. Use as a context manager."""

    def __init__(self, console: Console, *, several: bool = False) -> None:
        self.console, self._several = console, several
        self._live = Live(console=console, transient=True, auto_refresh=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "Screen":
        if not self._several:
            self._progress.start()
        elif self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        self._live.stop()

    def watch(self, snapshot: Snapshot) -> None:
        """Shows how far all is, below the lines that last."""
        if self._live.is_started:
            self._live.update(pictured(snapshot), refresh=True)

    def announce(self, training: Training, number: int, total: int) -> "TrainingLines":
        """A listener for one training of the study."""
        settings = training.settings
        self.console.print(
            f"[bold]\\[{number}/{total}] {settings.model}[/bold], batch {settings.batch_size}, "
            f"{settings.epochs} epoch{'s' if settings.epochs > 1 else ''}, seed {settings.seed}, "
            f"{settings.protocol} protocol{_fold(settings)}",
            highlight=False,
        )
        return self.follow(f"\\[{number}]")

    def follow(self, name: str) -> "TrainingLines":
        """A listener for one training that was announced already; ``name`` tells it from others."""
        if self._several:
            return TrainingLines(self.console, tag=f"{name} ")
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        task = self._progress.add_task("starting", total=None, figures="")
        return TrainingLines(self.console, self._progress, task)


def _fold(settings: RunSettings) -> str:
    said = f", fold {settings.fold} of {settings.folds}" if settings.folds else ""
    if settings.inner_folds:
        said += f", inner fold {settings.inner_fold} of {settings.inner_folds}"
    return said


class TrainingLines:
    """One training's listener: a lasting line for each epoch, and the live line where there is one.

    ``tag`` begins each line where several trainings have theirs.
    """

    def __init__(
        self,
        console: Console,
        progress: Progress | None = None,
        task: TaskID = NO_TASK,
        tag: str = "",
    ) -> None:
        self._console, self._progress, self._task, self._tag = console, progress, task, tag

    def on_resume(self, epochs_done: int, source: str) -> None:
        many = "epoch" if epochs_done == 1 else "epochs"
        self._print(f"{epochs_done} {many} already trained ({source})")

    def on_language_step(self, step: LanguageStep) -> None:
        self._show(
            description=f"  pretraining {step.epoch}/{step.epochs}",
            total=step.epochs * step.batches,
            completed=(step.epoch - 1) * step.batches + step.batch,
            figures=f"loss {step.loss:.3f} a word",
        )

    def on_language_epoch(self, measured: LanguageEpoch, epochs: int, seconds: float) -> None:
        self._print(
            f"pretraining {measured.epoch}/{epochs}  {seconds:.0f} s  loss {measured.loss:.3f} a "
            f"word  perplexity {measured.perplexity:.0f} on texts held out"
        )

    def on_pass(self, done: int, passes: int) -> None:
        self._show(description="  passes over the texts", total=passes, completed=done)

    def on_step(self, step: Step) -> None:
        self._show(
            description=f"  epoch {step.epoch}/{step.epochs}",
            total=step.epochs * step.batches,
            completed=(step.epoch - 1) * step.batches + step.batch,
            figures=f"loss {step.loss:.4f}  accuracy {step.accuracy:.4f}",
        )

    def on_validate(self, epoch: int) -> None:
        self._show(description=f"  epoch {epoch}: validating")

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        self._print(
            f"epoch {metrics.epoch}/{epochs}  {seconds:.0f} s  loss {metrics.loss:.4f}  acc "
            f"{metrics.accuracy:.4f}  val_loss {metrics.val_loss:.4f}  val_acc "
            f"{metrics.val_accuracy:.4f}"
        )

    def on_spoilt(self, outcome: Outcome, status: Status) -> None:
        """An attempt came to nothing."""
        more = "" if status.outcome is not None else " It is tried again."
        self._print(f"[yellow]{escape(outcome.reason)}{more}[/yellow]")

    def on_end(self, result: Mapping[str, Any], outcome: Outcome) -> None:
        """The training has ended; why, if it has no result."""
        # Its first line: the report has the whole.
        reason = str(outcome.reason or result.get("reason", "")).partition("\n")[0]
        if reason:
            said = result.get("status", "failed")
            self._print(f"[red]{said}[/red]: {escape(reason)}")

    def _print(self, line: str) -> None:
        self._console.print(f"  {self._tag}{line}", highlight=False, soft_wrap=True)

    def _show(self, **values: Any) -> None:
        if self._progress is not None:
            self._progress.update(self._task, **values)


@contextmanager
def download_progress(console: Console) -> Iterator[Callable[[int, int | None], None]]:
    """A callback (bytes done, bytes in all) that shows a bar from its first call on."""
    progress = Progress(
        TextColumn("Downloading the IMDB reviews"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    task = None

    def show(done: int, total: int | None) -> None:
        nonlocal task
        if task is None:
            progress.start()
            task = progress.add_task("download", total=total)
        progress.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        progress.stop()
