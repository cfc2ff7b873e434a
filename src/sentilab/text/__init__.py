"""Texts -> integers, exactly as Keras does it."""

from sentilab.text.portrait import Portrait, portrait
from sentilab.text.words import (
    Encoding,
    Tokens,
    Vocabulary,
    cache_folder,
    cached_tokens,
    tokenize,
)

__all__ = [
    "Encoding",
    "Portrait",
    "Tokens",
    "Vocabulary",
    "cache_folder",
    "cached_tokens",
    "portrait",
    "tokenize",
]
