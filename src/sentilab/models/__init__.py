"""A name and settings -> a Keras model. Keras itself is imported when a model is built."""

from sentilab.models import (  # noqa: F401  # importing registers the built-in models
    averaging,
    bilstm,
    characters,
    convolution,
    documents,
    ensemble,
    fasttext,
    logistic,
    majority,
    mlp,
    naive_bayes,
    recurrent,
)
from sentilab.models.anatomy import Anatomy, LayerAnatomy, anatomy, require_trainable
from sentilab.models.backend import import_keras, load, lstm_path, require_fused_kernel
from sentilab.models.head import head
from sentilab.models.padding import ignores_padding
from sentilab.models.registry import (
    Task,
    build,
    check_settings,
    describe,
    load_models_from,
    names,
    register,
    solve,
)
from sentilab.models.space import Choices, Range, Space
from sentilab.models.summary import summary

__all__ = [
    "Anatomy",
    "Choices",
    "LayerAnatomy",
    "Range",
    "Space",
    "Task",
    "anatomy",
    "build",
    "check_settings",
    "describe",
    "head",
    "ignores_padding",
    "import_keras",
    "load",
    "load_models_from",
    "lstm_path",
    "names",
    "register",
    "require_fused_kernel",
    "require_trainable",
    "solve",
    "summary",
]
