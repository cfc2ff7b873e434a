"""What is wrong with these data, or worth knowing before one trains on them."""

from sentilab.checkup.beside import other_columns, unlabelled_beside
from sentilab.checkup.check import check_data
from sentilab.checkup.finding import Checkup, Example, Finding, Passage, Severity, Table
from sentilab.checkup.material import Unlabelled

__all__ = [
    "Checkup",
    "Example",
    "Finding",
    "Passage",
    "Severity",
    "Table",
    "Unlabelled",
    "check_data",
    "other_columns",
    "unlabelled_beside",
]
