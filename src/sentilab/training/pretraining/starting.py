"""Where pretraining and a run meet: whose weights fit whose layers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.training.pretraining.work import Pretrained, pretrain
from sentilab.training.progress import Listener

if TYPE_CHECKING:
    from sentilab.training.examples import Examples
    from sentilab.training.pretraining.language_model import Sizes
    from sentilab.training.settings import RunSettings

EMBEDDING, LSTM = "embedding", "bidirectional_1"
HALVES = ("forward", "backward")


def pretrained_for(
    settings: "RunSettings",
    task: models.Task,
    examples: "Examples",
    parent: Path,
    listener: Listener,
) -> Pretrained | None:
    """The language model that the run is to start from, pretrained if need be; None if from none.

    It leaves random numbers behind that the run must not go on with.

    Raises SettingsError if the model has no layers that can start from one, and as ``pretrain`` does.
    """
    if settings.pretraining is None:
        return None
    if examples.corpus is None:
        raise SettingsError("These examples were prepared without the texts to pretrain on.")
    kernels = settings.kernels or "auto"
    model = models.build(settings.model, task, settings.model_settings, kernels=kernels)
    sizes = sizes_of(model)
    return pretrain(
        settings.pretraining, examples.corpus, sizes, parent, kernels=kernels, listener=listener
    )


def load_into(model: Any, pretrained: Pretrained) -> None:
    """The model's word vectors and first LSTM become those of the language model.

    Raises SettingsError if the model has no layers that they fit.
    """
    sizes_of(model)
    weights = pretrained.weights()
    model.get_layer(EMBEDDING).set_weights([weights["embedding"]])
    lstm = model.get_layer(LSTM)
    for half, layer in zip(HALVES, (lstm.forward_layer, lstm.backward_layer), strict=True):
        names = ("kernel", "recurrent_kernel", "bias")
        layer.set_weights([weights[f"{half}/{name}"] for name in names])


def sizes_of(model: Any) -> "Sizes":
    """What the language model must be like for its weights to fit this model's layers.

    Raises SettingsError if they are not an Embedding named "embedding" and, after it, a Bidirectional
    LSTM named "bidirectional_1".
    """
    from sentilab.training.pretraining.language_model import Sizes

    keras = models.import_keras()
    layers = {one.name: one for one in model.layers}
    embedding, lstm = layers.get(EMBEDDING), layers.get(LSTM)
    if not isinstance(embedding, keras.layers.Embedding) or not (
        isinstance(lstm, keras.layers.Bidirectional)
        and isinstance(lstm.forward_layer, keras.layers.LSTM)
        and lstm.forward_layer.use_bias
    ):
        raise SettingsError(
            f'The model "{model.name}" cannot be pretrained: it has no layers "{EMBEDDING}" and '
            f'"{LSTM}", word vectors and a bidirectional LSTM with biases.\n'
            "  recurrent, bilstm1 and bilstm2 have them."
        )
    reads = lstm.forward_layer.cell.kernel.shape[0]
    if reads != embedding.output_dim:
        raise SettingsError(
            f'The model "{model.name}" cannot be pretrained: its LSTM reads {reads} numbers a word, '
            f"and the word vectors have {embedding.output_dim}.\n  Put nothing beside them."
        )
    return Sizes(embedding.input_dim, embedding.output_dim, lstm.forward_layer.units)
