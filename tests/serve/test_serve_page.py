"""The files of the page."""

import asyncio
from pathlib import Path

from starlette.requests import Request

from sentilab.serve import page


def test_each_file_has_its_address_and_its_kind(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "app.js").write_text("let x = 'é'", encoding="utf-8")
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / ".hidden").write_text("")
    found = {one.path: one for one in page.routes(tmp_path)}
    assert set(found) == {"/", "/index.html", "/parts/app.js"}
    request = Request({"type": "http", "headers": []})
    response = asyncio.run(found["/parts/app.js"].endpoint(request))
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.body.decode() == "let x = 'é'"


def test_without_a_page_the_service_says_so(tmp_path: Path) -> None:
    (route,) = page.routes(tmp_path / "absent")
    response = asyncio.run(route.endpoint(Request({"type": "http", "headers": []})))
    assert b"without its page" in response.body
