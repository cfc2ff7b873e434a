"""A run that was chosen on validation texts, judged on the test texts: once, and without training."""

import tomllib
from pathlib import Path

import tomli_w

from sentilab import atomic, models
from sentilab.errors import SentilabError
from sentilab.training import speed
from sentilab.training.examples import Examples
from sentilab.training.folder import SCORED, Predictions, RunFolder
from sentilab.training.scoring import metrics, score

# What the protocol or the test part changes; every other file stays as it is.
ITS_OWN = frozenset(
    {"config.toml", "result.json", "speed.json", "state.safetensors", *SCORED.values()}
)


def judge_on_test(source: Path, examples: Examples, folder: Path) -> RunFolder:
    """The finished run in ``source``, under the protocol "validation", as it is under "holdout".

    Both protocols train on the same texts and with the same vocabulary, so that training again would
    give the same weights: they are copied to ``folder``, and the test texts of ``examples``, which are
    those of the protocol "holdout", are scored with them. A finished ``folder`` is returned as it is.

    Raises SentilabError if ``source`` holds no such run, or was trained on other texts.
    """
    run, chosen = RunFolder(folder), RunFolder(source)
    if run.read_json("result.json"):
        return run
    result, settings = chosen.read_json("result.json"), chosen.settings()
    if not result or result.get("status") != "finished" or settings.protocol != "validation":
        raise SentilabError(f"{source}: no finished run under the protocol validation.")
    vocabulary = (source / "vocabulary.json").read_text(encoding="utf-8")
    same = chosen.data()["fingerprint"] == examples.data_fingerprint
    if not same or vocabulary != examples.vocabulary.to_json():
        raise SentilabError(f"{source}: trained on other texts than those that are to judge it.")
    atomic.sweep(folder)
    config = tomllib.loads((source / "config.toml").read_text(encoding="utf-8"))
    config["run"]["protocol"] = "holdout"
    atomic.write_text(folder / "config.toml", tomli_w.dumps(config))
    for file in sorted(source.iterdir()):
        if file.is_file() and file.name not in ITS_OWN and not file.name.startswith("."):
            atomic.write_bytes(folder / file.name, file.read_bytes())
    atomic.write_bytes(folder / SCORED["validation"], (source / SCORED["test"]).read_bytes())
    models.import_keras().utils.clear_session()
    model = models.load(run.model, kernels=settings.kernels or "auto")
    test = examples.test
    probabilities = score(model, test)
    run.write_predictions(Predictions(test.ids, test.labels, probabilities), examples.label_names)
    loss, accuracy = metrics(probabilities, test.labels)
    run.write_json("speed.json", speed.measure(model, test.x))
    judged = {"loss": loss, "accuracy": accuracy, "texts": len(test.labels)}
    run.write_json("result.json", result | {"test": judged, "files": run.checksums()})
    return run
