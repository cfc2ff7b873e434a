"""The JSON that goes over the wire, in and out: also what the OpenAPI document is made of."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from sentilab.serve.settings import ServiceSettings

Probability = Annotated[float, Field(ge=0, le=1)]


class Asking(BaseModel):
    """What a request must keep to: no unknown keys, and no other types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PredictRequest(Asking):
    """The texts to be judged."""

    texts: list[str]


class ExplainRequest(Asking):
    """The text whose answer is to be explained."""

    text: str


def predict_request(settings: ServiceSettings) -> type[PredictRequest]:
    """``PredictRequest`` with these limits."""
    text = Annotated[str, Field(max_length=settings.text_characters)]
    texts = Annotated[
        list[text],
        Field(min_length=1, max_length=settings.texts_per_request),
    ]
    return create_model("PredictRequest", __base__=PredictRequest, texts=(texts, ...))


def explain_request(settings: ServiceSettings) -> type[ExplainRequest]:
    """``ExplainRequest`` with these limits."""
    text = Annotated[str, Field(max_length=settings.text_characters)]
    return create_model("ExplainRequest", __base__=ExplainRequest, text=(text, ...))


class TextAnswer(BaseModel):
    """One text's answer. The label's own probability, and those of all labels by name, calibrated.

    `words` counts the words in the text, `read` those that the model looked at: the last ones.
    """

    label: str
    probability: Probability
    probabilities: dict[str, Probability]
    words: Annotated[int, Field(ge=0)]
    read: Annotated[int, Field(ge=0)]


class PredictAnswer(BaseModel):
    """One answer for each text, in the same order."""

    model: str
    answers: list[TextAnswer]


class Piece(BaseModel):
    """A word with its weight; null for what is no word, or was not read."""

    text: str
    weight: float | None


class ExplainAnswer(BaseModel):
    """The answer, and by how much the log odds of `side` fall without each word.

    The pieces, joined, are the text.
    """

    model: str
    label: str
    probability: Probability
    probabilities: dict[str, Probability]
    side: str
    pieces: list[Piece]


class ModelSummary(BaseModel):
    """A model that is served. `length` is how many words it reads."""

    name: str
    labels: list[str]
    family: str
    length: int
    temperature: float | None
    threshold: float
    engine: str


class Models(BaseModel):
    """The models that are served, in the order they were named."""

    models: list[ModelSummary]


class Manifest(BaseModel):
    """The content of the bundle's bundle.json."""

    model_config = ConfigDict(extra="allow")

    format: int
    name: str
    labels: list[str]
    model: dict[str, Any]
    encoding: dict[str, Any]
    temperature: float | None
    threshold: float


class Health(BaseModel):
    """The service runs."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The service takes requests."""

    status: Literal["ready"] = "ready"


class ErrorDetail(BaseModel):
    """`code` is for programs, `message` for people."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """Why there is no answer."""

    error: ErrorDetail
