"""A request's body: its size, its time and its JSON checked before anything else is done with it."""

import asyncio
from contextlib import suppress
from typing import TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send

from sentilab.serve.errors import (
    BodyTooLarge,
    BodyTooSlow,
    ClientGone,
    Invalid,
    InvalidText,
    NotJson,
    NotJsonType,
    Overloaded,
    TextTooLong,
    TooManyTexts,
)
from sentilab.serve.settings import ServiceSettings

Asked = TypeVar("Asked", bound=BaseModel)

# A connection that is closed while its client still sends is reset, and the client never reads why.
LINGER_SECONDS = 1.0

KINDS: dict[str, type[Invalid]] = {
    "string_too_long": TextTooLong,
    "too_long": TooManyTexts,
    "string_unicode": InvalidText,
}


class Bodies:
    """How many bytes of bodies are held, and the most that may be."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def take(self, size: int) -> None:
        """Raises Overloaded if so much more must not be held."""
        if self.held + size > self._most:
            raise Overloaded("Too many large requests are held already; try again shortly.")
        self.held += size

    def give_back(self, size: int) -> None:
        self.held -= size


class Body:
    """One request's body; its bytes count as held until ``release``."""

    def __init__(self, request: Request, bodies: Bodies, settings: ServiceSettings) -> None:
        self._request, self._bodies, self._settings = request, bodies, settings
        self._held = 0
        self.ended = False  # all of it has arrived

    async def read(self, kind: type[Asked]) -> Asked:
        """The body as ``kind``; raises a ServiceError that says what is wrong with it."""
        headers = self._request.headers
        media, _, _ = headers.get("content-type", "").partition(";")
        if media.strip().lower() != "application/json":
            raise NotJsonType
        said = headers.get("content-length", "")
        if said.isdecimal() and int(said[:20]) > self._settings.body_bytes:
            raise self._too_large()
        return parsed(await self._bytes(), kind)

    def release(self) -> None:
        """Called once the answer is known."""
        self._bodies.give_back(self._held)
        self._held = 0

    async def _bytes(self) -> bytes:
        chunks = []
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                while not self.ended:
                    message = await self._request.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    self.ended = not message.get("more_body", False)
                    chunk = message.get("body", b"")
                    if self._held + len(chunk) > self._settings.body_bytes:
                        raise self._too_large()
                    self._bodies.take(len(chunk))
                    self._held += len(chunk)
                    chunks.append(chunk)
        except TimeoutError as error:
            raise BodyTooSlow from error
        return b"".join(chunks)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The body has more than the {self._settings.body_bytes:,} bytes that are allowed; "
            "send the texts in several requests."
        )


class LastWords(JSONResponse):
    """An answer to a client that is still sending: what comes is thrown away for a while."""

    def __init__(
        self, content: object, status_code: int, headers: dict[str, str], most: int
    ) -> None:
        super().__init__(content, status_code, headers)
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        thrown, more = 0, True
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while more and thrown < self._most:
                    message = await receive()
                    thrown += len(message.get("body", b""))
                    more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def parsed(content: bytes, kind: type[Asked]) -> Asked:
    """Raises NotJson, Invalid or one of its kinds."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        # Without the input: a message never repeats what somebody wrote.
        first = error.errors(include_url=False, include_input=False)[0]
    where = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in first["loc"])
    where = where.removeprefix(".")
    message = first["msg"]
    if first["type"] == "json_invalid":
        problem = message.removeprefix("Invalid JSON: ")
        if "surrogate" in problem or "hex escape" in problem:
            raise InvalidText(f"An escape in the body is no character: {problem}.")
        raise NotJson(f"The body is not JSON in UTF-8: {problem}.")
    if first["type"] == "extra_forbidden":
        # The key's name is the sender's own text.
        raise Invalid("The body holds a key that is not known here.")
    raise KINDS.get(first["type"], Invalid)(f"{where or 'The body'}: {message}.")
