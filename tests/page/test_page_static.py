"""The exported page in a real browser: nothing is asked of anyone once it is there."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentilab.bundle import load

Open = Callable[..., Any]

TEXTS = [
    "good",
    "The film is not bad, and the story is wonderful!",
    "dull " * 40 + "great",
    "ΣΟΦΌΣ. İSTANBUL\u00a0good \r bad\tgood",
    "\ud800 lone",
    "🎬",
    "!!!",
]

ASK = """async ([model, texts]) => {
    const base = document.baseURI;
    const { StaticBackend } = await import(base + "backend-static.js");
    const backend = new StaticBackend("models.json", () => {});
    await backend.models();
    const given = typeof texts === "string" ? await (await fetch(base + texts)).json() : texts;
    return {
        predicted: await backend.predict(model, given),
        explained: await Promise.all(given.map((one) => backend.explain(model, one))),
        golden: await backend.check(model),
    };
}"""


def joined(pieces: Sequence[tuple[str, float | None]]) -> list[tuple[str, float | None]]:
    """Neighbours that have no weight made one."""
    made: list[tuple[str, float | None]] = []
    for text, weight in pieces:
        if weight is None and made and made[-1][1] is None:
            made[-1] = (made[-1][0] + text, None)
        else:
            made.append((text, weight))
    return made


@pytest.mark.parametrize("model", ["plain", "lstm", "three"])
def test_the_browser_answers_and_explains_as_python_does(
    opened: Open, static: str, exported: Path, bundles: list[Path], model: str
) -> None:
    # As a file: half a character would not survive the way into the browser.
    (exported / "texts.json").write_text(json.dumps(TEXTS))
    tab = opened(static)
    found = tab.page.evaluate(ASK, [model, "texts.json"])
    predictor = load(next(one for one in bundles if one.name == model), engine="onnx", threads=1)
    wanted = predictor.probabilities(TEXTS)
    labels = predictor.labels
    got = [[one["probabilities"][label] for label in labels] for one in found["predicted"]]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)
    assert [one["label"] for one in found["predicted"]] == predictor.predict(TEXTS)
    assert [one["words"] for one in found["predicted"]] == [1, 10, 41, 5, 2, 1, 0]
    assert [one["read"] for one in found["predicted"]] == [1, 10, 12, 5, 2, 1, 0]
    for text, one in zip(TEXTS, found["explained"], strict=True):
        expected = predictor.explain(text)
        assert (one["label"], one["side"]) == (expected.label, expected.side)
        pieces = joined(expected.pieces)
        if "\ud800" not in text:
            assert [piece["text"] for piece in one["pieces"]] == [piece for piece, _ in pieces]
        for piece, (_, weight) in zip(one["pieces"], pieces, strict=True):
            assert piece["weight"] == (None if weight is None else pytest.approx(weight, abs=2e-3))
    assert found["golden"]["texts"] == 5
    assert found["golden"]["largest"] <= 1e-5
    assert tab.trouble == []


def test_one_writes_and_sees_the_answer_and_every_words_weight(opened: Open, static: str) -> None:
    tab = opened(static)
    tab.type("A wonderful film, not dull")
    tab.explained()
    assert tab.text(".verdict .label") == "positive"
    assert "%" in tab.text(".verdict .probability")
    assert tab.text("#count") == "5 words"
    marks = tab.page.eval_on_selector_all(
        ".text mark", "all => all.map(one => [one.innerText, one.className, one.title])"
    )
    by_word = {word: (side, title) for word, side, title in marks}
    assert by_word["wonderful"][0] == "above"
    assert by_word["dull"][0] == "below"
    assert "log odds, for negative" in by_word["dull"][1]
    tab.page.click(".more summary")
    tab.wait("document.querySelector('.words-table')")
    rows = tab.page.eval_on_selector_all(
        ".words-table tbody tr", "all => all.map(one => one.innerText)"
    )
    assert len(rows) == 5
    assert any(row.startswith("dull") and "−" in row and "negative" in row for row in rows)
    tab.until("#said", "plain: positive")
    tab.page.click("#clear")
    tab.wait("document.querySelector('.full').hidden && !document.querySelector('.empty').hidden")
    assert tab.trouble == []


def test_the_newest_text_wins(opened: Open, static: str) -> None:
    tab = opened(static)
    for text in ("awful", "awful dull", "awful dull worst", "superb"):
        tab.write(text)
    tab.explained()
    assert tab.text(".verdict .label") == "positive"
    assert tab.text(".text") == "superb"
    assert tab.trouble == []


def test_markup_in_texts_and_labels_stays_text(opened: Open, static: str) -> None:
    tab = opened(static)
    tab.page.select_option("#first", label="three")
    tab.write("<img src=x onerror=alert(1)> good <script>1</script>")
    tab.explained()
    assert tab.text(".text") == "<img src=x onerror=alert(1)> good <script>1</script>"
    assert tab.text(".bars li .bar-name >> nth=0") in ("calm", "<b>glad</b>", "sad")
    assert tab.page.locator(".bars li").count() == 3
    assert tab.page.locator("main img, main script, main b").count() == 0
    assert tab.trouble == []


def test_two_models_answer_side_by_side(opened: Open, static: str) -> None:
    tab = opened(static)
    tab.page.click(".chip >> nth=0")
    tab.page.select_option("#second", label="lstm")
    tab.explained()
    assert tab.page.locator(".answer h2").all_inner_texts() == ["plain", "lstm"]
    assert "Calibrated, temperature 1.30" in tab.text(".answer >> nth=0")
    assert "not calibrated" in tab.text(".answer >> nth=1")
    # A model beside itself is no choice.
    assert tab.page.locator("#second option").nth(1).is_disabled()
    tab.page.select_option("#first", label="lstm")
    tab.wait("document.querySelectorAll('.answer').length === 1")
    assert tab.trouble == []


def test_pairs_say_whether_the_label_turned_as_it_should(opened: Open, static: str) -> None:
    tab = opened(static + "#pairs")
    tab.wait(
        "document.querySelectorAll('.outcome').length === 13 && ![...document.querySelectorAll("
        "'.outcome')].some(one => one.dataset.is === 'waiting')"
    )
    # The model averages its words' vectors: "wonderful" and "dreadful" it tells apart, "not" it does not.
    outcomes = tab.page.locator(".pair").all_inner_texts()
    assert any("A wonderful story" in one and "✓ turned, as it should" in one for one in outcomes)
    assert any("bad" in one and "✗ stayed, should turn" in one for one in outcomes)
    assert " of 12 as expected by plain" in tab.text("#pairs-sum").replace("\n", " ")
    tab.page.fill(".own input >> nth=0", "superb")
    tab.until(".own .outcome", "✓ turned")
    tab.page.select_option(".own select", "stays")
    tab.until(".own .outcome", "✗ turned, should stay")
    tab.page.click(".pair-text:has-text('dreadfully'), .pair-text:has-text('A dreadful story')")
    tab.explained()
    assert tab.page.input_value("#text") == "A dreadful story, clumsily told."
    assert tab.page.get_attribute("#tab-read", "aria-selected") == "true"
    assert tab.trouble == []


SHEET = (
    '\ufeffid,review\r\n1,"good, ""very"" good\r\nfilm"\r\n2,awful\r\n3,one,too many\r\n'
    '4,"stray\r\n5,\r\n6,dull\r\n'
).encode() + b"7,\xff\r\n8,great"


def test_a_dropped_csv_comes_back_scored_with_bad_rows_set_aside(
    opened: Open, static: str, bundles: list[Path]
) -> None:
    tab = opened(static)
    tab.drop("reviews.csv", SHEET)
    tab.page.click("text=Score this file")
    tab.until("#file-work h2", "4 rows scored")
    assert "4 rows set aside" in tab.text(".aside summary")
    saved = tab.saved("a.main")
    assert saved.startswith(b"\xef\xbb\xbf")
    assert saved.count(b"\r\n") == 6  # the header, four rows, and one inside a text
    rows = list(csv.DictReader(io.StringIO(saved.decode("utf-8-sig"), newline="")))
    assert list(rows[0]) == [
        "id",
        "review",
        "label",
        "probability",
        "probability_negative",
        "probability_positive",
    ]
    assert [row["id"] for row in rows] == ["1", "2", "6", "8"]
    assert rows[0]["review"] == 'good, "very" good\r\nfilm'
    predictor = load(bundles[0], engine="onnx", threads=1)
    wanted = predictor.probabilities([row["review"] for row in rows])
    got = [[float(row[f"probability_{one}"]) for one in ("negative", "positive")] for row in rows]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)
    assert [row["label"] for row in rows] == ["positive", "negative", "negative", "positive"]
    rejected = tab.saved(".aside a").decode()
    aside = list(csv.DictReader(io.StringIO(rejected)))
    assert [row["line"] for row in aside] == ["5", "6", "7", "9"]
    assert tab.trouble == []


def test_where_no_column_is_named_for_texts_one_is_asked(opened: Open, static: str) -> None:
    tab = opened(static + "#file")
    content = b"key;story;label\n1;good;x\n2;dull film;y\n"
    tab.page.set_input_files(
        "#file-input", {"name": "a.csv", "mimeType": "text/csv", "buffer": content}
    )
    tab.until(".choose .note", "The longest is chosen")
    assert tab.page.evaluate("document.activeElement.id") == "column"
    assert tab.page.locator("#column option:checked").inner_text() == "story"
    assert tab.page.locator(".preview li").all_inner_texts() == ["good", "dull film"]
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.until("#file-work h2", "2 rows scored")
    # The file has a column of that name already.
    assert tab.saved("a.main").decode().splitlines()[0] == (
        "key;story;label;predicted_label;predicted_probability;predicted_probability_negative;"
        "predicted_probability_positive"
    )
    assert tab.trouble == []


def test_a_long_file_can_be_stopped_and_what_is_done_kept(opened: Open, static: str) -> None:
    tab = opened(static)
    tab.drop("many.csv", b"text\n" + b"a good film\n", repeated=60_000)
    tab.page.click("text=Score this file")
    tab.until(".running p", "scored")
    tab.page.click("text=Stop")
    tab.until("#file-work", "You stopped it")
    kept = tab.saved("a.main").decode().splitlines()
    assert 1 < len(kept) <= 60_000
    assert all(line.startswith("a good film,positive,0.") for line in kept[1:])
    assert tab.trouble == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfet\x00e\x00", "UTF-16"),
        (b"", "first line is empty"),
        (b"\x89PNG\x00\x01\x02", "does not look like a CSV"),
        (b"a,a\n1,2\n", "Two columns are named"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_in_words(
    opened: Open, static: str, content: bytes, said: str
) -> None:
    tab = opened(static)
    tab.drop("thing.csv", content)
    tab.until("#file-work .trouble", said)
    assert tab.page.locator(".zone").is_visible()
    assert tab.trouble == []


def test_once_it_is_loaded_it_needs_no_network(opened: Open, static: str) -> None:
    tab = opened(static)
    tab.write("good")
    tab.explained()
    tab.page.context.set_offline(True)
    tab.write("a dreadful story")
    tab.until(".verdict .label", "negative")
    tab.explained()
    tab.drop("reviews.csv", b"text\ngreat\n")
    tab.page.click("text=Score this file")
    tab.until("#file-work h2", "1 row scored")
    assert tab.trouble == []


def test_a_text_without_end_is_refused_in_words(opened: Open, static: str) -> None:
    tab = opened(static)
    tab.page.evaluate(
        """() => {
            const text = document.getElementById("text");
            text.value = "x".repeat(100_001);
            text.dispatchEvent(new Event("input"));
        }"""
    )
    tab.until(".answer .trouble", "100,001 characters")
    tab.write("good")
    tab.until(".verdict .label", "positive")
    assert tab.trouble == []


def test_the_small_model_is_loaded_where_it_is_asked_for(opened: Open, static: str) -> None:
    asked: list[str] = []
    tab = opened(static)
    tab.page.context.on("request", lambda request: asked.append(request.url.split("/")[-1]))
    tab.page.select_option("#first", label="lstm")
    tab.write("a superb film")
    tab.explained()
    assert "model.onnx" in asked
    assert "model.int8.onnx" not in asked
    tab.page.click("#tab-card")
    tab.page.click("text=8-bit weights")
    tab.page.click("#tab-read")
    tab.wait("!document.querySelector('.answer').hasAttribute('aria-busy')")
    tab.explained()
    assert "model.int8.onnx" in asked
    assert tab.text(".verdict .label") in ("negative", "positive")
    assert tab.trouble == []


def test_the_card_shows_what_the_model_is_and_checks_the_copy(opened: Open, static: str) -> None:
    tab = opened(static + "#card")
    tab.until(".prose", "A model for tests")
    card = tab.text(".prose")
    assert "license" not in card
    assert "<script>alert(1)</script>" in card
    assert tab.page.locator(".prose script, .prose img, .prose [href^=javascript]").count() == 0
    assert tab.page.locator(".prose a").get_attribute("href") == "https://example.org/x"
    assert tab.text(".prose td.n") == "0.9"
    assert "the last 12 words" in tab.text("dl")
    tab.page.click("text=Check this copy")
    tab.until(".self-check", "5 examples")
    assert tab.trouble == []


def test_a_damaged_copy_is_noticed(
    opened: Open, exported: Path, tmp_path: Path, files_at: Callable[[Path], str]
) -> None:
    copy = shutil.copytree(exported, tmp_path / "copy")
    graph = copy / "models" / "1-plain" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")
    tab = opened(files_at(copy))
    tab.write("good")
    tab.until("#trouble", "is not the file that was exported")
    # Those who cannot see it hear of it, and there is a way on.
    assert tab.page.get_attribute("#trouble", "role") == "alert"
    assert tab.page.locator("#trouble button").is_visible()


def test_tabs_and_theme_work_from_the_keyboard(opened: Open, static: str) -> None:
    tab = opened(static, color_scheme="light")
    tab.wait("!document.getElementById('page').hidden")
    tab.page.focus("#tab-read")
    for key, name in (("ArrowRight", "pairs"), ("End", "card"), ("ArrowRight", "read")):
        tab.page.keyboard.press(key)
        assert tab.page.evaluate("document.activeElement.id") == f"tab-{name}"
        assert tab.page.evaluate(f"!document.getElementById('{name}').hidden")
    color = "getComputedStyle(document.body).backgroundColor"
    light = tab.page.evaluate(color)
    tab.page.focus("#theme")
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate(color) != light
    assert tab.page.get_attribute("#theme", "aria-pressed") == "true"
    tab.page.reload()
    tab.wait("!document.getElementById('page').hidden")
    assert tab.page.evaluate(color) != light
    assert tab.trouble == []


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_nothing_overflows_and_every_field_has_a_name(
    opened: Open, static: str, width: int
) -> None:
    tab = opened(static, viewport={"width": width, "height": 900})
    tab.page.click("text=Try an example review")
    tab.page.select_option("#second", label="lstm")
    tab.explained()
    for name in ("read", "pairs", "file", "card"):
        tab.page.click(f"#tab-{name}")
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width, name
        nameless = tab.page.evaluate(
            """[...document.querySelectorAll("button, input, select, textarea")].filter((one) =>
                !(one.innerText?.trim() || one.ariaLabel || one.labels?.length)).length"""
        )
        assert nameless == 0
    assert tab.trouble == []


CONTRAST = """() => {
    // Any colour as red, green and blue, by way of a canvas.
    const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const over = (colors) => {
        context.clearRect(0, 0, 1, 1);
        for (const one of colors) { context.fillStyle = one; context.fillRect(0, 0, 1, 1); }
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((one) => one / 255);
    };
    const light = (rgb) => rgb.map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
    const poor = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
        if (["OPTION", "NOSCRIPT", "SCRIPT", "STYLE"].includes(element.tagName)) continue;
        const backs = [];
        for (let one = element; one; one = one.parentElement) backs.unshift(getComputedStyle(one).backgroundColor);
        const [back, front] = [over(backs), over([...backs, getComputedStyle(element).color])].map(light);
        const ratio = (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
        if (ratio < 4.5) poor.push(`${element.tagName}.${element.className} "${walker.currentNode.data.trim().slice(0, 30)}" ${ratio.toFixed(2)}`);
    }
    return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(opened: Open, static: str, scheme: str) -> None:
    tab = opened(static, color_scheme=scheme, reduced_motion="reduce")
    tab.wait("!document.getElementById('page').hidden")
    assert tab.page.evaluate(CONTRAST) == []
    tab.write("a wonderful film, not dull")
    tab.explained()
    tab.page.click(".more summary")
    tab.wait("document.querySelector('.words-table')")
    assert tab.page.evaluate(CONTRAST) == []
    tab.page.click("#tab-pairs")
    tab.wait(
        "![...document.querySelectorAll('.outcome')].some(one => one.dataset.is === 'waiting')"
    )
    assert tab.page.evaluate(CONTRAST) == []
    tab.drop("a.csv", b"x,y\n1,good\n2\n")
    assert tab.page.evaluate(CONTRAST) == []
    tab.page.click("text=Score this file")
    tab.until("#file-work h2", "1 row scored")
    assert tab.page.evaluate(CONTRAST) == []
    tab.page.click("#tab-card")
    tab.until(".prose", "A model for tests")
    assert tab.page.evaluate(CONTRAST) == []
    tab.page.context.set_offline(True)
    tab.page.evaluate("fetch('nothing').catch(() => {})")
    assert tab.page.evaluate(CONTRAST) == []


def test_without_javascript_or_a_server_the_page_says_what_it_needs(
    browser: Any, exported: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((exported / "index.html").as_uri())
    assert "needs JavaScript" in page.inner_text("noscript")
    context.close()
    page = browser.new_page()
    page.goto((exported / "index.html").as_uri())
    page.wait_for_timeout(1_700)
    assert page.locator("#starting").is_visible()
    assert "python -m http.server" in page.inner_text("#starting")
    page.close()
