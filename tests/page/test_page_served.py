"""The page as a server shows it, in a real browser; the server is Sentilab's own."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sentilab.bundle import load

Open = Callable[..., Any]
Serve = Callable[..., Any]

KEY = "a-key-of-some-length"


def test_one_writes_compares_and_sees_every_word(
    opened: Open, serving: Serve, bundles: list[Path]
) -> None:
    tab = opened(serving().url)
    tab.page.select_option("#second", label="three")
    text = "A wonderful film, and the story is not dull. " * 3
    tab.type(text[:20])
    tab.write(text)
    tab.explained()
    predictor = load(bundles[0], engine="onnx", threads=1)
    p = float(predictor.probabilities([text])[0].max())
    assert tab.text(".verdict .label >> nth=0") == predictor.predict([text])[0]
    assert tab.text(".verdict .probability >> nth=0") == f"{100 * p:.1f} %"
    assert "Read the last 12 words; the 15 before were cut off." in tab.text(".facts >> nth=0")
    assert tab.page.locator(".answer >> nth=0 >> .text .unread").count() == 1
    assert tab.text(".text >> nth=0").strip() == text.strip()
    assert tab.page.locator(".answer >> nth=1 >> .bars li").count() == 3
    assert tab.trouble == []


def test_pairs_a_file_and_the_card_work_through_the_server(
    opened: Open, serving: Serve, bundles: list[Path]
) -> None:
    tab = opened(serving().url + "#pairs")
    tab.wait(
        "document.querySelectorAll('.outcome').length && ![...document.querySelectorAll("
        "'.outcome')].some(one => one.dataset.is === 'waiting')"
    )
    texts = [f"{word} film {number}" for number, word in enumerate(["good", "dull"] * 100)]
    lines = "\n".join(f'{number},"{text}"' for number, text in enumerate(texts))
    tab.drop("reviews.csv", f"id,text\n{lines}\n".encode())
    tab.page.click("text=Score this file")
    tab.until("#file-work h2", "200 rows scored")
    rows = list(csv.DictReader(io.StringIO(tab.saved("a.main").decode())))
    predictor = load(bundles[0], engine="onnx", threads=1)
    got = [float(row["probability_positive"]) for row in rows]
    np.testing.assert_allclose(got, predictor.probabilities(texts)[:, 1], atol=1e-5)
    tab.page.click("#tab-card")
    tab.until(".prose", "A model for tests")
    assert "ONNX Runtime" in tab.text("dl")
    assert tab.trouble == []


def test_a_row_that_the_server_refuses_costs_no_other(opened: Open, serving: Serve) -> None:
    tab = opened(serving(text_characters=100, texts_per_request=8).url)
    rows = [b"good"] * 20 + [b"x" * 101] + [b"dull"] * 20
    tab.drop("a.csv", b"text\n" + b"\n".join(rows))
    tab.page.click("text=Score this file")
    tab.until("#file-work h2", "40 rows scored")
    assert "1 row set aside" in tab.text(".aside summary")
    assert "22" in tab.text(".aside tbody")


def test_a_text_that_is_too_long_is_refused_in_words(opened: Open, serving: Serve) -> None:
    tab = opened(serving(text_characters=100).url)
    tab.write("good " * 30)
    tab.until(".answer .trouble", "100")
    tab.write("good")
    tab.until(".verdict .label", "positive")
    assert not tab.page.locator(".answer .trouble").is_visible()


def test_a_server_that_is_gone_is_named_and_one_that_is_back_answers(
    opened: Open, serving: Serve
) -> None:
    service = serving()
    tab = opened(service.url)
    tab.write("good")
    tab.explained()
    service.stop()
    tab.write("dull")
    tab.until("#trouble", "The server does not answer")
    serving(port=service.port)
    tab.page.click("text=Try again")
    tab.until(".verdict .label", "negative")
    assert not tab.page.locator("#trouble").is_visible()


def test_a_server_with_a_key_asks_for_it_and_the_tab_alone_keeps_it(
    opened: Open, serving: Serve
) -> None:
    url = serving(keys=(KEY,)).url
    tab = opened(url)
    tab.until("#trouble", "asks for an API key")
    assert tab.page.evaluate("document.activeElement.id") == "key"
    for wrong, said in (("not for a hëader", "no letters beyond"), ("x" * 20, "does not accept")):
        tab.page.fill("#key", wrong)
        tab.page.keyboard.press("Enter")
        tab.until("#trouble", said)
    tab.page.fill("#key", KEY)
    tab.page.keyboard.press("Enter")
    tab.wait("!document.getElementById('page').hidden")
    tab.write("good")
    tab.until(".verdict .label", "positive")
    assert tab.page.input_value("#key") == ""
    assert tab.page.evaluate("JSON.stringify({ ...localStorage })") == "{}"
    tab.page.reload()
    tab.wait("!document.getElementById('page').hidden")
    # Refusals are told to the console by the browser itself; nothing else was.
    assert all("401" in one for one in tab.trouble)


def test_a_busy_server_is_asked_again(opened: Open, serving: Serve) -> None:
    tab = opened(serving().url)
    busy = [True, True]

    def answer(route: Any) -> None:
        if busy:
            busy.pop()
            route.fulfill(
                status=503,
                headers={"retry-after": "0"},
                json={"error": {"code": "overloaded", "message": "Too much is waiting."}},
            )
        else:
            route.continue_()

    tab.page.route("**/predict", answer)
    tab.write("good")
    tab.until(".answer .trouble", "Too much is waiting")
    tab.until(".verdict .label", "positive")
    tab.page.unroute("**/predict")
