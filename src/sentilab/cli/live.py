"""A study's progress as a person sees it, in the command that runs it and in `sentilab watch`."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sentilab.studies import Snapshot

SHOWN_RUNNING = 20
SHOWN_FAILURES = 3
# So long that with the words beside it a line fits into 80 columns.
BAR = 12
# Seconds of silence from which on it is worth a word.
SILENT = 30.0


def pictured(snapshot: Snapshot) -> RenderableType:
    """Trainings under way, how many have ended, the best so far, the time left, and what failed."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    for _ in range(6):
        table.add_column(no_wrap=True)
    notes = []
    for one in snapshot.running[:SHOWN_RUNNING]:
        table.add_row(
            Text(one.worker, style="dim"),
            f"{one.model}, seed {one.seed}",
            ProgressBar(total=1.0, completed=one.share, width=BAR),
            f"epoch {one.epoch}/{one.epochs}" if one.epoch else "starting",
            "" if one.accuracy is None else f"acc {one.accuracy:.4f}",
            Text(duration(one.seconds), style="dim"),
        )
        words = [f"attempt {one.attempt}"] if one.attempt > 1 else []
        if one.silent > SILENT:
            words.append(f"silent for {duration(one.silent)}")
        if words:
            notes.append(Text(f"{one.worker}: {', '.join(words)}", style="yellow"))
    left = len(snapshot.running) - SHOWN_RUNNING
    if left > 0:
        table.add_row("", f"and {left} more")
    ended = snapshot.finished + snapshot.refused + snapshot.failed
    words = [f"[bold]{ended} of {snapshot.trainings}[/bold] trainings"]
    if snapshot.failed:
        words.append(f"[red]{snapshot.failed} failed[/red]")
    if snapshot.refused:
        words.append(f"{snapshot.refused} cannot train")
    if snapshot.spoilt:
        spoilt = ", ".join(f"{times} {how}" for how, times in sorted(snapshot.spoilt.items()))
        words.append(f"[yellow]attempts in vain: {spoilt}[/yellow]")
    words.append(duration(snapshot.seconds))
    if snapshot.left is not None and ended < snapshot.trainings:
        words.append(f"about {duration(snapshot.left)} left")
    lines: list[RenderableType] = [Text.from_markup(" · ".join(words))]
    if snapshot.running:
        lines[:0] = [table, *notes]
    if snapshot.best is not None:
        best = snapshot.best
        lines.append(
            Text.from_markup(
                f"best so far: {best['val_accuracy']:.4f} on validation texts, {escape(best['run'])}"
            )
        )
    # That a model cannot train is a finding of many studies, and no failure.
    failed = [one for one in snapshot.failures if one["status"] == "failed"]
    for one_failed in failed[-SHOWN_FAILURES:]:
        reason = one_failed["reason"].partition("\n")[0]
        said = f"[red]failed[/red] {escape(one_failed['run'])}: {escape(reason)}"
        line = Text.from_markup(said, overflow="ellipsis")
        line.no_wrap = True
        lines.append(line)
    return Group(*lines)


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, or 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
