"""sentilab export"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentilab.cli import options
from sentilab.errors import SettingsError

if TYPE_CHECKING:
    from sentilab.bundle import Built, Manifest

FORMS = ("bundle", "onnx", "web", "hub")


@click.command(name="export")
@click.argument(
    "models",
    metavar="MODEL [MODEL ...]",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--to",
    "form",
    type=click.Choice(FORMS),
    default="bundle",
    show_default=True,
    help="bundle: all that prediction needs. onnx: one file for ONNX Runtime. web: a page that "
    "computes in the browser. hub: a folder for the Hugging Face Hub.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="What to write; a bundle is one file if this ends in .zip.  [default: the model's name, "
    "with -web, -hub or .onnx behind it]",
)
@click.option("--name", help="What the model is to be called.  [default: data and family]")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Of two labels, the second is answered where its calibrated probability is above this.",
)
@click.option("--int8", is_flag=True, help="Add a graph with 8-bit weights, and what it costs.")
@click.option("--keras", is_flag=True, help="Add the .keras file.")
@click.option("--license", help="The licence that the model card names, as in apache-2.0.")
@click.option(
    "--push", metavar="OWNER/NAME", help="With --to hub: create or update this repository."
)
@click.option(
    "--push-space", metavar="OWNER/NAME", help="The same for the page, a Space of its own."
)
@click.option("--private", is_flag=True, help="With --push: repositories that only you see.")
@click.option(
    "--space/--no-space", default=True, show_default=True, help="With --to hub: a page of its own."
)
@click.option(
    "--runtime",
    type=click.Path(exists=True, path_type=Path),
    help="With web and hub: onnxruntime-web's package or its folder, in place of fetching it.",
)
@click.option(
    "--data", "where", help="Where the data lie, if not where they are looked for by themselves."
)
@options.models_from
@options.data_options
def command(
    models: tuple[Path, ...],
    form: str,
    out: Path | None,
    push: str | None,
    push_space: str | None,
    private: bool,
    space: bool,
    runtime: Path | None,
    where: str | None,
    models_from: tuple[Path, ...],
    name: str | None,
    threshold: float,
    int8: bool,
    keras: bool,
    license: str | None,
    **reading: Any,
) -> None:
    """Write trained models in a form that is used without what they were trained with.

    MODEL is a finished run's folder, or a bundle (for web and hub). Only a page shows several.
    """
    if len(models) > 1 and form != "web":
        raise click.UsageError(f"--to {form} takes one model; a page (--to web) takes several.")
    if push and form != "hub":
        raise click.UsageError("--push goes with --to hub.")
    if push_space and not (push and space):
        raise click.UsageError("--push-space goes with --push, and not with --no-space.")
    making = {
        "name": name,
        "threshold": threshold,
        "int8": int8,
        "keras": keras or form == "hub",
        "license": license,
    }
    options.load_models(models_from)
    if form == "bundle":
        _say_bundle(_built(models[0], out, where, reading, making))
    elif form == "onnx":
        _onnx(models[0], out, where, reading)
    elif form == "web":
        _web(models, out, where, reading, making, runtime)
    else:
        path = _hub(models[0], out, where, reading, making, space, runtime)
        if push:
            from sentilab.bundle import hub

            click.echo(f"Pushed: {hub.push(path, push, private=private, space=push_space)}")


def _built(
    run: Path, out: Path | None, where: str | None, reading: dict[str, Any], making: dict[str, Any]
) -> "Built":
    from sentilab.bundle import build_bundle

    if _is_bundle(run):
        raise SettingsError(f"{run}: this is a bundle already; name a finished run's folder.")
    subject = _subject(run, where, reading)
    path = out or Path(making["name"] or f"{subject.dataset.name}-{subject.settings.model}")
    return build_bundle(subject, path, **making)


def _subject(run: Path, where: str | None, reading: dict[str, Any]) -> Any:
    from sentilab import workbench

    found = workbench.finished_run(run)
    subjects = workbench.Subjects(lambda source: options.load_data(source, where, **reading))
    return subjects.of(found)


def _is_bundle(path: Path) -> bool:
    from sentilab.bundle.format import MANIFEST

    return path.suffix == ".zip" or (path / MANIFEST).is_file()


def _onnx(run: Path, out: Path | None, where: str | None, reading: dict[str, Any]) -> None:
    from sentilab import atomic
    from sentilab.bundle.build import TEXTS, check_onnx_file, onnx_file

    subject = _subject(run, where, reading)
    content = onnx_file(subject)
    largest = check_onnx_file(subject, content)
    path = out or Path(f"{subject.dataset.name}-{subject.settings.model}.onnx")
    atomic.write_bytes(path, content)
    labels = ", ".join(subject.classifier.label_names)
    click.echo(f"{path}: {len(content) / 1e6:.1f} MB. ids (texts, tokens) of int32 in,")
    click.echo(f"probabilities (texts, labels) out, not calibrated; labels: {labels}.")
    click.echo(f"On {TEXTS:,} test texts it differs from the Keras model by at most {largest:.1e}.")
    click.echo("Vocabulary, labels and length stand in the file's metadata.")


def _web(
    models: tuple[Path, ...],
    out: Path | None,
    where: str | None,
    reading: dict[str, Any],
    making: dict[str, Any],
    runtime: Path | None,
) -> None:
    import tempfile

    from sentilab.bundle.web import export_web

    with tempfile.TemporaryDirectory() as folder:
        bundles = [
            one
            if _is_bundle(one)
            else _built(one, Path(folder) / str(number), where, reading, making).path
            for number, one in enumerate(models)
        ]
        path = out or Path(f"{_name_of(bundles[0])}-web")
        export_web(bundles, path, runtime=runtime)
    click.echo(f"{path}: a page that computes in the browser; any web server can show it.")
    click.echo(f"Try it: python -m http.server --directory {path}")


def _hub(
    model: Path,
    out: Path | None,
    where: str | None,
    reading: dict[str, Any],
    making: dict[str, Any],
    space: bool,
    runtime: Path | None,
) -> Path:
    import tempfile

    from sentilab.bundle import hub

    with tempfile.TemporaryDirectory() as folder:
        bundle = model
        if not _is_bundle(model):
            bundle = _built(model, Path(folder) / "bundle", where, reading, making).path
        path = out or Path(f"{_name_of(bundle)}-hub")
        hub.export_hub(bundle, path, space=space, runtime=runtime)
    click.echo(f"{path}: can be pushed to the Hugging Face Hub as it stands.")
    return path


def _name_of(bundle: Path) -> str:
    from sentilab.bundle import Bundle

    return Bundle(bundle).manifest.name


def _say_bundle(built: "Built") -> None:
    manifest = built.manifest
    click.echo(f"{built.path}: {built.size / 1e6:.1f} MB, labels {', '.join(manifest.labels)}.")
    click.echo(_parity(manifest))
    if manifest.temperature is None:
        click.echo(f"Probabilities are not calibrated: {manifest.uncalibrated}.")
    else:
        click.echo(f"Probabilities are calibrated, temperature {manifest.temperature:.2f}.")
    click.echo(f'Try it: sentilab predict {built.path} "I would gladly see it again."')


def _parity(manifest: "Manifest") -> str:
    names = {"onnx": "ONNX Runtime", "native": "Sentilab's kernel", "int8": "8-bit weights"}
    parity = manifest.parity
    differences = ", ".join(
        f"{title} {parity[form]:.1e}" for form, title in names.items() if form in parity
    )
    said = (
        f"Largest difference in probability from the Keras model on {parity['texts']:,} test texts: "
        f"{differences}."
    )
    if "int8" in parity:
        low, high = (100 * one for one in parity["int8_interval"])
        said += (
            f"\n8-bit weights change the accuracy by {100 * parity['int8_difference']:+.2f} points "
            f"(95% interval {low:+.2f} to {high:+.2f}, {parity['int8_texts']:,} test texts)."
        )
    return said
