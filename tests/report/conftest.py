"""A made-up study: run folders with plausible figures, written without training anything."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sentilab import studies
from sentilab.studies import StudyResults
from sentilab.studies.study import read_results
from sentilab.training import EpochMetrics, Predictions, RunFolder

TEXTS = 600
Make = Callable[..., StudyResults]


def layers(model: str) -> list[dict[str, object]]:
    kind = "Bidirectional(LSTM)" if "lstm" in model else "Dense"
    return [
        {
            "name": "first",
            "kind": kind,
            "symbolic_shape": "(None, None, 8)",
            "shape": "(None, 200, 8)",
            "parameters": 72,
            "arithmetic": "(8 + 1) × 8 = 72",
            "explanation": "the last axis, 8 numbers, becomes 8",
        }
    ]


@pytest.fixture
def made_up(tmp_path: Path) -> Make:
    """Writes a packaged study; ``accuracy`` maps run names (before "@") to planted accuracies."""

    def make(
        accuracy: dict[str, float] | None = None,
        *,
        study: str = "homework",
        protocols: tuple[str, ...] = ("notebook",),
        seeds: tuple[int, ...] = (297,),
        unfinished: tuple[str, ...] = (),
        generated: bool = False,
        text: str = "A fine film <br /> indeed.",
        labels: tuple[str, ...] = ("negative", "positive"),
    ) -> StudyResults:
        import json

        from sentilab.studies import plan
        from sentilab.studies.study import FACTS

        spec = studies.read(study)
        folder = tmp_path / "study"
        planned = plan(spec, folder, "made-up", protocols=protocols, seeds=seeds)  # type: ignore[arg-type]
        truth = np.arange(TEXTS) % len(labels)
        for one in planned.runs:
            name = one.name.partition("@")[0]
            if name in unfinished:
                continue
            run = RunFolder(one.folder)
            model = one.settings.model
            refused = model == "mlp-unflattened"
            run.write_json(
                "anatomy.json",
                {
                    "model": model,
                    "layers": layers(model),
                    "parameters": 4_202_689 if model == "mlp" else 2_757_761,
                    "trainable_parameters": 1,
                    "output_shape": "(None, 200, 1)" if refused else "(None, 1)",
                    "trainable": not refused,
                    "refusal": "its output has shape (None, 200, 1)" if refused else "",
                },
            )
            if refused:
                run.write_json("result.json", {"status": "refused", "reason": "(None, 200, 1)"})
                continue
            random = np.random.default_rng(
                [one.settings.seed, len(name), len(one.settings.protocol)]
            )
            right = random.random(TEXTS) < (accuracy or {}).get(name, 0.86)
            answer = np.where(right, truth, (truth + 1) % len(labels))
            probabilities = np.full((TEXTS, len(labels)), 0.2 / len(labels), np.float32)
            probabilities[np.arange(TEXTS), answer] = 0.9
            ids = np.asarray([f"test/{row}" for row in range(TEXTS)])
            run.write_predictions(Predictions(ids, truth, probabilities), labels)
            epochs = 4 if one.settings.early_stopping else one.settings.epochs
            test = float(right.mean())
            history = [
                EpochMetrics(
                    epoch,
                    0.4 / epoch,
                    min(0.99, 0.8 + 0.05 * epoch),
                    0.3 + 0.05 * epoch,
                    test + 0.01 * (epochs - epoch),
                )
                for epoch in range(1, epochs + 1)
            ]
            run.write_curve(history, [10.0 if "lstm" in model else 1.0] * epochs)
            run.write_json(
                "result.json",
                {
                    "status": "finished",
                    "stopped_early": epochs < one.settings.epochs,
                    "test": {"loss": 0.4, "accuracy": test},
                    "label_names": list(labels),
                },
            )
        portrait = {
            "texts": {"train": 25_000, "test": 25_000},
            "labels": {name: {"train": 12_500, "test": 12_500} for name in labels},
            "distinct_words": 88_581,
            "mean_length": 238.7,
            "length_quantiles": {"0.5": 178.0},
            "length_histogram": {"edges": [0, 100, 200, 300], "counts": [5, 9, 2]},
            "length": 200,
            "words": 20_000,
            "padding_share": 0.19,
            "truncated_share": 0.43,
            "unknown_share": 0.03,
            "frequent_words": [["the", 4], ["and", 5]],
            "example": {
                "id": "train/neg/1",
                "label": labels[0],
                "text": text,
                "encoded": [0, 0, 1, 4],
                "decoded": text,
            },
        }
        from dataclasses import asdict

        facts = {
            "name": spec.name,
            "title": spec.title,
            "description": spec.description,
            "questions": [asdict(one) for one in spec.questions],
            "protocols": list(protocols),
            "seeds": list(seeds),
            "runs": [
                {
                    "name": one.name,
                    "title": one.title,
                    "settings": one.settings.to_dict(),
                    "recorded": asdict(one.recorded) if one.recorded else None,
                    "folder": one.folder.name,
                }
                for one in planned.runs
            ],
            "data": {
                "name": "generated" if generated else "imdb",
                "origin": "made up",
                "label_names": list(labels),
                "is_generated": generated,
                "notices": [],
                "duplicates": {
                    name: {
                        "repeated_texts": 418,
                        "straddling_official_splits": 123,
                        "removed_from_training": 123,
                        "grouped_in_holdout": 188,
                    }
                    for name in protocols
                },
                "portrait": portrait,
            },
            "environment": {"python": "3.11", "keras": "3.15.1", "cpu": "a processor", "cores": 2},
        }
        folder.mkdir(exist_ok=True)
        (folder / FACTS).write_text(json.dumps(facts))
        return read_results(folder)

    return make
