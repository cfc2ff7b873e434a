"""Texts -> integers, exactly as Keras does it."""

from sentilab.text.portrait import Portrait, portrait
from sentilab.text.words import (
    Encoding,
    Fingerprinted,
    Tokens,
    Vocabulary,
    cache_folder,
    cached_tokens,
    joined,
    tokenize,
)

__all__ = [
    "Encoding",
    "Fingerprinted",
    "Portrait",
    "Tokens",
    "Vocabulary",
    "cache_folder",
    "cached_tokens",
    "joined",
    "portrait",
    "tokenize",
]
