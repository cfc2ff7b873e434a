"""Which form a file has, by its name or as said, and the code that reads or writes it."""

from dataclasses import dataclass
from pathlib import Path

from sentilab.errors import SettingsError
from sentilab.scoring.answers import Naming
from sentilab.scoring.plain import JsonLines, PlainLines
from sentilab.scoring.records import Source
from sentilab.scoring.separated import Separated
from sentilab.scoring.sinks import (
    JsonAnew,
    JsonAsItStands,
    Packed,
    PlainWithAnswers,
    SeparatedAnew,
    SeparatedAsItStands,
    Sink,
)

NAMES = ("csv", "tsv", "jsonl", "parquet", "lines")
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "lines",
}


@dataclass(frozen=True)
class Form:
    """``name`` is one of ``NAMES``; ``separator`` that of CSV or TSV, else ""."""

    name: str
    separator: str = ""
    packed: bool = False


def form_of(path: Path, name: str | None = None, separator: str | None = None) -> Form:
    """The form of the file at ``path``: as its ending says, or as ``name`` does.

    Raises SettingsError where neither tells, and for Parquet packed with gzip.
    """
    packed = path.suffix.lower() == ".gz"
    ending = Path(path.stem).suffix if packed else path.suffix
    known = name or SUFFIXES.get(ending.lower()) or ("csv" if separator else "")
    if not known:
        raise SettingsError(
            f'{path}: files ending in "{ending}" are not known. Known are {", ".join(SUFFIXES)}, '
            "each but Parquet\n  also with .gz; or say what it is: --format " + "|".join(NAMES)
        )
    if known == "parquet" and packed:
        raise SettingsError(f"{path}: Parquet is packed already; unpack the .gz first.")
    usual = {"csv": ",", "tsv": "\t"}.get(known, "")
    separator = "\t" if separator in ("\\t", "tab") else separator
    return Form(known, (separator or usual) if usual else "", packed)


def out_form(path: Path, source: Form) -> Form:
    """The form of the file to be written: as its ending says, else that of the input."""
    packed = path.suffix.lower() == ".gz"
    ending = (Path(path.stem).suffix if packed else path.suffix).lower()
    name = SUFFIXES.get(ending, source.name)
    if name == source.name:
        return Form(name, source.separator, packed and name != "parquet")
    return Form(name, {"csv": ",", "tsv": "\t"}.get(name, ""), packed and name != "parquet")


def open_source(path: Path, form: Form, text_column: str | None, naming: Naming) -> Source:
    """Raises DataError or SettingsError if the file cannot be used."""
    if form.name == "parquet":
        from sentilab.scoring.tables import Table

        return Table(path, text_column)
    if form.name == "jsonl":
        return JsonLines(path, form.packed, text_column, naming.names)
    if form.name == "lines":
        return PlainLines(path, form.packed, text_column)
    return Separated(path, form.packed, form.separator, text_column)


def open_sink(source: Source, given: Form, wanted: Form, naming: Naming) -> Sink:
    """Raises SettingsError if answers would be called as a column of the source is, or the rows
    cannot be written as plain lines.
    """
    clash = [name for name in naming.names if name in source.columns]
    if clash:
        raise SettingsError(
            f'The file has a column "{clash[0]}" already, which an answer would be called.\n'
            "  Have the answers' names begin otherwise: --prefix predicted_"
        )
    sink = _sink(source, given, wanted, naming)
    return Packed(sink) if wanted.packed else sink


def _sink(source: Source, given: Form, wanted: Form, naming: Naming) -> Sink:
    if wanted.name == "parquet":
        from sentilab.scoring.tables import TableSink

        return TableSink(source, naming)
    if wanted.name == "lines":
        if given.name != "lines":
            raise SettingsError(
                "Rows with columns cannot be written as plain lines; let the output end in "
                ".csv, .jsonl or .parquet."
            )
        return PlainWithAnswers(naming)
    if wanted.name == "jsonl":
        return JsonAsItStands(naming) if given.name == "jsonl" else JsonAnew(source, naming)
    if isinstance(source, Separated) and source.separator == wanted.separator:
        return SeparatedAsItStands(source, naming)
    return SeparatedAnew(source, naming, wanted.separator)
