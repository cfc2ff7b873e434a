"""What a person sees while a study runs: a live line on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
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

from sentilab.studies import Training
from sentilab.training import EpochMetrics, LanguageEpoch, LanguageStep, RunSettings, Step


class Screen:
    """Shows trainings one after another. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
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
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def announce(self, training: Training, number: int, total: int) -> "TrainingLines":
        """A listener for one training of the study."""
        settings = training.settings
        self.console.print(
            f"[bold]\\[{number}/{total}] {settings.model}[/bold], batch {settings.batch_size}, "
            f"{settings.epochs} epoch{'s' if settings.epochs > 1 else ''}, seed {settings.seed}, "
            f"{settings.protocol} protocol{_fold(settings)}",
            highlight=False,
        )
        return self.follow()

    def follow(self) -> "TrainingLines":
        """A listener for one training that was announced already."""
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
    """One training's listener: the live line, and a lasting line for each epoch."""

    def __init__(self, console: Console, progress: Progress, task: TaskID) -> None:
        self._console, self._progress, self._task = console, progress, task

    def on_resume(self, epochs_done: int, source: str) -> None:
        many = "epoch" if epochs_done == 1 else "epochs"
        self._console.print(
            f"  {epochs_done} {many} already trained ({source})", highlight=False, soft_wrap=True
        )

    def on_language_step(self, step: LanguageStep) -> None:
        self._progress.update(
            self._task,
            description=f"  pretraining {step.epoch}/{step.epochs}",
            total=step.epochs * step.batches,
            completed=(step.epoch - 1) * step.batches + step.batch,
            figures=f"loss {step.loss:.3f} a word",
        )

    def on_language_epoch(self, measured: LanguageEpoch, epochs: int, seconds: float) -> None:
        self._console.print(
            f"  pretraining {measured.epoch}/{epochs}  {seconds:.0f} s  loss {measured.loss:.3f} a "
            f"word  perplexity {measured.perplexity:.0f} on texts held out",
            highlight=False,
        )

    def on_pass(self, done: int, passes: int) -> None:
        self._progress.update(
            self._task, description="  passes over the texts", total=passes, completed=done
        )

    def on_step(self, step: Step) -> None:
        self._progress.update(
            self._task,
            description=f"  epoch {step.epoch}/{step.epochs}",
            total=step.epochs * step.batches,
            completed=(step.epoch - 1) * step.batches + step.batch,
            figures=f"loss {step.loss:.4f}  accuracy {step.accuracy:.4f}",
        )

    def on_validate(self, epoch: int) -> None:
        self._progress.update(self._task, description=f"  epoch {epoch}: validating")

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        self._console.print(
            f"  epoch {metrics.epoch}/{epochs}  {seconds:.0f} s  loss {metrics.loss:.4f}  acc "
            f"{metrics.accuracy:.4f}  val_loss {metrics.val_loss:.4f}  val_acc "
            f"{metrics.val_accuracy:.4f}",
            highlight=False,
        )


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
