"""The page's tokeniser makes the integers that Python makes, of any text, in a browser and in Node."""

import json
import random
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentilab.bundle.web_tables import lower_module, page_folder
from sentilab.text.surface import spans_of
from sentilab.text.words import FILTERS, Encoding, Vocabulary, words_of

FIXED = [
    "",
    " ",
    "good",
    "Good. GOOD! good?",
    "don't e-mail me_now",
    f"all{FILTERS}filters",
    "tab\tnewline\nreturn\rform\x0cnull\x00bell\x07",
    "no\u00a0separators\u2003here\u3000or\u2028here\u0085and\ufeffhere",
    "İSTANBUL İ ı I dotless",
    "ΟΔΥΣΣΕΥΣ ΣΟΦΟΣ. Σ ΑΣ ΑΣΑ Α.Σ ΑΣ.Α Α'Σ' ΑΣ\u0301 ΑΣ\u0301Α \u0301Σ 1Σ Σ1 ǅΣ ªΣ ⓐΣ ͅΣ",
    "Α\u00adΣ\u00adΑ 𝐀Σ 𐐀Σ Σ𐐀 A😀Σ",
    "ẞ ß ſ K Å Ω Ǆ ǅ ǆ ᾳ ᾼ Ⴀ Ა ꭰ Ꭰ",
    "𐐀𐐁 𐒰 𑢠 𞤀 𝔸",
    "映画はとても良かった。 Qué película",
    "🎬👩‍👩‍👧 e\u0301",
    "\ud800 A\ud800Σ \udfffΣ \udc00\ud800",
    "word " * 300,
    "x" * 100_000,
    "Σ" * 5_000 + "." * 5_000 + "Σ",
]

ODD = "Σσς.·'’\u0301\u00ad\u200bIİıſKÅ \t\n\r\x00\x0b\x0c\x1c\x85\xa0\u2028\u3000!\"()_{}|~ǄǅΑα1ªⓐ𐐀𐐨𝔸ᾳͅ:^`¨"

PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def drawn(count: int) -> list[str]:
    """Texts of characters from all of Unicode, more often of those that tokenisers get wrong."""
    source = random.Random(20)
    words = [one for text in FIXED[:15] for one in text.split(" ")]

    def letter() -> str:
        kind = source.random()
        if kind < 0.35:
            return chr(source.randrange(0x110000))
        if kind < 0.8:
            return source.choice(ODD)
        return source.choice(words) if kind < 0.9 else chr(source.randrange(0x600))

    texts = ("".join(letter() for _ in range(source.randrange(60))) for _ in range(count))
    # JavaScript cannot tell two halves that stand together from the character that they make.
    return [one for one in texts if not PAIR.search(one)]


def every_letter() -> list[str]:
    """All of Unicode, before and after sigmas; a thousand letters a text."""
    letters = [chr(one) for one in range(0x110000) if not 0xD800 <= one < 0xE000]
    return [
        " ".join(f"{one}Σ A{one}Σ{one} AΣ{one}A" for one in letters[at : at + 1000])
        for at in range(0, len(letters), 1000)
    ]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tokeniser, its table for this Python, and texts with what Python makes."""
    folder = tmp_path_factory.mktemp("tokeniser")
    shutil.copy(page_folder() / "tokeniser.js", folder)
    (folder / "lower.js").write_text(lower_module())
    texts = [*FIXED, *drawn(3_000)]
    known = sorted({word for text in texts for word in words_of(text)[::2]})[:2_000]
    vocabulary = Vocabulary(tuple(known), Encoding(words=2_010, length=20))
    content = {
        "vocabulary": json.loads(vocabulary.to_json()),
        "texts": texts,
        "words": [words_of(one) for one in texts],
        "pieces": [[text[start:end] for start, end in spans_of(text)] for text in texts],
        "ids": vocabulary.encode(texts).tolist(),
        "letters": [[text, words_of(text)] for text in every_letter()],
    }
    (folder / "vectors.json").write_text(json.dumps(content))
    (folder / "compare.js").write_text(COMPARE)
    (folder / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    return folder


# Gives the first texts of which the page's tokeniser makes something else, and what.
COMPARE = """
import { Vocabulary, wordsOf } from "./tokeniser.js";

export function compared({ vocabulary, texts, words, pieces, ids, letters }) {
  const made = new Vocabulary(vocabulary);
  const wrong = [];
  const same = (text, got, wanted) => {
    if (JSON.stringify(got) !== JSON.stringify(wanted)) wrong.push([text, got, wanted].map((one) => JSON.stringify(one)));
  };
  texts.forEach((text, at) => {
    const found = wordsOf(text);
    same(text, found.map(({ word }) => word), words[at]);
    same(text, found.map(({ start, end }) => text.slice(start, end)), pieces[at]);
    const encoded = made.encode(text);
    same(text, [...encoded.ids], ids[at]);
    same(text, [encoded.words, encoded.read], [words[at].length, Math.min(20, words[at].length)]);
  });
  for (const [text, wanted] of letters) same(text, wordsOf(text).map(({ word }) => word), wanted);
  return { compared: texts.length + letters.length, wrong: wrong.slice(0, 5) };
}
"""


def test_a_browser_makes_the_words_and_integers_of_python(
    browser: Any, vectors: Path, files_at: Callable[[Path], str]
) -> None:
    page = browser.new_page()
    page.goto(files_at(vectors))
    found = page.evaluate(
        """async () => {
            const { compared } = await import(document.baseURI + "compare.js");
            return compared(await (await fetch("vectors.json")).json());
        }"""
    )
    page.close()
    assert found["wrong"] == []
    assert found["compared"] > 4_000


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_node_makes_the_words_and_integers_of_python(vectors: Path) -> None:
    (vectors / "package.json").write_text('{"type": "module"}')
    script = (
        'import { compared } from "./compare.js"; import { readFileSync } from "node:fs";'
        'console.log(JSON.stringify(compared(JSON.parse(readFileSync("vectors.json")))));'
    )
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", script],
        cwd=vectors,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["wrong"] == []


def test_the_page_has_the_table_of_this_python() -> None:
    kept = (page_folder() / "lower.js").read_text()
    found = re.search(r'UNICODE = "(.+)"', kept)
    assert found is not None
    if found[1] != unicodedata.unidata_version:
        pytest.skip(
            f"the table is of Unicode {found[1]}, this Python has {unicodedata.unidata_version}; an "
            "export writes its own"
        )
    assert kept == lower_module()
