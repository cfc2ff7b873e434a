"""The command line: one short file a command, imported only when that command is called."""

import errno
import importlib
import re
import sys

import click

from sentilab import __version__, interrupts
from sentilab.errors import SentilabError

# What a machine refuses: no room, or no right, to write or read; or something is in the way.
_REFUSALS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EMFILE),
)

COMMANDS = {
    "study": "Run a whole study and write its report.",
    "train": "Train one model on a data set or on your own file.",
    "summary": "Show a model's layers, parameter arithmetic and shapes.",
    "models": "List the models.",
    "data": "Load data and say what they are: sizes, labels, rejected rows, repeats.",
    "check": "Look for what is wrong with data: repeats, leaks, damage, uneven labels.",
    "doctor": "Say which LSTM runs here, and why, and where IMDB's reviews were found.",
    "tune": "Search for the settings that suit a model and your data best.",
    "ensemble": "Make one model of several finished runs.",
    "crossvalidate": "Test on every text: each fold by models that were trained on the others.",
    "compare": "Say whether one setting does better than another, over seeds and test texts.",
    "probe": "Find out what trained models have learned beside one accuracy.",
    "explain": "Show what each word of a text does to a model's answer.",
    "status": "Say how far studies are.",
    "watch": "Show a study's progress while another command carries it out.",
    "track": "Record finished runs in MLflow, or for TensorBoard.",
    "report": "Write a study's report again from its run folders.",
    "export": "Make a bundle, an ONNX file, a web page or a hub folder of a trained model.",
    "predict": "Label texts, or whole files, with a bundle.",
    "serve": "Answer over HTTP with one or several bundles, and show a page.",
}


class LazyGroup(click.Group):
    """Knows its commands by name and loads one when it is called, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"sentilab.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sentilab")
def cli() -> None:
    """Train, compare, explain and ship small text classifiers.

    Start with `sentilab study homework`, or with `sentilab train --data reviews.csv`.
    """


def main() -> None:
    """The entry point: errors that a user can mend are printed without a traceback."""
    try:
        with interrupts.heeded():
            cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SentilabError as error:
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {error}", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        extra = _extra_with(error.name or "")
        if not extra:
            raise
        click.echo(
            f"{click.style('Error:', fg='red', bold=True)} {error.name} is not installed, which this "
            f'command needs.\n  Install it with: pip install "sentilab[{extra}]"',
            err=True,
        )
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        click.echo(
            f"{click.style('Error:', fg='red', bold=True)} {where}{error.strerror}.\n"
            "  What is done is kept; once that is mended, the same command goes on.",
            err=True,
        )
        sys.exit(1)


def _extra_with(module: str) -> str:
    """The extra of Sentilab's that brings a missing module; "" for none."""
    from importlib import metadata

    top = module.partition(".")[0].replace("_", "-").lower()
    packages = {
        "sklearn": "scikit-learn",
        "vl-convert": "vl-convert-python",
        "mlflow": "mlflow-skinny",
    }
    wanted = packages.get(top, top)
    for requirement in metadata.requires("sentilab") or ():
        name, _, marker = requirement.partition(";")
        if re.split(r"[^A-Za-z0-9-]", name.strip())[0].lower() == wanted and "extra ==" in marker:
            return marker.rpartition("extra ==")[2].strip(" \"'")
    return ""
