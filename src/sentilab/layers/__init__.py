"""Keras's Embedding, LSTM, Bidirectional and Dense, computed by the fused kernel where it can be.

They take the same arguments, hold the same weights and are saved under Keras's own names: stock
Keras loads their models, and ``load_model`` here loads stock Keras's.
"""

from sentilab.layers.combination import Combination
from sentilab.layers.convolution import Conv1D
from sentilab.layers.dense import Dense
from sentilab.layers.embedding import Embedding
from sentilab.layers.hashing import HashedNgrams
from sentilab.layers.join import JoinKind, JoinNgrams
from sentilab.layers.lstm import LSTM, Bidirectional
from sentilab.layers.ngrams import Ngrams, NgramSums
from sentilab.layers.path import (
    FusedKernelsUnavailable,
    KernelChoice,
    Precision,
    PrecisionUnavailable,
    choosing,
    here,
    load_model,
    lstm_path,
    lstm_paths,
    require_fused,
    safely,
)
from sentilab.layers.pooling import Pooling, PoolingKind
from sentilab.layers.reencoding import Reencoding
from sentilab.layers.word_dropout import WordDropout

__all__ = [
    "LSTM",
    "Bidirectional",
    "Combination",
    "Conv1D",
    "Dense",
    "Embedding",
    "FusedKernelsUnavailable",
    "HashedNgrams",
    "JoinKind",
    "JoinNgrams",
    "KernelChoice",
    "NgramSums",
    "Ngrams",
    "Pooling",
    "PoolingKind",
    "Precision",
    "PrecisionUnavailable",
    "Reencoding",
    "WordDropout",
    "choosing",
    "here",
    "load_model",
    "lstm_path",
    "lstm_paths",
    "require_fused",
    "safely",
]
