"""Around every request: one line in the log, the metrics, the security headers, and no surprise.

A line is JSON: time, method, path, status, texts, ms. Texts are never in it, nor in what is logged of
an error, unless the settings say so.
"""

import json
import logging
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentilab.serve.errors import ServiceError
from sentilab.serve.metrics import Metrics
from sentilab.serve.settings import ServiceSettings

log = logging.getLogger("sentilab.serve")

# A path is not bounded by any setting.
MOST_PATH = 200

# For every response that does not say otherwise itself, as the page does.
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


@dataclass(slots=True)
class Seen:
    """What the route learns of a request and the log tells; ``scope["sentilab"]`` holds it."""

    texts: int = 0
    asked: tuple[str, ...] = ()
    body_ended: bool = True


def error_response(error: ServiceError) -> JSONResponse:
    """The error as the service sends it."""
    return JSONResponse(error_content(error), error.status, error.headers())


def error_content(error: ServiceError) -> dict[str, dict[str, str]]:
    """Of the form of wire.ErrorAnswer."""
    return {"error": {"code": error.code, "message": str(error)}}


class Observer:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        seen = scope["sentilab"] = Seen()
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = list(message.get("headers", ()))
                names = {name for name, _ in said}
                message["headers"] = said + [one for one in HEADERS if one[0] not in names]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception as error:
            log.error(told(error, with_message=self._settings.log_texts))
            if not status:
                await error_response(ServiceError())(scope, receive, observed)
        finally:
            self._tell(scope, seen, status, time.perf_counter() - begun)

    def _tell(self, scope: Scope, seen: Seen, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.request(method, route, status, seconds)
        if not self._settings.log_requests:
            return
        line: dict[str, object] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": method,
            "path": scope["path"][:MOST_PATH],
            "status": status,
            "texts": seen.texts,
            "ms": round(1000 * seconds, 1),
        }
        if self._settings.log_texts:
            line["asked"] = seen.asked
        # Escaped to ASCII: a path cannot begin a line of its own or command a terminal.
        log.info(json.dumps(line))


def told(error: BaseException, *, with_message: bool) -> str:
    """An error as one line of JSON: its kind and where it arose.

    Without its message, which may hold what somebody wrote.
    """
    frames = traceback.extract_tb(error.__traceback__)
    line: dict[str, object] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "error": type(error).__name__,
        "at": [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in frames[-8:]],
    }
    if with_message:
        line["message"] = str(error)
    return json.dumps(line)


def log_to_stderr() -> None:
    """Sends the service's lines to stderr, as they are."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
