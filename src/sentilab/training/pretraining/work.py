"""Pretraining from a corpus to weights, in a folder of its own that several runs share.

settings.json         what decides the weights
state.safetensors     everything that going on needs; removed at the end
weights.safetensors   the language model's arrays
pretraining.json      the curve; written last, so that its presence means "finished"

A killed pretraining goes on after the last step that was saved and ends with the same bytes: the rows
of an epoch and the words sampled for a step depend on the seed and their numbers alone.
"""

import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab import atomic
from sentilab.errors import SentilabError, SettingsError
from sentilab.readable import json_file, json_of
from sentilab.training.options import Pretraining
from sentilab.training.pretraining.corpus import Corpus
from sentilab.training.pretraining.sampling import WordSampler
from sentilab.training.progress import LanguageEpoch, LanguageStep, Listener, Silence

if TYPE_CHECKING:
    from sentilab.layers import KernelChoice
    from sentilab.training.pretraining.language_model import Sizes, Trainer

# Raised whenever the same settings would give other weights.
VERSION = 1

# A killed pretraining loses no more than this; the state is several times the model's size.
SECONDS_BETWEEN_SAVES = 60.0

SECONDS_BETWEEN_STEPS_TOLD = 0.25

# Steps that an estimate rests on, after those that pay for compiling.
_UNTIMED_STEPS, _TIMED_STEPS = 2, 6

# What random numbers are drawn for, beside the seed.
_ROWS, _WORDS = 1, 2

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Pretrained:
    """A finished pretraining's folder."""

    path: Path

    def weights(self) -> Arrays:
        """By name, as in language_model.LanguageModel.

        Raises SentilabError if the file is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self.path / "weights.safetensors"
        try:
            return dict(load_file(path))
        except (SafetensorError, OSError) as error:
            raise _damaged(path, error) from error

    def told(self) -> dict[str, Any]:
        """Its folder's name, tokens and texts read, "history" and "seconds" by epoch."""
        content = json_file(self.path / "pretraining.json", {"seconds": [float]})
        return {"folder": self.path.name, **content}


@dataclass
class _Progress:
    """``steps`` done of the whole; curve and seconds by epoch, ``spent`` seconds in this one."""

    steps: int = 0
    history: list[LanguageEpoch] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    spent: float = 0.0


def pretrain(
    settings: Pretraining,
    corpus: Corpus,
    sizes: "Sizes",
    parent: Path,
    *,
    kernels: "KernelChoice" = "auto",
    listener: Listener | None = None,
) -> Pretrained:
    """The language model of these settings and texts; it is trained, or trained on, unless it is there.

    Its folder lies in ``parent`` and is named by all that decides its weights.

    Raises TrainingDiverged if the loss stops being a number, SettingsError if the texts do not fill a
    row, SentilabError for a damaged state. Waits for another process that is at the same work.
    """
    deciding = {
        "version": VERSION,
        "settings": {
            name: value
            for name, value in asdict(settings).items()
            if name not in ("unlabelled", "unlabelled_fingerprint", "labelled")
        },
        "sizes": asdict(sizes),
        "kernels": kernels,
        "corpus": corpus.fingerprint,
    }
    identity = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()
    folder = parent / identity[:16]
    folder.mkdir(parents=True, exist_ok=True)
    listener = listener or Silence()
    # Runs side by side may start from the same one: the first trains it, the others wait.
    with atomic.alone(folder, "pretraining", waiting=lambda: listener.on_pass(0, 1)):
        if not (folder / "pretraining.json").exists():
            atomic.sweep(folder)
            atomic.write_text(folder / "settings.json", json.dumps(deciding, indent=1) + "\n")
            _train(settings, corpus, sizes, folder, kernels, listener)
    return Pretrained(folder)


def expected_seconds(
    settings: Pretraining, corpus: Corpus, sizes: "Sizes", *, kernels: "KernelChoice" = "auto"
) -> float:
    """What this pretraining would take here, from a few of its steps; nothing is written."""
    trainer, sampler, batch, batches = _started(settings, corpus, sizes, kernels)
    rows = corpus.rows(settings.row_length, (settings.seed, _ROWS, 1))[:batch]
    started = 0.0
    for number in range(_UNTIMED_STEPS + _TIMED_STEPS):
        if number == _UNTIMED_STEPS:
            trainer.take_total()  # which waits for the steps before
            started = time.perf_counter()
        trainer.step(rows, *sampler.draw((settings.seed, _WORDS, number)))
    trainer.take_total()
    return settings.epochs * batches * (time.perf_counter() - started) / _TIMED_STEPS


def _started(
    settings: Pretraining, corpus: Corpus, sizes: "Sizes", kernels: "KernelChoice"
) -> tuple["Trainer", WordSampler, int, int]:
    """What makes the steps, rows in a batch, and batches in an epoch."""
    from sentilab import layers
    from sentilab.training.pretraining.language_model import LanguageModel, Trainer

    batch, batches = _batches(settings, corpus)
    with layers.choosing(kernels):
        model = LanguageModel(
            sizes, corpus.counts, precision=settings.precision, seed=settings.seed
        )
    trainer = Trainer(model, settings.learning_rate, settings.epochs * batches)
    return trainer, WordSampler(corpus.counts, settings.sampled), batch, batches


def _train(
    settings: Pretraining,
    corpus: Corpus,
    sizes: "Sizes",
    folder: Path,
    kernels: "KernelChoice",
    listener: Listener,
) -> None:
    from safetensors.numpy import save as to_bytes

    held_out = corpus.held_out_rows(min(settings.row_length, len(corpus.held_out)))
    trainer, sampler, batch, batches = _started(settings, corpus, sizes, kernels)
    state = folder / "state.safetensors"
    progress = _load(state, trainer) if state.exists() else _Progress()
    while len(progress.history) < settings.epochs:
        epoch = len(progress.history) + 1
        rows = corpus.rows(settings.row_length, (settings.seed, _ROWS, epoch))
        clock = _Clock(progress)
        for number in range(progress.steps % batches, batches):
            words = sampler.draw((settings.seed, _WORDS, progress.steps))
            trainer.step(rows[number * batch : (number + 1) * batch], *words)
            progress.steps += 1
            if clock.is_time_to_speak():
                loss = float(trainer.total) / (number + 1)
                listener.on_language_step(
                    LanguageStep(epoch, settings.epochs, number + 1, batches, loss)
                )
            if clock.is_time_to_save() and number + 1 < batches:
                _save(state, trainer, progress)
        progress.history.append(_measured(trainer, held_out, epoch, batches, batch))
        clock.end_epoch()
        _save(state, trainer, progress)
        listener.on_language_epoch(progress.history[-1], settings.epochs, progress.seconds[-1])
    atomic.write_bytes(folder / "weights.safetensors", to_bytes(trainer.weights()))
    content = {
        "tokens": len(corpus.ids),
        "texts": len(corpus.offsets) - 1,
        "held_out_tokens": len(corpus.held_out),
        "history": [asdict(one) for one in progress.history],
        "seconds": [round(one, 3) for one in progress.seconds],
    }
    atomic.write_text(folder / "pretraining.json", json.dumps(content, indent=1) + "\n")
    state.unlink(missing_ok=True)


def _batches(settings: Pretraining, corpus: Corpus) -> tuple[int, int]:
    """(rows in a batch, batches in an epoch); what does not fill a batch is left out of the epoch.

    Raises SettingsError if the texts do not fill one row, or those held out are shorter than two words.
    """
    rows = len(corpus.ids) // settings.row_length
    if not rows or len(corpus.held_out) < 2:
        raise SettingsError(
            f"pretraining.row_length is {settings.row_length}, and the texts have "
            f"{len(corpus.ids):,} tokens: name more unlabelled texts, or make the rows shorter."
        )
    batch = min(settings.batch_size, rows)
    return batch, rows // batch


class _Clock:
    """When to speak and to save within one epoch, and how long it took over all attempts."""

    def __init__(self, progress: _Progress) -> None:
        self._progress = progress
        self._began = self._saved = time.monotonic()
        self._spoke = 0.0

    def is_time_to_speak(self) -> bool:
        """A few times a second, as to speak is to wait for the step."""
        now = time.monotonic()
        if now - self._spoke < SECONDS_BETWEEN_STEPS_TOLD:
            return False
        self._spoke = now
        return True

    def is_time_to_save(self) -> bool:
        """The seconds so far are then in the progress."""
        now = time.monotonic()
        if now - self._saved < SECONDS_BETWEEN_SAVES:
            return False
        self._saved = now
        self._spend(now)
        return True

    def end_epoch(self) -> None:
        self._spend(time.monotonic())
        self._progress.seconds.append(self._progress.spent)
        self._progress.spent = 0.0

    def _spend(self, now: float) -> None:
        self._progress.spent += now - self._began
        self._began = now


def _measured(
    trainer: "Trainer", held_out: NDArray[np.int32], epoch: int, batches: int, batch: int
) -> LanguageEpoch:
    """The figures of the epoch that has ended; the sum of losses begins anew."""
    from sentilab.training.run import TrainingDiverged

    loss = trainer.take_total() / batches
    if not math.isfinite(loss):
        raise TrainingDiverged(
            f"The loss is {loss} in epoch {epoch} of pretraining: it has diverged.\n"
            "  A smaller pretraining.learning_rate is the usual cure."
        )
    return LanguageEpoch(epoch, loss, trainer.model.perplexity(trainer.values, held_out, batch))


def _save(path: Path, trainer: "Trainer", progress: _Progress) -> None:
    from safetensors.numpy import save as to_bytes

    metadata = {"progress": json.dumps(asdict(progress))}
    atomic.write_bytes(path, to_bytes(trainer.arrays(), metadata=metadata))


def _load(path: Path, trainer: "Trainer") -> _Progress:
    """Puts the saved state into ``trainer``; raises SentilabError if it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            saved: dict[str, Any] = json_of(file.metadata()["progress"])
            trainer.restore({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
            history = [LanguageEpoch(**one) for one in saved.pop("history")]
            return _Progress(history=history, **saved)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> SentilabError:
    return SentilabError(
        f"{path}: this file of a pretraining is damaged ({error}).\n"
        "  Remove its folder to pretrain from the start."
    )
