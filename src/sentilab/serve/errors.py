"""Why a request got no answer: one class a reason, each with its HTTP status and its code."""

from typing import ClassVar

from sentilab.errors import SentilabError


class ServiceError(SentilabError):
    """A request that was not answered; the message is for whoever sent it."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    default: ClassVar[str] = "The service failed; its log says more."

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.default)

    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to this answer."""
        return {}


class NotJson(ServiceError):
    """The body is not JSON in UTF-8."""

    status, code = 400, "not_json"
    default = "The body must be JSON in UTF-8."


class NoKey(ServiceError):
    """The API key is missing or not right."""

    status, code = 401, "no_key"
    default = "This service needs an API key: send the header `Authorization: Bearer KEY`."

    def headers(self) -> dict[str, str]:
        return {"www-authenticate": "Bearer"}


class UnknownModel(ServiceError):
    """No such model is served."""

    status, code = 404, "unknown_model"


class BodyTooSlow(ServiceError):
    """The body did not arrive in time."""

    status, code = 408, "body_too_slow"
    default = "The body did not arrive in time."

    def headers(self) -> dict[str, str]:
        return {"connection": "close"}


class BodyTooLarge(ServiceError):
    """The body has more bytes than are allowed."""

    status, code = 413, "body_too_large"

    def headers(self) -> dict[str, str]:
        return {"connection": "close"}


class NotJsonType(ServiceError):
    """The body's Content-Type is not application/json."""

    status, code = 415, "not_json_type"
    default = "Send JSON, with the header `Content-Type: application/json`."


class WrongHost(ServiceError):
    """The Host header names another host."""

    status, code = 421, "wrong_host"
    default = (
        "This service does not answer under that host name; start it with --allow-host NAME if it "
        "should."
    )


class Invalid(ServiceError):
    """The JSON is not what this address takes."""

    status, code = 422, "invalid"


class InvalidText(Invalid):
    """A text holds what is no character, such as half a surrogate pair."""

    code = "invalid_text"


class TextTooLong(Invalid):
    """A text has more characters than are allowed."""

    code = "text_too_long"


class TooManyTexts(Invalid):
    """There are more texts than are allowed in one request."""

    code = "too_many_texts"


class ClientGone(ServiceError):
    """The client hung up before it was answered; nobody sees this status but the log."""

    status, code = 499, "client_gone"
    default = "The client hung up."


class ModelFailed(ServiceError):
    """The model could not compute an answer."""

    status, code = 500, "model_failed"
    default = "The model failed on this request; the service's log says more."


class NotReady(ServiceError):
    """The service is about to end."""

    status, code = 503, "leaving"
    default = "The service is ending: it finishes what it has and takes nothing new."


class Overloaded(ServiceError):
    """Too much is waiting already; come back after the seconds in Retry-After."""

    status, code = 503, "overloaded"

    def __init__(self, message: str = "", retry_seconds: int = 1) -> None:
        super().__init__(message or "Too many texts are waiting already; try again shortly.")
        self.retry_seconds = retry_seconds

    def headers(self) -> dict[str, str]:
        return {"retry-after": str(self.retry_seconds)}


class TooLate(ServiceError):
    """The answer was not there in time; the texts have left the queue."""

    status, code = 504, "too_late"
    default = "The answer was not there in time."
