"""Keras's Embedding, LSTM, Bidirectional and Dense, computed by the fused kernel where it can be.

They take the same arguments, hold the same weights and are saved under Keras's own names: stock
Keras loads their models, and ``load_model`` here loads stock Keras's.
"""

from sentilab.layers.dense import Dense
from sentilab.layers.embedding import Embedding
from sentilab.layers.lstm import LSTM, Bidirectional
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
)

__all__ = [
    "LSTM",
    "Bidirectional",
    "Dense",
    "Embedding",
    "FusedKernelsUnavailable",
    "KernelChoice",
    "Precision",
    "PrecisionUnavailable",
    "choosing",
    "here",
    "load_model",
    "lstm_path",
    "lstm_paths",
    "require_fused",
]
