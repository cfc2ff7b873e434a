"""The document as one HTML file that opens offline."""

import json
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sentilab.report.blocks import Document
from sentilab.report.document import contents


def render(document: Document) -> str:
    """The whole page: style, plots' JavaScript and data inside."""
    environment = Environment(
        loader=PackageLoader("sentilab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["script_json"] = _script_json
    return environment.get_template("page.html.j2").render(
        document=document,
        contents=contents(document.sections),
        style=_own("page.css"),
        behaviour=_own("page.js"),
        vega=_vega(),
    )


def _script_json(content: Any) -> Markup:
    """JSON for a script element. No "<" stays in it, so that nothing in the data can end it."""
    text = json.dumps(content, ensure_ascii=True).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704


def _own(name: str) -> Markup:
    """A file of ours beside the template; it holds no user's text."""
    folder = resources.files("sentilab.report") / "templates"
    return Markup((folder / name).read_text(encoding="utf-8"))  # noqa: S704


@cache
def _vega() -> Markup:
    """Vega, Vega-Lite and Vega-Embed, bundled into one script."""
    import vl_convert

    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return Markup(script.replace("</script", "<\\/script"))  # noqa: S704
