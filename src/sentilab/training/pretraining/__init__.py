"""A language model's weights as the start of a classifier: texts without labels teach it the words.

The forward half of a bidirectional LSTM learns to tell the next word, its backward half the word
before; with one layer neither sees what the other reads. No label enters, and no text that is
validated or tested on.

Sources: Dai and Le (2015); Miyato, Dai and Goodfellow (2017), section 4.2.
"""

from sentilab.training.pretraining.corpus import Corpus, corpus_of
from sentilab.training.pretraining.starting import load_into, pretrained_for, sizes_of
from sentilab.training.pretraining.work import Pretrained, expected_seconds, pretrain

__all__ = [
    "Corpus",
    "Pretrained",
    "corpus_of",
    "expected_seconds",
    "load_into",
    "pretrain",
    "pretrained_for",
    "sizes_of",
]
