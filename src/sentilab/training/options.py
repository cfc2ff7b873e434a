"""What training may do beyond the notebook's Adam: each an option, off unless it is asked for."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from sentilab.errors import SettingsError
from sentilab.readable import shown
from sentilab.training.require import require

if TYPE_CHECKING:
    from sentilab.data import Unlabelled

Monitor = Literal["val_accuracy", "val_loss", "accuracy", "loss"]
ScheduleKind = Literal["linear", "cosine"]
AveragingKind = Literal["ema", "swa"]
AdversarialKind = Literal["adversarial", "virtual"]
LstmPrecision = Literal["float32", "bf16"]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop once ``monitor`` has not improved by more than ``min_delta`` for ``patience`` epochs.

    With ``restore_best`` the weights of the best epoch are kept, else those of the last one.
    The rule is that of keras.callbacks.EarlyStopping.
    """

    monitor: Monitor = "val_accuracy"
    patience: int = 3
    min_delta: float = 0.0
    restore_best: bool = False

    def __post_init__(self) -> None:
        """Raises SettingsError for a metric or a number that cannot be meant."""
        _require_one_of("early_stopping.monitor", self.monitor, Monitor)
        require("early_stopping.patience", self.patience, int, lowest=0)
        require("early_stopping.min_delta", self.min_delta, float, lowest=0)
        require("early_stopping.restore_best", self.restore_best, bool)


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the run's steps: up to its value in a straight line, then down to 0.

    ``warmup`` is the share of all steps (epochs × batches) that the rise takes; ``kind`` is the form
    of the fall, a straight line or half a cosine.
    """

    kind: ScheduleKind = "cosine"
    warmup: float = 0.1

    def __post_init__(self) -> None:
        """Raises SettingsError for a kind that does not exist or a share outside of 0 to 1."""
        _require_one_of("schedule.kind", self.kind, ScheduleKind)
        require("schedule.warmup", self.warmup, float, lowest=0, highest=1)


@dataclass(frozen=True)
class WeightAveraging:
    """The weights that are judged and kept are a mean over training, not its last point.

    "ema": after each step, decay × mean + (1 - decay) × weights, less the lean towards the start (a sum
    over t steps is divided by 1 - decayᵗ). "swa": the plain mean of the weights at the ends of the
    epochs from ``first_epoch`` on (Izmailov et al. 2018); until then the weights themselves.
    """

    kind: AveragingKind = "ema"
    decay: float = 0.999
    first_epoch: int = 1

    def __post_init__(self) -> None:
        """Raises SettingsError for a kind that does not exist or a number out of its range."""
        _require_one_of("averaging.kind", self.kind, AveragingKind)
        require("averaging.decay", self.decay, float, lowest=0, highest=1)
        if self.decay == 1:
            raise SettingsError("averaging.decay is 1; it must be below 1, or nothing is averaged.")
        require("averaging.first_epoch", self.first_epoch, int, lowest=1)


@dataclass(frozen=True)
class AdversarialTraining:
    """A second loss on word vectors moved by ``radius`` in the direction that hurts most.

    "adversarial" moves against the label's loss; "virtual" against the model's own answer, which
    needs no label. ``weight`` multiplies the second loss. The vectors are normalised by word
    frequency, as the radius means nothing otherwise.
    Source: Miyato, Dai and Goodfellow (2017), equations 1 to 6.
    """

    kind: AdversarialKind = "adversarial"
    radius: float = 5.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raises SettingsError for a kind that does not exist or a number below 0."""
        _require_one_of("adversarial.kind", self.kind, AdversarialKind)
        require("adversarial.radius", self.radius, float, lowest=0)
        require("adversarial.weight", self.weight, float, lowest=0)


@dataclass(frozen=True)
class Pretraining:
    """The word vectors and the first LSTM start from a language model of texts without labels.

    It reads the unlabelled texts called ``unlabelled`` ("" for none) and, where ``labelled``, the
    training part's texts; the vocabulary is learned on the same texts. Without ``labelled`` runs that
    differ in their training part share it. ``unlabelled_fingerprint`` says which texts these are, and
    stands empty only until they are loaded (``of``).

    ``row_length`` tokens of the stream of texts are one row, ``batch_size`` rows one step. ``sampled``
    words stand for all others in the softmax. ``learning_rate`` is the highest; it falls to 0.
    ``precision`` is that of the LSTM's products. Source: Dai and Le (2015).
    """

    unlabelled: str = ""
    unlabelled_fingerprint: str = ""
    labelled: bool = True
    epochs: int = 3
    batch_size: int = 64
    row_length: int = 128
    sampled: int = 512
    learning_rate: float = 0.002
    precision: LstmPrecision = "float32"
    seed: int = 297

    def __post_init__(self) -> None:
        """Raises SettingsError for a number out of its range, and if no text is left to read."""
        require("pretraining.labelled", self.labelled, bool)
        for name in ("epochs", "batch_size", "sampled"):
            require(f"pretraining.{name}", getattr(self, name), int, lowest=1)
        require("pretraining.row_length", self.row_length, int, lowest=2)
        require("pretraining.learning_rate", self.learning_rate, float, lowest=0)
        require("pretraining.seed", self.seed, int, lowest=0)
        _require_one_of("pretraining.precision", self.precision, LstmPrecision)
        if not (self.labelled or self.unlabelled):
            raise SettingsError(
                "pretraining.labelled is false and there are no unlabelled texts: nothing to read."
            )

    def of(self, texts: "Unlabelled") -> "Pretraining":
        """The same, of these texts."""
        return replace(self, unlabelled=texts.name, unlabelled_fingerprint=texts.fingerprint)


@dataclass(frozen=True)
class Reading:
    """Texts without labels that training reads beside the labelled ones.

    Two can learn from such: virtual adversarial training, whose loss asks for no label, and models whose
    solver takes them, such as "documents". ``unlabelled_fingerprint`` says which texts ``unlabelled``
    names, and stands empty only until they are loaded (``of``).
    """

    unlabelled: str
    unlabelled_fingerprint: str = ""

    def __post_init__(self) -> None:
        """Raises SettingsError if no texts are named."""
        if not self.unlabelled or not isinstance(self.unlabelled, str):
            raise SettingsError("reading.unlabelled is missing: which texts are to be read?")

    def of(self, texts: "Unlabelled") -> "Reading":
        """The same, of these texts."""
        return replace(self, unlabelled=texts.name, unlabelled_fingerprint=texts.fingerprint)


@dataclass(frozen=True)
class Teaching:
    """Self-training: a finished run's answers to unlabelled texts stand in for labels.

    ``teacher`` is that run's fingerprint, in a study file its name; ``unlabelled`` says which texts it
    answers, and ``unlabelled_fingerprint`` stands empty only until they are loaded (``of``). Those whose
    likeliest label it gives a probability of at least ``confidence`` join the training part; each counts
    ``weight`` times as much as a labelled text. With ``soft`` the probabilities are learned, not the
    label alone. With ``vocabulary`` the words of all unlabelled texts count when the vocabulary is
    learned.

    Source: Yarowsky (1995); of soft answers, Hinton, Vinyals and Dean (2015).
    """

    teacher: str = ""
    unlabelled: str = ""
    unlabelled_fingerprint: str = ""
    confidence: float = 0.9
    soft: bool = False
    weight: float = 1.0
    vocabulary: bool = False

    def __post_init__(self) -> None:
        """Raises SettingsError for a name that is missing or a number out of its range."""
        for name in ("teacher", "unlabelled"):
            if not getattr(self, name) or not isinstance(getattr(self, name), str):
                raise SettingsError(f"teaching.{name} is missing.")
        require("teaching.confidence", self.confidence, float, lowest=0, highest=1)
        require("teaching.soft", self.soft, bool)
        require("teaching.weight", self.weight, float, lowest=0)
        require("teaching.vocabulary", self.vocabulary, bool)

    def of(self, texts: "Unlabelled") -> "Teaching":
        """The same, on these texts."""
        return replace(self, unlabelled=texts.name, unlabelled_fingerprint=texts.fingerprint)


def _require_one_of(name: str, value: object, kinds: Any) -> None:
    if not isinstance(value, str) or value not in get_args(kinds):
        allowed = ", ".join(f'"{one}"' for one in get_args(kinds))
        raise SettingsError(f"{name} is {shown(value)}; it must be one of {allowed}.")
