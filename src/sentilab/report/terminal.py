"""The study's outcome as a compact table for a terminal."""

from rich import box
from rich.table import Table

from sentilab.report.document import STATUS
from sentilab.report.reading import gather
from sentilab.report.sentences import duration, figure, points
from sentilab.studies import StudyResults


def compact_table(results: StudyResults) -> Table:
    """One line a setting: accuracy with half its 95% interval, beside the notebook's figure."""
    table = Table(box=box.SIMPLE_HEAD, title=results.title, title_justify="left", pad_edge=False)
    table.add_column("run")
    for name in ("parameters", "epochs", "accuracy", "notebook", "differs", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for protocol in results.protocols:
        if len(results.protocols) > 1:
            table.add_section()
            table.add_row(f"[bold]{protocol} protocol[/bold]")
        for group in gather(results, protocol).values():
            run, recorded = group.first, group.first.recorded
            size = f"{run.parameters:,}" if run.parameters else ""
            told = figure(recorded.accuracy) if recorded and recorded.accuracy else ""
            if not group.finished:
                table.add_row(group.title, size, "", STATUS[run.status], told)
                continue
            half = 100 * (group.interval.high - group.interval.low) / 2
            differs = points(group.accuracy - recorded.accuracy) if recorded and told else ""  # type: ignore[operator]
            table.add_row(
                group.title,
                size,
                str(len(run.history)),
                f"{figure(group.accuracy)} ± {half / 100:.4f}",
                told,
                differs,
                duration(group.seconds),
            )
    table.caption = (
        "± is half a 95% interval, over "
        + ("test texts" if len(results.seeds) == 1 else "seeds")
        + "; differences are in points"
    )
    table.caption_justify = "left"
    return table
