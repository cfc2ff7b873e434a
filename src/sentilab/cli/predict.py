"""sentilab predict"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentilab.errors import SettingsError

if TYPE_CHECKING:
    from sentilab.bundle import EngineChoice, Explanation, Predictor
    from sentilab.scoring import Progress, Scored

SHOWN_OF_TEXT = 60
STRONGEST = 10
# Where a line cannot be rewritten, one every so many seconds.
PLAIN_SECONDS = 10.0
LINE_SECONDS = 0.2


@click.command(name="predict")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1, metavar="[TEXT | -]...")
@click.option(
    "--file",
    "source",
    type=click.Path(path_type=Path),
    help="Score the rows of this file, or of each file in a folder: CSV, TSV, JSON Lines, Parquet or lines.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="With --file: where to write the scored rows (default: beside it, as NAME.scored.*).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "tsv", "jsonl", "parquet", "lines"]),
    help="What the file is (default: by its ending).",
)
@click.option("--separator", help="What separates the fields of a CSV file.")
@click.option("--text-column", help="The column that holds the texts (default: guessed).")
@click.option(
    "--prefix",
    default="",
    help="Put before the names of the columns that are added, where the file has such already.",
)
@click.option("--explain", is_flag=True, help="Add each word's weight in the answer.")
@click.option(
    "--max-rejected",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="The share of bad rows from which on the file is refused.",
)
@click.option("--restart", is_flag=True, help="Forget what was done of this job, and replace OUT.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "native", "onnx", "int8"]),
    default="auto",
    show_default=True,
    help="What computes: Sentilab's kernel, ONNX Runtime, or that with weights of 8 bits.",
)
@click.option("--threads", type=click.IntRange(0), default=0, help="Cores to use (default: all).")
@click.option(
    "--on",
    "place",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="For a folder: processes of this machine, or a Ray cluster.",
)
@click.option("--address", help="With --on ray: the cluster's address (default: one started here).")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, one line a text.")
def command(
    bundle: Path,
    texts: tuple[str, ...],
    source: Path | None,
    out: Path | None,
    engine: "EngineChoice",
    threads: int,
    explain: bool,
    as_json: bool,
    place: str,
    address: str | None,
    **options: Any,
) -> None:
    """Answer with the model in BUNDLE: each TEXT, each line of standard input (-), or a --file."""
    if bool(texts) == (source is not None):
        raise click.UsageError("Give texts (or - for standard input), or one --file.")
    from sentilab import bundle as bundles

    if source is None:
        predictor = bundles.load(bundle, engine=engine, threads=threads)
        for some in _given(texts):
            _answer(predictor, some, explain, as_json, alone=len(texts) == 1 and texts[0] != "-")
        return
    if source.is_dir():
        _score_folder(
            bundle,
            engine,
            source,
            out or _beside(source),
            explain,
            as_json,
            threads,
            place,
            address,
            options,
        )
        return
    if place != "local":
        raise SettingsError("--on ray is for a folder of files; one file is scored on one machine.")
    from sentilab.bundle.engines import cores

    threads = threads or cores()
    # Batches side by side, each on one thread, use the cores better than one batch on all.
    predictor = bundles.load(bundle, engine=engine, threads=1)
    _score(predictor, source, out or _beside(source), explain, as_json, threads, options)


def _given(texts: tuple[str, ...]) -> Iterator[list[str]]:
    """The texts, some at a time: what stands in for - comes as it is typed, or piped in."""
    plain: list[str] = []
    for text in texts:
        if text != "-":
            plain.append(text)
            continue
        if plain:
            yield plain
        plain = []
        yield from _standard_input()
    if plain:
        yield plain


def _standard_input() -> Iterator[list[str]]:
    number, rest = sys.stdin.fileno(), b""
    while block := os.read(number, 1 << 16):
        *lines, rest = (rest + block).split(b"\n")
        if some := _decoded(lines):
            yield some
    if some := _decoded([rest]):
        yield some


def _decoded(lines: list[bytes]) -> list[str]:
    texts = [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
    return [text for text in texts if text.strip()]


def _answer(
    predictor: "Predictor", texts: list[str], explain: bool, as_json: bool, alone: bool
) -> None:
    import json

    probabilities = predictor.probabilities(texts)
    decided = predictor.decide(probabilities)
    for text, row, number in zip(texts, probabilities.tolist(), decided.tolist(), strict=True):
        why = predictor.explain(text) if explain else None
        label = predictor.labels[number]
        if as_json:
            answer: dict[str, Any] = {
                "text": text,
                "label": label,
                "probability": row[number],
                "probabilities": dict(zip(predictor.labels, row, strict=True)),
            }
            if why is not None:
                answer["side"] = why.side
                answer["pieces"] = [{"text": one, "weight": weight} for one, weight in why.pieces]
            # Text that came as half a character goes as it came: escaped.
            click.echo(json.dumps(answer))
            continue
        start = "" if alone else f"   {_start_of(text)}"
        width = max(map(len, predictor.labels))
        click.echo(f"{click.style(f'{label:{width}}', bold=True)}  {row[number]:6.1%}{start}")
        if why is not None:
            _show_words(why)


def _show_words(why: "Explanation") -> None:
    words = [(weight, piece) for piece, weight in why.pieces if weight]
    click.echo(f"  words that weigh most, log odds of {why.side}:")
    for weight, piece in sorted(words, key=lambda one: -abs(one[0]))[:STRONGEST]:
        colour = "blue" if weight > 0 else "yellow"
        click.echo(f"  {click.style(f'{weight:+7.2f}', fg=colour)}  {_printable(piece)}")


def _start_of(text: str) -> str:
    shown = _printable(" ".join(text[: 2 * SHOWN_OF_TEXT].split()))
    return shown if len(shown) <= SHOWN_OF_TEXT else shown[: SHOWN_OF_TEXT - 1] + "…"


def _printable(text: str) -> str:
    """Without what could command the terminal."""
    return "".join(one if one.isprintable() else "�" for one in text)


def _beside(source: Path) -> Path:
    """reviews.csv.gz -> reviews.scored.csv.gz"""
    packed = ".gz" if source.suffix == ".gz" else ""
    plain = Path(source.name.removesuffix(packed))
    return source.with_name(f"{plain.stem}.scored{plain.suffix}{packed}")


def _score(
    predictor: "Predictor",
    source: Path,
    out: Path,
    explain: bool,
    as_json: bool,
    workers: int,
    options: dict[str, Any],
) -> None:
    from sentilab.scoring import ScoringError, score_file

    line = ProgressLine()
    try:
        scored = score_file(
            predictor,
            source,
            out,
            explain=explain,
            workers=workers,
            progress=line.show,
            **options,
        )
    except KeyboardInterrupt:
        line.clear()
        click.echo("Stopped; what is done is kept, and the same command goes on.", err=True)
        raise click.Abort from None
    except (ScoringError, SettingsError):
        line.clear()
        raise
    line.clear()
    if as_json:
        import json

        click.echo(json.dumps(_as_json(scored)))
    else:
        _say(scored, workers)


def _score_folder(
    bundle: Path,
    engine: "EngineChoice",
    source: Path,
    out: Path,
    explain: bool,
    as_json: bool,
    workers: int,
    place: str,
    address: str | None,
    options: dict[str, Any],
) -> None:
    from sentilab.scoring import Advance, Asked, on_processes, score_folder

    if place == "ray":
        from sentilab.scoring import ray_data

        run = ray_data.runner(address, workers or None)
    elif address:
        raise SettingsError("--address is a Ray cluster's; add --on ray.")
    else:
        run = on_processes(workers or None)
    restart = options.pop("restart")
    asked = Asked(bundle, engine, explain=explain, **options)
    line = ProgressLine()

    def show(advance: Advance) -> None:
        rate = f"  {advance.rows / advance.seconds:,.0f} a second" if advance.seconds > 1 else ""
        line.show_text(f"{advance.done} of {advance.files} files  {advance.rows:,} rows{rate}")

    try:
        done = score_folder(asked, source, out, run, restart=restart, progress=show)
    except KeyboardInterrupt:
        line.clear()
        click.echo("Stopped; what is done is kept, and the same command goes on.", err=True)
        raise click.Abort from None
    finally:
        line.clear()
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps({**asdict(done), "out": str(done.out)}))
        return
    click.echo(
        f"{done.out}: {done.rows:,} rows of {done.files} files scored in {_duration(done.seconds)}"
        + (f" ({done.earlier} files were done before)" if done.earlier else "")
        + "."
    )
    if done.rejected:
        click.echo(
            f"{done.rejected:,} rows were set aside, each with its reason, in *.rejected.csv there."
        )


def _as_json(scored: "Scored") -> dict[str, Any]:
    return {
        "out": str(scored.out),
        "rows": scored.rows,
        "rejected": scored.rejected,
        "rejected_out": None if scored.rejected_out is None else str(scored.rejected_out),
        "earlier": scored.earlier,
        "seconds": scored.seconds,
        "engine": scored.engine,
        "text_column": scored.text_column,
    }


def _say(scored: "Scored", workers: int) -> None:
    done = scored.rows - scored.earlier
    rate = f", {done / scored.seconds:,.0f} a second" if done and scored.seconds else ""
    click.echo(
        f'{scored.out}: {scored.rows:,} rows scored by their column "{scored.text_column}" in '
        f"{_duration(scored.seconds)}{rate}"
        + (f" ({scored.earlier:,} were done before)" if scored.earlier else "")
        + "."
    )
    if scored.rejected_out is not None:
        many = "row was" if scored.rejected == 1 else "rows were"
        click.echo(
            f"{scored.rejected:,} {many} set aside, each with its reason: {scored.rejected_out}"
        )
    click.echo(
        f"Computed by {scored.engine}" + (f", {workers} batches at once." * (workers > 1) or ".")
    )


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


class ProgressLine:
    """What a person sees while a file is scored: a line rewritten on a terminal, else one at times."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        # The first at once where it can be rewritten.
        self._next = time.monotonic() + (0.0 if self._is_terminal else PLAIN_SECONDS)
        self._is_shown = False

    def show(self, progress: "Progress") -> None:
        self.show_text(_described(progress))

    def show_text(self, line: str) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (LINE_SECONDS if self._is_terminal else PLAIN_SECONDS)
        if self._is_terminal:
            click.echo(f"\r\033[K{line}", nl=False, err=True)
            self._is_shown = True
        else:
            click.echo(line, err=True)

    def clear(self) -> None:
        if self._is_shown:
            click.echo("\r\033[K", nl=False, err=True)
            self._is_shown = False


def _described(progress: "Progress") -> str:
    parts = [f"{progress.rows:,} rows"]
    if progress.rejected:
        parts.append(f"{progress.rejected:,} set aside")
    done = progress.rows - progress.earlier
    if progress.seconds > 0:
        parts.append(f"{done / progress.seconds:,.0f} a second")
    if progress.total and progress.done:
        parts.insert(0, f"{progress.done / progress.total:4.0%}")
        # Rows before this sitting took bytes too; what is left is judged by rows.
        left = progress.rows * (progress.total / progress.done - 1)
        if done:
            parts.append(f"{_duration(left * progress.seconds / done)} left")
    return "  ".join(parts)
