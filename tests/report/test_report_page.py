import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sentilab import report
from sentilab.studies import StudyResults

Make = Callable[..., StudyResults]


class Page(HTMLParser):
    """What a browser would fetch, the ids, the links inside the page, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self._skip = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._skip += tag in ("script", "style")
        if tag in ("script", "img", "iframe", "source") and found.get("src"):
            self.fetched.append(str(found["src"]))
        if tag == "link" and not str(found.get("href")).startswith("data:"):
            self.fetched.append(str(found["href"]))
        if found.get("id"):
            assert found["id"] not in self.ids, f"two elements have the id {found['id']}"
            self.ids.add(str(found["id"]))
        if tag == "a":
            self.links.append(str(found["href"]))

    def handle_endtag(self, tag: str) -> None:
        self._skip -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.text += data


def written(results: StudyResults, folder: Path) -> tuple[Page, str, str]:
    html, text = report.write(results, folder)
    content = html.read_text(encoding="utf-8")
    return Page(content), text.read_text(encoding="utf-8"), content


def test_the_page_fetches_nothing_and_its_links_lead_somewhere(
    made_up: Make, tmp_path: Path
) -> None:
    page, _, html = written(made_up(), tmp_path)
    assert page.fetched == []
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert "@import" not in html
    assert len(re.findall(r"window\.vegaEmbed ?=", html)) == 1


def test_every_question_is_there_in_order_in_both_files(made_up: Make, tmp_path: Path) -> None:
    results = made_up()
    page, text, _ = written(results, tmp_path)
    for content in (page.text, text):
        at = 0
        for number, question in enumerate(results.questions, start=1):
            at = content.index(f"{number}. {question.title}", at)


def test_both_files_hold_the_same_sentences(made_up: Make, tmp_path: Path) -> None:
    from sentilab.report.blocks import Paragraph
    from sentilab.report.document import document

    results = made_up()
    page, text, _ = written(results, tmp_path)
    plain = " ".join(page.text.split())
    unescaped = " ".join(re.sub(r"\\(.)", r"\1", text).split())
    for section in document(results).sections:
        for block in section.blocks:
            if isinstance(block, Paragraph):
                assert " ".join(block.text.split()) in plain
                assert " ".join(block.text.split()) in unescaped


def test_all_runs_stand_beside_the_notebooks_figures(made_up: Make, tmp_path: Path) -> None:
    page, text, _ = written(made_up(), tmp_path)
    for figure in ("0.8648", "0.8479", "0.8669", "0.8517", "0.8726", "2,757,761", "(None, 200, 1)"):
        assert figure in page.text
        assert figure in text


def test_text_from_the_data_cannot_leave_its_place(made_up: Make, tmp_path: Path) -> None:
    hostile = "</script><script>window.broken = 1</script><img src=x onerror=alert(1)> | `*_"
    page, text, html = written(made_up(text=hostile), tmp_path)
    assert hostile in page.text
    assert page.fetched == []
    assert "<script>window.broken" not in html
    # As Markdown it stands in an indented block, where no mark has a meaning.
    assert f"    {hostile}" in text


def test_labels_from_the_data_cannot_leave_their_place(made_up: Make, tmp_path: Path) -> None:
    labels = ("<b>bad</b>", "a|b", "good")
    page, text, html = written(made_up(labels=labels), tmp_path)
    assert "<b>bad</b>" in page.text
    assert "<b>bad" not in html
    assert "a\\|b" in text


def test_generated_data_are_called_so_in_large_letters(made_up: Make, tmp_path: Path) -> None:
    page, text, html = written(made_up(generated=True), tmp_path)
    banner = "GENERATED DATA: THESE ARE NOT IMDB FIGURES"
    assert 'class="banner"' in html
    assert banner in page.text
    assert f"**{banner}**" in text
    assert banner not in written(made_up(), tmp_path)[0].text


def test_a_study_under_way_shows_what_there_is(made_up: Make, tmp_path: Path) -> None:
    waiting = ("two-layers-batch-16", "two-layers-5-epochs", "mlp-without-flatten")
    page, _, _ = written(made_up(unfinished=waiting), tmp_path)
    assert "10 of 13 runs finished so far" in page.text
    assert "planned" in page.text
    assert "have not finished yet" in page.text


def test_a_study_of_which_nothing_has_finished_is_a_page_too(made_up: Make, tmp_path: Path) -> None:
    from sentilab import studies

    names = tuple(one.name for one in studies.read("homework").runs)
    page, _, _ = written(made_up(unfinished=names), tmp_path)
    assert "0 of 13 runs finished so far" in page.text


def test_figures_chosen_on_the_test_split_are_marked(made_up: Make, tmp_path: Path) -> None:
    mark = "chosen on the test split: optimistic"
    assert mark in written(made_up(), tmp_path)[0].text
    assert mark not in written(made_up(protocols=("holdout",)), tmp_path)[0].text


def test_both_protocols_show_what_choosing_on_test_flatters(made_up: Make, tmp_path: Path) -> None:
    page, _, _ = written(made_up(protocols=("notebook", "holdout")), tmp_path)
    assert "What choosing on the test set flatters" in page.text
    assert "123 training rows removed" in page.text


def test_several_seeds_are_gathered_with_their_deviation(made_up: Make, tmp_path: Path) -> None:
    page, _, _ = written(made_up(seeds=(1, 2, 3)), tmp_path)
    assert "on average over 3 seeds" in page.text
    assert "deviation over seeds" in page.text
    assert "paired over 3 seeds" in page.text
    assert page.text.count("Two bi-LSTM layers, batch 16, 2 epochs") < 20


def test_the_closing_table_fits_a_terminal(made_up: Make) -> None:
    from rich.console import Console

    for width in (80, 100):
        console = Console(width=width, record=True, file=__import__("io").StringIO())
        console.print(report.compact_table(made_up(), width))
        lines = console.export_text().splitlines()
        assert max(map(len, lines)) <= width
        assert any("0.8726" in line for line in lines)
        assert any("refused" in line for line in lines)


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_a_report_is_replaced_in_one_step(made_up: Make, tmp_path: Path, name: str) -> None:
    report.write(made_up(), tmp_path)
    first = (tmp_path / name).stat().st_ino
    report.write(made_up(), tmp_path)
    assert (tmp_path / name).stat().st_ino != first
    assert not list(tmp_path.glob(".*partial*"))


def test_many_comparisons_are_counted_and_those_with_a_difference_told(
    made_up: Make, tmp_path: Path
) -> None:
    results = made_up(
        {"plain": 0.85, "length-100": 0.6},
        study="options",
        protocols=("validation",),
        seeds=tuple(range(297, 307)),
    )
    report.write(results, tmp_path)
    text = (tmp_path / "report.md").read_text()
    answer = text.partition("Which options change the accuracy?")[2].partition("|")[0]
    assert "Of 21 comparisons over 10 seeds, " in answer
    assert "100 words reaches 0." in answer
    assert "points below" in answer
    assert "The last state reaches" not in answer
    assert "Validation accuracy; differences in points from The plain model" in text
    assert "test accuracy" not in text.lower().partition("## all runs")[0]
