"""The page that people open: the files beside this one in ``web/``, read once and sent as they are."""

import mimetypes
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import Request, Response
from starlette.routing import Route

INDEX = "index.html"

# Nothing from elsewhere, nothing inline, nowhere to be framed.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}

WITHOUT_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Sentilab</title>
<p>This service runs, but it was installed without its page.
Its addresses are described in <a href="/openapi.json">openapi.json</a>.</p>
"""

# What Python's table leaves to the operating system's.
KINDS = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


def routes(folder: Traversable | None = None) -> list[Route]:
    """One route for each file of the folder, and for the page itself at "/"."""
    content = dict(_found(folder or files("sentilab.serve") / "web", ""))
    index = content.get(INDEX, WITHOUT_PAGE)
    return [_route("/", INDEX, index), *(_route(f"/{at}", at, one) for at, one in content.items())]


def _found(folder: Traversable, at: str) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        return
    for one in sorted(folder.iterdir(), key=lambda file: file.name):
        # Python's own files are no part of the page.
        if one.name.startswith((".", "_")) or one.name.endswith(".py"):
            continue
        if one.is_dir():
            yield from _found(one, f"{at}{one.name}/")
        else:
            yield f"{at}{one.name}", one.read_bytes()


def _route(path: str, name: str, content: bytes) -> Route:
    ending = name[name.rfind(".") :].lower()
    kind = KINDS.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind == "application/json":
        kind += "; charset=utf-8"
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    # Asked again each time, so that an updated service never meets an old page.
    headers = {**HEADERS, "etag": tag, "cache-control": "no-cache", "content-type": kind}

    async def send(request: Request) -> Response:
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers)

    return Route(path, send, methods=["GET"], include_in_schema=False)
