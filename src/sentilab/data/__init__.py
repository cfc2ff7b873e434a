"""A name or a path -> labelled texts."""

from sentilab.data.dataset import Dataset, Rejected
from sentilab.data.sources import is_imdb, load
from sentilab.data.splits import Partition, partition

__all__ = ["Dataset", "Partition", "Rejected", "is_imdb", "load", "partition"]
