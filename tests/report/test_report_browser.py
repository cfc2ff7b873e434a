import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sentilab import report
from sentilab.studies import StudyResults

Make = Callable[..., StudyResults]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def page_file(made_up: Make, tmp_path: Path) -> Path:
    return report.write(made_up(protocols=("notebook", "holdout")), tmp_path)[0]


def opened(
    browser: Any, file: Path, width: int = 1100, scheme: str = "light"
) -> tuple[Any, list[str]]:
    """The page with all plots drawn, and what it complained of or asked the network for."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request",
        lambda request: trouble.append(request.url) if request.url.startswith("http") else None,
    )
    page.goto(file.as_uri())
    page.wait_for_function(
        "[...document.querySelectorAll('.plot')].every(one => one.querySelector('svg'))"
    )
    return page, trouble


@pytest.mark.parametrize("width", [1100, 360])
def test_every_plot_is_drawn_nothing_is_fetched_and_nothing_overflows(
    browser: Any, page_file: Path, width: int
) -> None:
    page, trouble = opened(browser, page_file, width)
    assert page.locator(".plot svg").count() > 10
    assert trouble == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_the_dark_scheme_turns_page_and_plots(browser: Any, page_file: Path) -> None:
    ask = """() => [
        getComputedStyle(document.body).backgroundColor,
        document.querySelector('.plot svg text').getAttribute('fill'),
    ]"""
    page, _ = opened(browser, page_file)
    light = page.evaluate(ask)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "before => document.querySelector('.plot svg text')?.getAttribute('fill') !== before",
        arg=light[1],
    )
    dark = page.evaluate(ask)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    page.close()


def test_without_javascript_tables_and_sentences_remain(browser: Any, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator("table").count() > 10
    assert "The plots need JavaScript" in page.content()
    context.close()


def test_it_prints_to_pages(browser: Any, page_file: Path) -> None:
    page, _ = opened(browser, page_file)
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
