import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake_predictor import FakePredictor

from sentilab import bundle
from sentilab.cli import predict
from sentilab.scoring import Progress


class Whole(FakePredictor):
    """With what the command asks for besides."""

    def probabilities(self, texts: list[str]) -> Any:
        return self.probabilities_of(self.encode(texts))

    def explain(self, text: str) -> Any:
        class Why:
            side = "positive"
            pieces = super(Whole, self).explain(text).pieces

        return Why


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(bundle, "load", lambda path, **options: Whole())
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(predict.command, ["a-bundle", *arguments])

    return invoke


def test_one_text_gets_a_label_and_a_probability(run: Any) -> None:
    done = run("a fine film")
    assert done.exit_code == 0
    label, probability = done.output.split()
    assert label in ("negative", "positive")
    assert 50 <= float(probability.rstrip("%")) <= 100


def test_several_texts_are_told_apart_and_cannot_command_the_terminal(run: Any) -> None:
    done = run("a fine\x1b[2Jfilm", "dull " * 100)
    first, second = done.output.splitlines()
    assert first.endswith("a fine�[2Jfilm")
    assert second.endswith("dull du…") or second.endswith("…")
    assert len(second) < 100


def test_json_has_one_line_a_text(run: Any) -> None:
    done = run("a fine film", "dull", "--json", "--explain")
    answers = [json.loads(line) for line in done.output.splitlines()]
    assert [one["text"] for one in answers] == ["a fine film", "dull"]
    assert answers[0]["probability"] == max(answers[0]["probabilities"].values())
    assert "".join(one["text"] for one in answers[0]["pieces"]) == "a fine film"


def test_words_that_weigh_most_come_first(run: Any) -> None:
    lines = run("a magnificent film", "--explain").output.splitlines()
    assert [line.split()[-1] for line in lines[2:]] == ["magnificent", "film", "a"]


def test_a_file_is_scored_beside_itself_and_the_command_says_what_it_made(
    run: Any, tmp_path: Path
) -> None:
    (tmp_path / "reviews.csv").write_text("text\ngood\ndull\na,b\n" + "fine\n" * 30)
    done = run("--file", "reviews.csv")
    assert done.exit_code == 0, done.output
    assert "reviews.scored.csv: 32 rows scored" in done.output
    assert "1 row was set aside, each with its reason: reviews.scored.rejected.csv" in done.output
    assert "Computed by a fake" in done.output
    told = json.loads(run("--file", "reviews.csv", "--restart", "--json").output)
    assert (told["rows"], told["rejected"]) == (32, 1)


@pytest.mark.parametrize(
    ("name", "beside"),
    [("a.csv", "a.scored.csv"), ("a.b.jsonl.gz", "a.b.scored.jsonl.gz"), ("a", "a.scored")],
)
def test_the_scored_file_has_the_same_ending(name: str, beside: str) -> None:
    assert predict._beside(Path("x", name)) == Path("x", beside)


def test_a_stopped_job_says_that_the_same_command_goes_on(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("good\n" * 10)

    def stop(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Whole, "probabilities_of", stop)
    done = run("--file", "a.txt")
    assert done.exit_code == 1
    assert "the same command goes on" in done.output


@pytest.mark.parametrize("arguments", [(), ("text", "--file", "a.csv")])
def test_texts_or_a_file_must_be_given_and_not_both(run: Any, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_lines_of_standard_input_are_answered_as_they_come(tmp_path: Path) -> None:
    code = (
        "from sentilab.cli import predict\n"
        "for some in predict._given(('first', '-', 'last')): print(some, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"['first']\n"
        process.stdin.write(b"one\r\n\ntw")
        assert process.stdout.readline() == b"['one']\n"
        process.stdin.write("o\nthré".encode()[:-1])
        assert process.stdout.readline() == b"['two']\n"
        process.stdin.close()
        assert process.stdout.read().decode() == "['thr�']\n['last']\n"


def test_progress_says_how_much_is_done_and_what_is_left() -> None:
    line = predict._described(Progress(3000, 10, 250, 1000, 1000, 2.0))
    assert line == " 25%  3,000 rows  10 set aside  1,000 a second  9.0 s left"
    assert predict._described(Progress(3000, 0, 0, 0, 0, 2.0)) == "3,000 rows  1,500 a second"
    assert [predict._duration(one) for one in (3.21, 59.6, 61, 7300)] == [
        "3.2 s",
        "60 s",
        "1 min 01 s",
        "2 h 01 min",
    ]


def test_scoring_imports_nothing_of_the_training_stack(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from sentilab.cli import predict\n"
        "import sentilab.bundle, sentilab.scoring.tables\n"
        "heavy = {'keras', 'jax', 'pyarrow', 'rich', 'sklearn', 'pandas', 'scipy', 'platformdirs'}\n"
        "ours = {f'sentilab.{one}' for one in ('training', 'models', 'probe', 'compare', 'studies',"
        " 'report', 'layers', 'data')}\n"
        "print(sorted((heavy | ours) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
