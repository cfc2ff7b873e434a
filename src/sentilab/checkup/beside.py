"""What stands beside the labelled texts: other columns of a user's file, IMDB's unlabelled reviews."""

from collections.abc import Sequence
from pathlib import Path

from sentilab.checkup.material import Unlabelled
from sentilab.data import Dataset
from sentilab.data.files import LABEL_NAMES, SPLIT_NAMES
from sentilab.data.forms import Row, open_records
from sentilab.errors import DataError
from sentilab.readable import printable
from sentilab.tables import read_table


def other_columns(
    path: Path, dataset: Dataset, separator: str | None = None, label_column: str | None = None
) -> dict[str, Sequence[object]]:
    """The columns of ``path`` that are neither text, label nor split: a value for each row.

    ``dataset`` is what was read from that file; its ids tell the lines. Without ``label_column`` the
    column that holds the labels is known by its content, and by its name where several hold them.

    Raises DataError as reading the file does.
    """
    names, records, place = open_records(path, separator)
    row_of = {one: row for row, one in enumerate(dataset.ids)}
    values: dict[str, list[object]] = {name: [None] * len(dataset) for name in names}
    for record in records:
        row = row_of.get(f"{place}/{record.line}")
        if row is not None and isinstance(record, Row):
            for name in names:
                values[name][row] = record.fields.get(name)
    answers = [dataset.label_names[int(label)] for label in dataset.labels]
    holding = [name for name in names if [_label(one) for one in values[name]] == answers]
    by_name = {name.strip().lower(): name for name in reversed(holding)}
    known = (by_name[name] for name in LABEL_NAMES if name in by_name)
    label = label_column or next(known, holding[0] if holding else None)
    return {
        name: values[name]
        for name in names
        if name != label
        and name.lower() not in SPLIT_NAMES
        and not all(one == text for one, text in zip(values[name], dataset.texts, strict=True))
    }


def _label(value: object) -> str:
    """A label as reading the file spells it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def unlabelled_beside(dataset: Dataset) -> Unlabelled | None:
    """The texts of imdb-unlabelled.parquet, if it lies beside the labelled reviews.

    Raises DataError if it cannot be read.
    """
    path = dataset.home / "imdb-unlabelled.parquet" if dataset.home else None
    if path is None or not path.exists():
        return None
    import pyarrow as pa

    try:
        table = read_table(path, ["id", "text"])
        ids = [f"unlabelled/{number}" for number in table["id"].to_pylist()]
        texts = table["text"].cast(pa.large_string()).to_pylist()
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"{path}: not the unlabelled reviews ({printable(str(error))}); fetch it again."
        ) from error
    if None in texts:
        raise DataError(f"{path}: a text is missing; fetch it again.")
    return Unlabelled(ids, texts)
