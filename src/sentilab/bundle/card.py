"""The model card of a bundle: what a run's folder says of its model, for those who did not train it.

The front matter is the Hugging Face model card's (huggingface.co/docs/hub/model-cards); the sections are
those of Mitchell et al. (2019), Model Cards for Model Reporting. Every figure is read from the run or
measured on its kept predictions. What was not measured is said to be so.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sentilab import models, probe
from sentilab.compare import Interval, accuracy_interval, accuracy_over_seeds
from sentilab.compare.replicas import siblings
from sentilab.data.contrast import ORIGINALS
from sentilab.errors import SentilabError
from sentilab.probe import Subject, calibration, contrast, padding
from sentilab.probe.behaviour import VERSION, Found
from sentilab.probe.calibration import Figures
from sentilab.training import Predictions, seconds_of
from sentilab.training.ensembling import ENSEMBLE, title

# As many failing checks are listed, if they fail in at least this share of their cases.
LISTED = 12
FAILS = 0.05

NOT_MEASURED = "Not measured for this run; `sentilab probe RUN` measures it."


@dataclass(frozen=True)
class _Known:
    """What is known of data from their name alone."""

    title: str
    hub: str
    language: str


# The IMDB reviews are the same 50,000 that the Hub's data set holds.
_DATA = {"imdb": _Known("IMDB reviews (Large Movie Review Dataset)", "stanfordnlp/imdb", "en")}


def model_card(
    subject: Subject,
    *,
    name: str,
    temperature: float | None,
    threshold: float,
    parity: Mapping[str, Any],
    license: str | None = None,
    language: str | None = None,
) -> str:
    """README.md of the bundle ``name``, made of the finished run ``subject``.

    ``temperature``, ``threshold`` and ``parity`` are the manifest's. ``license`` is an identifier of
    the Hub's, such as "apache-2.0"; ``language`` a code of ISO 639, "en" for the IMDB reviews unless
    another is given. Without them the card says that none was given.
    """
    facts = _Facts(subject, name, temperature, threshold, parity, license, language)
    sections = [
        _title(facts),
        _use(facts),
        _data(facts),
        _protocol(facts),
        _results(facts),
        _calibration(facts),
        _behaviour(facts),
        _contrast(facts),
        _padding(facts),
        _limits(facts),
        _how_to_use(facts),
        _forms(facts),
        _provenance(facts),
    ]
    return f"---\n{_yaml(_metadata(facts))}---\n\n" + "\n\n".join(sections) + "\n"


@dataclass(frozen=True)
class _Facts:
    """All that the sections draw on."""

    subject: Subject
    name: str
    temperature: float | None
    threshold: float
    parity: Mapping[str, Any]
    license: str | None
    given_language: str | None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.subject.dataset.label_names

    @property
    def known(self) -> _Known | None:
        # Of a file that happens to be called so nothing is known: only named sources have a home.
        named = self.subject.dataset.home is not None
        return _DATA.get(self.subject.run.data()["name"]) if named else None

    @property
    def language(self) -> str | None:
        generated = "en" if self.subject.dataset.is_generated else None
        return self.given_language or (self.known.language if self.known else generated)

    @property
    def held_out(self) -> bool:
        return self.subject.settings.protocol == "holdout"

    @property
    def has_lstm(self) -> bool:
        return any("LSTM" in one["kind"] for one in self.anatomy.get("layers", ()))

    @cached_property
    def anatomy(self) -> dict[str, Any]:
        return self.subject.run.read_json("anatomy.json") or {}

    @cached_property
    def test(self) -> Predictions:
        return self.subject.run.predictions()

    @cached_property
    def accuracy(self) -> float:
        return float(self.test.correct.mean())

    @cached_property
    def interval(self) -> Interval:
        """Over test texts."""
        return accuracy_interval(int(self.test.correct.sum()), len(self.test.ids))

    @cached_property
    def calibration(self) -> calibration.Result:
        kept = probe.read(self.subject.run.path, "calibration")
        return kept if kept is not None else calibration.measure(self.subject)

    @cached_property
    def scaled(self) -> Figures | None:
        """After scaling by the bundle's temperature; None where it has none."""
        if self.temperature is None:
            return None
        if self.temperature == self.calibration.temperature:
            return self.calibration.after
        answers = calibration.scaled(self.test.probabilities, self.temperature)
        return calibration.figures(answers, self.test.labels, self.labels)

    @property
    def figures(self) -> Figures:
        """Of the probabilities that the bundle gives."""
        return self.scaled or self.calibration.before

    @cached_property
    def seeds(self) -> tuple[int, float, Interval] | None:
        """(seeds, mean accuracy, interval) of this setting's runs on these texts, where there are more."""
        right = []
        try:
            for replica, run in siblings(self.subject.run.path).finished.items():
                if replica.split_seed == self.subject.settings.split_seed:
                    answers = run.predictions()
                    if np.array_equal(answers.ids, self.test.ids):
                        right.append(answers.correct)
        except SentilabError:  # a folder beside it cannot be read
            return None
        if len(right) < 2:
            return None
        stacked = np.stack(right)
        return len(right), float(stacked.mean()), accuracy_over_seeds(stacked)


def _metadata(facts: _Facts) -> dict[str, Any]:
    """The front matter; what is not known is left out, as the standard has it."""
    settings, data = facts.subject.settings, facts.subject.run.data()
    about: dict[str, Any] = {"library_name": "sentilab", "pipeline_tag": "text-classification"}
    if facts.language:
        about["language"] = [facts.language]
    if facts.license:
        about["license"] = facts.license
    sentiment = {"sentiment-analysis"} if set(facts.labels) == {"negative", "positive"} else set()
    about["tags"] = ["sentilab", settings.model, "onnx", "keras", "safetensors", *sentiment]
    if facts.known:
        about["datasets"] = [facts.known.hub]
    figures = facts.figures
    about["metrics"] = ["accuracy", "brier_score"]
    chosen = "" if facts.held_out else ", on the texts that validated it"
    metrics = [
        {"type": "accuracy", "name": f"Accuracy{chosen}", "value": round(facts.accuracy, 5)},
        {"type": "brier_score", "name": f"Brier score{chosen}", "value": round(figures.brier, 5)},
        {
            "type": "expected_calibration_error",
            "name": f"Expected calibration error{chosen}",
            "value": round(figures.ece, 5),
        },
    ]
    dataset = {
        "type": facts.known.hub if facts.known else data["name"],
        "name": facts.known.title if facts.known else data["name"],
        "split": "test",
    }
    task = {"type": "text-classification", "name": "Text classification"}
    result = {"task": task, "dataset": dataset, "metrics": metrics}
    about["model-index"] = [{"name": facts.name, "results": [result]}]
    return about


def _how_trained(facts: _Facts) -> str:
    settings = facts.subject.settings
    by = "by [Sentilab](#provenance)"
    if settings.model == ENSEMBLE:
        return f"made {by} of models that were trained each by itself"
    if models.describe(settings.model).solver is not None:
        return f"fitted {by} in one step"
    return (
        f"trained {by} for {_count(_epochs(facts), 'epoch')} of batches of {settings.batch_size} "
        f"with Adam at a learning rate of {settings.learning_rate:g}"
    )


def _title(facts: _Facts) -> str:
    settings, anatomy = facts.subject.settings, facts.anatomy
    extra = "".join(
        f", {_escaped(key)} {_escaped(str(value))}"
        for key, value in settings.model_settings.items()
    )
    if settings.model == ENSEMBLE:
        extra = f", {_escaped(title(settings.model_settings))}"
    parameters = anatomy.get("parameters")
    counted = f"{parameters:,} parameters" if parameters else "an unrecorded number of parameters"
    said = [
        f"# {_escaped(facts.name)}",
        f"A small text classifier: it reads the last {settings.length} words of a text and gives the "
        f"probability of {_listed(facts.labels)}. Family `{settings.model}`{extra}, {counted}; "
        f"{_how_trained(facts)}, seed {settings.seed}.",
    ]
    rows = [
        tuple(_escaped(str(one[key])) for key in ("name", "kind", "shape", "arithmetic"))
        for one in anatomy.get("layers", ())
    ]
    if rows:
        said.append(_table(("layer", "kind", "output", "parameters"), rows))
    return "\n\n".join(said)


def _epochs(facts: _Facts) -> int:
    result = facts.subject.run.read_json("result.json") or {}
    return int(result.get("kept_epoch") or facts.subject.settings.epochs)


def _use(facts: _Facts) -> str:
    data = facts.known.title if facts.known else f"the data “{_data_name(facts)}”"
    return (
        "## Intended use\n\n"
        f"To label texts like those it was trained on, {data}, as {_listed(facts.labels, 'or')}; to sort, "
        "count and search many of them; and to study what such a model learns.\n\n"
        "**Out of scope.** Texts of another kind or in another language than its training data; "
        "decisions about a person; conclusions about the writer of a single text. It does not tell facts, "
        "and it was not tested against texts that are written to deceive it."
    )


def _data(facts: _Facts) -> str:
    subject, data = facts.subject, facts.subject.run.data()
    parts = subject.preparation.partition(subject.settings)
    counts = np.bincount(subject.dataset.labels[parts.train], minlength=len(facts.labels))
    shares = ", ".join(
        f"{count:,} {_escaped(label)}" for label, count in zip(facts.labels, counts, strict=True)
    )
    title = facts.known.title if facts.known else _data_name(facts)
    made = (
        " These are sentences made by a program, and no one's words."
        if (subject.dataset.is_generated)
        else ""
    )
    left_out = {
        "": "Nothing was left out on demand.",
        ORIGINALS: "Left out: the training reviews that are originals of the contrast sets below.",
    }.get(data["without"], f"Left out: {data['without']}.")
    rejected = subject.dataset.rejected
    if rejected.count:
        left_out += (
            f" {rejected.count:,} of {rejected.total:,} rows could not be read and were set aside."
        )
    language = facts.language or "not recorded"
    return (
        f"## Training data\n\n{title}.{made} {len(parts.train):,} texts were trained on ({shares}). "
        f"{left_out}\n\n"
        f"- name: {_data_name(facts)}\n- fingerprint (SHA-256 of the table): `{data['fingerprint']}`\n"
        f"- language: {language}"
    )


def _protocol(facts: _Facts) -> str:
    subject = facts.subject
    parts = subject.preparation.partition(subject.settings)
    if facts.held_out:
        official = subject.dataset.splits is not None
        test = "the data's own test split" if official else "carved from the data"
        said = (
            f"Holdout. {len(parts.validation):,} texts were carved from the training data for validation "
            "(repeats of a text kept on one side), and all choices during training were made on them. The "
            f"{len(parts.test):,} test texts, {test}, were asked once, after training. Whether this run "
            "was then chosen among others by its test accuracy, the run does not record."
        )
    else:
        said = (
            f"Notebook. There was no validation part of its own: the {len(parts.test):,} test texts also "
            "validated every epoch. **The figures below are therefore optimistic** wherever an epoch or a "
            "setting was chosen by them."
        )
    stopping = subject.settings.early_stopping
    if stopping is not None:
        kept = "the best" if stopping.restore_best else "the last"
        said += (
            f" Training stopped early, by `{stopping.monitor}` with a patience of "
            f"{_count(stopping.patience, 'epoch')}; the weights of {kept} epoch were kept."
        )
    return f"## Protocol\n\n{said}"


def _results(facts: _Facts) -> str:
    low, high = facts.interval
    rows = [
        (
            "this run",
            f"{facts.accuracy:.4f}",
            f"{low:.4f} to {high:.4f}",
            f"other test texts (Wilson; {len(facts.test.ids):,} texts)",
        )
    ]
    note = "Other seeds of this setting are not beside the run: what another seed would give, is not known."
    if facts.seeds is not None:
        seeds, mean, (lowest, highest) = facts.seeds
        rows.append(
            (
                f"mean of {seeds} seeds",
                f"{mean:.4f}",
                f"{lowest:.4f} to {highest:.4f}",
                "other seeds and other test texts",
            )
        )
        note = f"The setting was trained with {seeds} seeds; this bundle is seed {facts.subject.settings.seed}."
    answered = "".join(
        f"\n- of the {one.texts:,} texts answered {_escaped(one.label)}, {one.right / one.texts:.1%} are"
        for one in facts.figures.answered
    )
    threshold = (
        ""
        if facts.threshold == 0.5 or len(facts.labels) != 2
        else (
            f"\n\nThe bundle answers {_escaped(facts.labels[1])} above a probability of "
            f"{facts.threshold:g}; the figures here are for 0.5."
        )
    )
    table = _table(("", "accuracy", "95% interval", "which covers"), rows)
    return f"## Accuracy\n\n{table}\n\n{note}\n{answered}{threshold}"


def _calibration(facts: _Facts) -> str:
    found = facts.calibration
    rows = [("as trained", *_figures(found.before))]
    if facts.scaled is not None:
        rows.append(("after scaling", *_figures(facts.scaled)))
    if facts.temperature is None:
        why = found.not_fitted or "none was asked for"
        told = f"The probabilities are given as trained: no temperature was fitted, since {why}."
    else:
        fitted = (
            f"was fitted on {found.validation_texts:,} validation texts"
            if facts.temperature == found.temperature
            else "was given"
        )
        told = (
            f"The probabilities are divided, as log odds, by a temperature of {facts.temperature:.3f}, which "
            f"{fitted} and changes no label (Guo et al. 2017). The test texts only measure."
        )
    columns = (
        "",
        "mean confidence",
        "share right",
        "calibration error",
        "of a calibrated model",
        "Brier",
    )
    return (
        f"## Calibration\n\n{told}\n\n{_table(columns, rows)}\n\n"
        "The calibration error is the mean distance between confidence and share right, over bins of equally "
        "many answers; the column beside it is what chance alone would show."
    )


def _figures(one: Figures) -> tuple[str, ...]:
    shares = (one.confidence, one.accuracy, one.ece, one.ece_if_calibrated, one.brier)
    return tuple(f"{share:.4f}" for share in shares)


def _behaviour(facts: _Facts) -> str:
    title = "## What it fails at\n\n"
    found = probe.read(facts.subject.run.path, "behaviour")
    if found is None:
        return title + NOT_MEASURED
    if found.version != VERSION:
        return (
            f"{title}Measured with another version of the suite ({found.version}); {NOT_MEASURED}"
        )
    checks: Sequence[Found] = sorted(found.checks, key=lambda one: -one.rate)
    failing = [one for one in checks if one.rate >= FAILS][:LISTED]
    cases = sum(one.cases for one in checks)
    rows = [
        (
            f"{one.capability}: {one.name}",
            f"{one.rate:.0%}",
            f"{one.low:.0%} to {one.high:.0%}",
            _example(one),
        )
        for one in failing
    ]
    steady = sum(one.rate < FAILS for one in checks)
    told = (
        f"{cases:,} small cases in {len(checks)} checks, in the manner of CheckList (Ribeiro et al. 2020): plain "
        "verdicts must get their label, changes that do not matter must not change it, and stronger words "
        "must not weaken it. The intervals cover other templates of the same kind, not texts at large."
    )
    table = _table(("check", "cases that fail", "95% interval", "for instance"), rows)
    rest = f"{steady} of the {len(checks)} checks fail in fewer than {FAILS:.0%} of their cases."
    return title + "\n\n".join([told, *([table] if rows else []), rest])


def _example(one: Found) -> str:
    if not one.worst:
        return ""
    worst = one.worst[0]
    text = " → ".join(f"“{_escaped(_short(each))}”" for each in worst.texts)
    p = " → ".join(f"{each:.2f}" for each in worst.probabilities)
    return f"{text} p(positive) {p}; wanted: {worst.wanted}"


def _contrast(facts: _Facts) -> str:
    title = "## Contrast sets\n\n"
    found = probe.read(facts.subject.run.path, "contrast")
    if found is None:
        if facts.subject.run.data()["name"] != "imdb":
            return f"{title}Not applicable: they edit IMDB's reviews, which this model was not trained on."
        return title + NOT_MEASURED
    pairs = len(found.positive)
    return (
        f"{title}{pairs} reviews, each with a twin that was edited as little as could be until its label turned "
        "(Gardner et al. 2020). Right are "
        f"{_share(found.originals_right)} of the originals, {_share(found.twins_right)} of the twins, and both "
        f"of {_share(found.both_right)} of the pairs (by guessing: 25%). About the training data: "
        f"{contrast.training_sentence(found)}."
    )


def _share(right: Any) -> str:
    low, high = accuracy_interval(int(right.sum()), len(right))
    return f"{right.mean():.1%} ({low:.1%} to {high:.1%})"


def _padding(facts: _Facts) -> str:
    title = "## Padding\n\n"
    found = probe.read(facts.subject.run.path, "padding")
    if found is None:
        return title + NOT_MEASURED
    lines = [line.removeprefix("padding: ") for line in padding.lines(found)]
    told = [f"{line[0].upper()}{line[1:]}." for line in lines]
    if found.reached:
        told.append(
            "So texts must be padded in front, to the length above, as the bundle's own encoding does."
        )
    return title + " ".join(told)


def _limits(facts: _Facts) -> str:
    settings = facts.subject.settings
    words = len(facts.subject.classifier.vocabulary.words)
    limits = [
        f"It reads the last {settings.length} words of a text. What stands before them changes nothing, even if "
        "the verdict stands there.",
        f"It knows {words:,} words, the most frequent of its training texts; all others are one and the same "
        "to it. Words are what stands between spaces and punctuation, in small letters.",
        f"Its language is that of its training data ({facts.language or 'not recorded'}); in others it answers "
        "all the same, and what it answers means nothing.",
        "A probability says how sure it is among texts like its training texts. It gives one for any text, an "
        "empty one too.",
        "It repeats what its training texts have in common, their prejudices among it.",
    ]
    return "## Limits\n\n" + "\n".join(f"- {one}" for one in limits)


def _how_to_use(facts: _Facts) -> str:
    # The name is the folder's, wherever it was put.
    folder = facts.name
    second = json.dumps(list(facts.labels), ensure_ascii=False)
    return f"""## How to use it

In a shell, with `pip install sentilab`:

```console
sentilab predict {folder} "I have rarely been so bored."
```

In Python, without Keras or JAX:

```python
from sentilab.bundle import load

model = load("{folder}")
print(model.labels, model.probabilities(["I have rarely been so bored."]))
```

With stock Keras, where `model.keras` is in the folder; its integers are those of the lines below:

```python
model = keras.saving.load_model("{folder}/model.keras")
```

With ONNX Runtime alone (Python; in other languages alike){_uncalibrated(facts)}:

```python
import json, pathlib, re
import numpy as np, onnxruntime

kept = json.loads(pathlib.Path("{folder}/vocabulary.json").read_text(encoding="utf-8"))
number, length = {{word: n for n, word in enumerate(kept["words"], 4)}}, kept["encoding"]["length"]
words = re.split(r'[ !"#$%&()*+,\\-./:;<=>?@\\[\\\\\\]^_`{{|}}~\\t\\n]+', "I was bored.".lower())
ids = [1, *(number.get(word, 2) for word in words if word)][-length:]
row = np.array([[0] * (length - len(ids)) + ids], np.int32)
session = onnxruntime.InferenceSession("{folder}/model.onnx")
print({second}, session.run(["probabilities"], {{"ids": row}})[0])
```"""


def _uncalibrated(facts: _Facts) -> str:
    if facts.temperature is None:
        return ""
    return f"; the graph's probabilities are those before scaling by {facts.temperature:.3f}"


def _forms(facts: _Facts) -> str:
    """What the bundle's forms cost; only those that were compared are named."""
    parity = facts.parity
    names = {"onnx": "`model.onnx`", "native": "Sentilab's kernel", "int8": "`model.int8.onnx`"}
    rows = [
        (names[one], f"{parity[one]:.1e}")
        for one in names
        if isinstance(parity.get(one), int | float)
    ]
    if not rows:
        return "## Forms of the model\n\nThey were not compared with each other."
    told = (
        f"Greatest difference in probability from the Keras model, on {parity.get('texts', 0):,} test texts, "
        "before calibration."
    )
    said = f"## Forms of the model\n\n{told}\n\n{_table(('form', 'greatest difference'), rows)}"
    if "int8_accuracy" in parity:
        low, high = parity["int8_interval"]
        said += (
            f"\n\nWith weights of 8 bits the accuracy is {parity['int8_accuracy']:.4f} on "
            f"{parity['int8_texts']:,} test texts, {100 * parity['int8_difference']:+.2f} points (95% interval "
            f"{100 * low:+.2f} to {100 * high:+.2f}), and {parity['int8_labels_changed']:.2%} of the labels change."
        )
    return said


def _provenance(facts: _Facts) -> str:
    found = facts.subject.run.read_json("environment.json") or {}
    names = (
        "sentilab",
        "python",
        "keras",
        "backend",
        "jax",
        "numpy",
        "system",
        "cpu",
        "cores",
        "lstm_path",
    )
    rows = [(one.replace("_", " "), _escaped(str(found.get(one, "not recorded")))) for one in names]
    seconds = seconds_of([facts.subject.run])
    took = f"{seconds:,.0f} seconds" if seconds else "not recorded"
    settings = facts.subject.settings
    rows = [
        ("run", _escaped(facts.subject.run.path.name)),
        ("seed", f"{settings.seed} (splits: {settings.split_seed})"),
        *rows,
        ("time to train", took),
    ]
    licence = (
        _escaped(facts.license or "")
        or "none was given; ask whoever made the bundle before using it"
    )
    return (
        f"## Provenance\n\n{_table(('', ''), rows)}\n\n`provenance.json` has all settings and the run's result. "
        f"Licence: {licence}."
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (columns, *rows)]
    return "\n".join([lines[0], f"| {' | '.join('---' for _ in columns)} |", *lines[1:]])


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "�" for one in text)


def _escaped(text: str) -> str:
    """Text of others as Markdown that shows it and does nothing else."""
    shown = _printable(text)
    return "".join(f"\\{one}" if one in "\\`*_{}[]<>#|&" else one for one in shown)


def _short(text: str, most: int = 110) -> str:
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0]} …"


def _listed(names: Sequence[str], last: str = "and") -> str:
    shown = [f"*{_escaped(one)}*" for one in names]
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _data_name(facts: _Facts) -> str:
    return _escaped(facts.subject.run.data()["name"])


def _yaml(value: Any, indent: str = "") -> str:
    """Mappings and lists in block style; all texts quoted as in JSON, which is YAML too."""
    if isinstance(value, Mapping):
        return "".join(f"{indent}{key}:{_nested(one, indent)}" for key, one in value.items())
    if isinstance(value, list):
        return "".join(f"{indent}- {_yaml(one, indent + '  ').lstrip()}" for one in value)
    plain = _printable(value) if isinstance(value, str) else value
    return f"{json.dumps(plain, ensure_ascii=False)}\n"


def _nested(value: Any, indent: str) -> str:
    if isinstance(value, Mapping | list):
        return "\n" + _yaml(value, indent + "  ")
    return " " + _yaml(value)
