"""A finished run as a bundle: its model in every form, each held against the Keras model's answers."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab import __version__, kernels
from sentilab.bundle import card, engines, format, predictor
from sentilab.bundle.format import Manifest
from sentilab.bundle.layers import layers_of, weights_of
from sentilab.bundle.onnx_graph import onnx_graph
from sentilab.bundle.onnx_nodes import EXACT
from sentilab.errors import SentilabError, SettingsError
from sentilab.probe import Classifier, Subject, calibration
from sentilab.text import Vocabulary
from sentilab.text.words import TOKENISER_VERSION

# On so many test texts are the forms compared; the 8-bit one, whose labels may change, on all.
TEXTS = 1_000
# So many show whether padding may be cropped, whole and cut down to a few tokens.
CROPPED = 16
# Computed at once, which bounds the memory that it takes.
TOKENS = 50_000

# Float32 arithmetic in another order; a gate in the wrong place moves answers by tenths.
TOLERANCE = 1e-5

# Written for the purpose, so that a bundle shows none of its training texts.
_GOLDEN = (
    "",
    "good",
    "bad",
    "not bad at all!",
    "A film that I would gladly see again; the story is told with warmth and wit.",
    "I have rarely been so bored. Two hours of my life, and nothing to show for them...",
    "Qué película más rara. 映画はとても良かった。 ΟΔΥΣΣΕΥΣ İstanbul 🎬",
)


@dataclass(frozen=True)
class Built:
    """The bundle written, and its size in bytes."""

    path: Path
    manifest: Manifest
    size: int


def build_bundle(
    subject: Subject,
    path: Path,
    *,
    name: str | None = None,
    threshold: float = 0.5,
    int8: bool = False,
    keras: bool = False,
    license: str | None = None,
) -> Built:
    """Writes the model of a finished run as a bundle to ``path``, a folder or a .zip.

    ``threshold``: the calibrated probability of the second label above which it is answered.
    ``int8``: with a graph whose weights have 8 bits, which models over n-grams cannot have. ``keras``: with the .keras file.
    Nothing is written unless all forms answer as the Keras model does.

    Raises NotExportable for a model that cannot become ONNX, SentilabError if onnx or onnxruntime is
    missing or a form answers differently, SettingsError for a threshold outside of 0 to 1 or one
    for more than two labels, and for ``int8`` where it makes no sense.
    """
    _require_onnx()
    classifier = subject.classifier
    labels = classifier.label_names
    if not 0 <= threshold <= 1:
        raise SettingsError(f"The threshold is {threshold}; it must lie between 0 and 1.")
    if len(labels) > 2 and threshold != 0.5:
        raise SettingsError(f"A threshold is for two labels, and this model has {len(labels)}.")
    name = name or f"{subject.dataset.name}-{subject.settings.model}"
    contents = {
        format.ONNX: onnx_file(subject),
        format.WEIGHTS: _weights(classifier.model),
        format.VOCABULARY: classifier.vocabulary.to_json().encode(),
        format.PROVENANCE: _provenance(subject),
    }
    if int8:
        contents[format.INT8] = _quantised(contents[format.ONNX])
    if keras:
        contents[format.KERAS] = subject.run.model.read_bytes()
    temperature = calibration.measure(subject)
    manifest = Manifest(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        sentilab=__version__,
        tokeniser=TOKENISER_VERSION,
        family=subject.settings.model,
        settings=dict(subject.settings.model_settings),
        layers=layers_of(classifier.model),
        labels=labels,
        encoding=classifier.vocabulary.encoding,
        temperature=temperature.temperature,
        uncalibrated=temperature.not_fitted,
        threshold=threshold,
        parity={},
        files={},
    )
    manifest = replace(manifest, ignores_padding=_ignores_padding(subject, manifest, contents))
    manifest = replace(manifest, parity=_parity(subject, manifest, contents))
    contents[format.GOLDEN] = _golden(classifier, manifest.temperature)
    contents[format.CARD] = card.model_card(
        subject,
        name=name,
        temperature=manifest.temperature,
        threshold=threshold,
        parity=manifest.parity,
        license=license,
    ).encode()
    made = format.write(path, manifest, contents)
    # What the user gets is what is tried: the bundle as it stands on the disk.
    predictor.load(path)
    return Built(path, made, sum(one.size for one in made.files.values()))


def onnx_file(subject: Subject) -> bytes:
    """The model as an ONNX file of its own, whose metadata hold the labels and the vocabulary.

    Raises NotExportable, and SentilabError if onnx is missing.
    """
    _require_onnx()
    classifier = subject.classifier
    content: bytes = onnx_graph(
        classifier.model,
        {
            "labels": json.dumps(list(classifier.label_names)),
            "vocabulary": classifier.vocabulary.to_json(),
            "run": subject.run.path.name,
            "sentilab": __version__,
        },
    ).SerializeToString()
    return content


def check_onnx_file(subject: Subject, content: bytes) -> float:
    """By how much the graph's probabilities differ from the Keras model's, on 1,000 test texts.

    Raises SentilabError if by more than 1e-5.
    """
    ids = subject.classifier.encode(_judged(subject, TEXTS))
    largest = float(np.abs(_scored(_session(content), ids) - subject.classifier.score(ids)).max())
    _require_like("as ONNX", largest, subject)
    return largest


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401  # better said before any work
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise SentilabError(
            f"{error.name} is not installed, which bundles are made with.\n"
            '  Install it with: pip install "sentilab[train]"'
        ) from None


def _weights(model: Any) -> bytes:
    from safetensors.numpy import save

    content: bytes = save(weights_of(model))
    return content


def _provenance(subject: Subject) -> bytes:
    run = subject.run
    content = {
        "run": run.path.name,
        "data": run.data(),
        "settings": run.settings().to_dict(),
        "result": run.read_json("result.json"),
        "environment": run.read_json("environment.json"),
        "anatomy": run.read_json("anatomy.json"),
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _golden(classifier: Classifier, temperature: float | None) -> bytes:
    """Examples with the answers of the Keras model."""
    texts = [*_GOLDEN, *_of_words(classifier.vocabulary)]
    probabilities = predictor.calibrated(classifier.predict(texts), temperature)
    content = {"texts": texts, "probabilities": probabilities.astype(float).tolist()}
    return (json.dumps(content, ensure_ascii=False) + "\n").encode()


def _of_words(vocabulary: Vocabulary) -> list[str]:
    """Texts of the vocabulary's words in no order: short ones, and one that is cut off."""
    random = np.random.default_rng(0)
    words = np.asarray(vocabulary.words or ("word",))
    lengths = (5, 40, vocabulary.encoding.length + 10)
    # Frequent words more often, as in texts.
    return [
        " ".join(words[(random.random(length) ** 3 * len(words)).astype(int)]) for length in lengths
    ]


def _ignores_padding(subject: Subject, manifest: Manifest, contents: Mapping[str, bytes]) -> bool:
    """Whether texts may be cropped to their tokens.

    Of layers that the kernel knows, the mask says it. Of other graphs it is tried, with texts of which
    little more than padding is left as well: what reads padding answers those differently.
    """
    if manifest.layers is not None:
        return manifest.layers[0].settings.get("masked") is True
    classifier = subject.classifier
    if classifier.model.inputs[0].shape[1] is not None:
        return False
    ids = classifier.encode(
        [*_judged(subject, CROPPED), *_GOLDEN, *_of_words(classifier.vocabulary)]
    )
    ends = []
    for tokens in (1, 2, 3, 5, 8):
        end = np.zeros_like(ids)
        end[:, -tokens:] = ids[:, -tokens:]
        ends.append(end)
    ids = np.concatenate([ids, *ends])
    graph = _session(contents[format.ONNX])
    alone = np.concatenate([_scored(graph, predictor.cropped(row[None])) for row in ids])
    return bool(np.abs(alone - _scored(graph, ids)).max() <= TOLERANCE)


def _parity(subject: Subject, manifest: Manifest, contents: Mapping[str, bytes]) -> dict[str, Any]:
    """Largest differences in probability from the Keras model, by form; for int8 its cost too."""
    classifier = subject.classifier
    ids = classifier.encode(_judged(subject, TEXTS))
    wanted = classifier.score(ids)
    scores = _scored(_session(contents[format.ONNX]), ids)
    found = {"onnx": float(np.abs(scores - wanted).max())}
    if manifest.layers is not None and not kernels.missing():
        compute = engines.Computation(
            manifest.layers, weights_of(classifier.model), manifest.encoding
        )
        native = engines.for_each_label(compute(ids, threads=1))
        found["native"] = float(np.abs(native - wanted).max())
    for form, largest in found.items():
        _require_like(f"as {form}", largest, subject)
    parity: dict[str, Any] = {"texts": len(ids), **found}
    if format.INT8 in contents:
        parity |= _cost_of_int8(subject, contents[format.INT8], ids, wanted)
    return parity


def _cost_of_int8(
    subject: Subject, content: bytes, ids: NDArray[np.int32], wanted: NDArray[np.float32]
) -> dict[str, Any]:
    from sentilab.compare import paired_difference

    kept = subject.run.predictions()
    graph = _session(content)
    found = _scored(graph, subject.classifier.encode(subject.texts(kept.ids)))
    answers = found.argmax(axis=1)
    difference = paired_difference(answers == kept.labels, kept.correct)
    return {
        "int8": float(np.abs(_scored(graph, ids) - wanted).max()),
        "int8_texts": len(answers),
        "int8_accuracy": float((answers == kept.labels).mean()),
        "int8_difference": difference.difference,
        "int8_interval": list(difference.interval),
        "int8_labels_changed": float((answers != kept.probabilities.argmax(axis=1)).mean()),
    }


def _require_like(form: str, largest: float, subject: Subject) -> None:
    if not largest <= TOLERANCE:
        raise SentilabError(
            f"{subject.run.path}: {form} the model answers differently, by up to {largest:.1e}; "
            f"{TOLERANCE:.0e} is allowed.\n  Nothing was written. This is a fault in Sentilab; please "
            "report it with the model's layers."
        )


def _session(content: bytes) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def _scored(graph: Any, ids: NDArray[np.int32]) -> NDArray[np.float32]:
    rows = max(1, TOKENS // ids.shape[1])
    parts = (ids[at : at + rows] for at in range(0, len(ids), rows))
    return np.concatenate([graph.run(None, {"ids": one})[0] for one in parts])


def _quantised(content: bytes) -> bytes:
    """The graph with weights of 8 bits, and products of 8-bit factors.

    Raises SettingsError where it has no weights that 8 bits can hold.
    """
    import logging

    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        before.write_bytes(content)
        logging.disable(logging.WARNING)  # it advises steps that change nothing in these graphs
        try:
            exact = [
                one.name
                for one in onnx.load_from_string(content).graph.node
                if one.name.startswith(EXACT)
            ]
            quantize_dynamic(before, after, weight_type=QuantType.QInt8, nodes_to_exclude=exact)
        finally:
            logging.disable(logging.NOTSET)
        made = onnx.load(after)
        onnx.checker.check_model(made)
        if not any(one.data_type == onnx.TensorProto.INT8 for one in made.graph.initializer):
            raise SettingsError(
                "This model has no weights that 8 bits can hold: those of its n-grams differ too much "
                "in size.\n  Export it without a graph of 8 bits."
            )
        return after.read_bytes()


def _judged(subject: Subject, number: int) -> Sequence[str]:
    """Texts on which the run was judged, spread over all of them."""
    judged = subject.run.predictions().ids
    chosen = np.unique(np.linspace(0, len(judged) - 1, number).astype(int))
    return subject.texts(judged[chosen])
