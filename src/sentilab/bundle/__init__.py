"""Trained models as one folder or .zip that answers without the training stack.

``load`` gives a Predictor and needs NumPy alone (and ONNX Runtime where the compiled kernel cannot
compute the model); ``build_bundle`` makes a bundle of a finished run and needs all that training needs.
"""

import importlib
from typing import TYPE_CHECKING, Any

from sentilab.bundle.engines import EngineChoice
from sentilab.bundle.format import Bundle, BundleError, Manifest
from sentilab.bundle.predictor import Explanation, Predictor, load

if TYPE_CHECKING:
    from sentilab.bundle.build import Built as Built
    from sentilab.bundle.build import build_bundle as build_bundle
    from sentilab.bundle.onnx_graph import NotExportable as NotExportable

# Imported when they are first asked for: they need Keras.
_HOMES = {
    "Built": "sentilab.bundle.build",
    "NotExportable": "sentilab.bundle.onnx_graph",
    "build_bundle": "sentilab.bundle.build",
}

__all__ = [
    "Built",
    "Bundle",
    "BundleError",
    "EngineChoice",
    "Explanation",
    "Manifest",
    "NotExportable",
    "Predictor",
    "build_bundle",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sentilab.bundle' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
