"""A name or a path -> labelled texts."""

from sentilab.data.dataset import Dataset, Rejected
from sentilab.data.sources import contrast_pairs, is_imdb, leave_out, load
from sentilab.data.splits import Partition, partition, repeat_groups
from sentilab.data.unlabelled import Unlabelled, unlabelled

__all__ = [
    "Dataset",
    "Partition",
    "Rejected",
    "Unlabelled",
    "contrast_pairs",
    "is_imdb",
    "leave_out",
    "load",
    "partition",
    "repeat_groups",
    "unlabelled",
]
