"""Who may ask: the host name that was called, and the API key."""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from hmac import compare_digest
from typing import Annotated

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sentilab.serve.errors import NoKey, WrongHost
from sentilab.serve.observing import error_response

_BEARER = HTTPBearer(auto_error=False, description="The API key.")


def is_loopback(host: str) -> bool:
    """Whether nothing outside this machine can reach ``host``; a name other than localhost might."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(header: str) -> str:
    """The name or address of a Host header, without port and brackets, in small letters."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower().rstrip(".")


class HostGuard:
    """Lets through requests to known names: a page elsewhere cannot rebind its own name to us."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(one.lower() for one in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else None
        if host is None or host_name(host) in self._hosts:
            await self._app(scope, receive, send)
        else:
            await error_response(WrongHost())(scope, receive, send)


def key_check(keys: Iterable[str]) -> Callable[..., Awaitable[None]]:
    """A dependency that raises NoKey unless the request brings one of the keys."""
    # Digests are of one length, and comparing them tells nothing of the keys.
    known = [sha256(key.encode()).digest() for key in keys]

    async def check(
        given: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> None:
        if given is None:
            raise NoKey
        digest = sha256(given.credentials.encode("utf-8", "surrogatepass")).digest()
        # All are compared, so that the time does not tell which one it was.
        if not sum(compare_digest(digest, one) for one in known):
            raise NoKey("The API key is not right.")

    return check
