"""Train, compare, explain and ship small text classifiers.

    import sentilab

    results = sentilab.run_study("homework", only=["mlp-1-epoch-*"])
    classifier = sentilab.SentimentClassifier(model="mlp").fit(texts, labels)
    labels = sentilab.load_bundle("imdb-bilstm2.zip").predict(texts)

Every name below is loaded when it is first used: importing sentilab costs nothing. Keras runs on
JAX unless the environment variable KERAS_BACKEND says otherwise.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Keras runs on JAX unless the user has chosen another backend; it reads this when it is imported.
os.environ.setdefault("KERAS_BACKEND", "jax")

if TYPE_CHECKING:
    from sentilab.bundle import Predictor as Predictor
    from sentilab.bundle import load as load_bundle
    from sentilab.checkup import check_data as check_data
    from sentilab.data import Dataset as Dataset
    from sentilab.data import load as load_data
    from sentilab.errors import SentilabError as SentilabError
    from sentilab.estimator import SentimentClassifier as SentimentClassifier
    from sentilab.models import build as build_model
    from sentilab.models import register as register_model
    from sentilab.models.summary import summary as model_summary
    from sentilab.report import write as write_report
    from sentilab.studies import read_results as read_results
    from sentilab.training import EarlyStopping as EarlyStopping
    from sentilab.training import RunSettings as RunSettings
    from sentilab.workbench import make_bundle as make_bundle
    from sentilab.workbench import run_study as run_study
    from sentilab.workbench import train as train

_HOMES = {
    "Dataset": ("sentilab.data", "Dataset"),
    "EarlyStopping": ("sentilab.training", "EarlyStopping"),
    "Predictor": ("sentilab.bundle", "Predictor"),
    "RunSettings": ("sentilab.training", "RunSettings"),
    "SentilabError": ("sentilab.errors", "SentilabError"),
    "SentimentClassifier": ("sentilab.estimator", "SentimentClassifier"),
    "build_model": ("sentilab.models", "build"),
    "check_data": ("sentilab.checkup", "check_data"),
    "load_bundle": ("sentilab.bundle", "load"),
    "load_data": ("sentilab.data", "load"),
    "make_bundle": ("sentilab.workbench", "make_bundle"),
    "model_summary": ("sentilab.models", "summary"),
    "read_results": ("sentilab.studies", "read_results"),
    "register_model": ("sentilab.models", "register"),
    "run_study": ("sentilab.workbench", "run_study"),
    "train": ("sentilab.workbench", "train"),
    "write_report": ("sentilab.report", "write"),
}

__all__ = [
    "Dataset",
    "EarlyStopping",
    "Predictor",
    "RunSettings",
    "SentilabError",
    "SentimentClassifier",
    "__version__",
    "build_model",
    "check_data",
    "load_bundle",
    "load_data",
    "make_bundle",
    "model_summary",
    "read_results",
    "register_model",
    "run_study",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sentilab' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
