"""The benchmark's own arithmetic, table and protocol; nothing here measures."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
# The benchmarks are no part of the installed package.
sys.path.insert(0, str(ROOT))

from benchmarks import batches, cases, contenders, driver, lstm, render, study, worker  # noqa: E402
from benchmarks.cases import Case  # noqa: E402

TWO_LAYERS = Case(layers=2, units=64, length=200, batch=32)


def test_flops_of_the_two_layer_model_are_those_worked_by_hand() -> None:
    # Per token and direction: 128 x 256 and 64 x 256 in each layer, whose inputs are 128 wide.
    macs = 6400 * 2 * 2 * (128 * 256 + 64 * 256)
    output = 32 * 128
    assert cases.flops(TWO_LAYERS, training=False) == 2 * (macs + output) == 2_516_590_592
    assert cases.flops(TWO_LAYERS, training=True) == 3 * 2 * (macs + output)


def test_flops_of_one_layer_are_those_worked_by_hand() -> None:
    one = Case(layers=1, units=128, length=500, batch=16)
    macs = 16 * 500 * 2 * (128 * 512 + 128 * 512) + 16 * 256
    assert cases.flops(one, training=False) == 2 * macs


def test_flops_of_the_mlp_are_those_worked_by_hand() -> None:
    mlp = Case(layers=0, units=64, length=200, batch=32)
    assert cases.flops(mlp, training=False) == 2 * 32 * (25_600 * 64 + 64 * 64 + 64)


def test_projecting_distinct_tokens_once_saves_the_first_layers_projection_alone() -> None:
    saved = 3 * 2 * 2 * (6400 - 1550) * 128 * 256
    every = cases.flops(TWO_LAYERS, training=True)
    assert cases.flops(TWO_LAYERS, training=True, distinct=1550) == every - saved


def test_parameters_are_the_notebooks() -> None:
    assert TWO_LAYERS.parameters == 2_757_761
    assert Case(1, 64, 200, 64).parameters == 2_658_945
    assert Case(0, 64, 200, 64).parameters == 4_202_689


def test_a_case_survives_json() -> None:
    assert Case.from_json(json.loads(json.dumps(TWO_LAYERS.to_json()))) == TWO_LAYERS


def test_the_full_grid_holds_each_case_once_and_the_small_one_first() -> None:
    full = cases.grid("full")
    assert full[: len(cases.ACCEPTANCE)] == cases.grid("small")
    assert len(full) == len({one.key for one in full}) == 2 * 3 * 2 * 4 + 4


def test_a_glob_that_matches_no_case_is_an_error() -> None:
    assert cases.selected(cases.ACCEPTANCE, ["mlp-*-b16"]) == (Case(0, 64, 200, 16),)
    with pytest.raises(ValueError, match="matches none"):
        cases.selected(cases.ACCEPTANCE, ["gru-*"])


def test_the_small_grid_has_inference_at_batch_32_only() -> None:
    assert cases.quantities(TWO_LAYERS, "small", False) == ("step", "predict")
    assert cases.quantities(Case(2, 64, 200, 16), "small", True) == ("step", "epoch")
    assert cases.quantities(Case(2, 64, 200, 16), "full", False) == ("step", "predict")


def test_distinct_tokens_are_counted_within_batches() -> None:
    x = np.array([[0, 1], [1, 2], [3, 3], [3, 3], [9, 8]], dtype=np.int32)
    assert batches.mean_distinct(x, batch=2) == 2.0  # {0, 1, 2} and {3}; a last half batch is none


def test_the_last_two_batches_hold_the_smaller_last_one() -> None:
    assert contenders.last_two(25_000, 32) == slice(24_960, 25_000)
    assert contenders.last_two(64, 32) == slice(0, 64)
    assert contenders.last_two(10, 32) == slice(0, 10)


def test_turns_and_steps_fill_the_time_given() -> None:
    assert driver.plan(step=0.1, seconds=10, repeats=5, most=1000) == (5, 20)
    assert driver.plan(step=4.0, seconds=10, repeats=5, most=1000) == (2, 1)
    assert driver.plan(step=60.0, seconds=10, repeats=5, most=1000) == (1, 1)
    assert driver.plan(step=0.001, seconds=10, repeats=5, most=97) == (5, 97)


def test_time_left_is_shared_by_the_cases_left() -> None:
    assert driver.share(left=300, cases_left=3, overhead=40, weights=6) == 10
    assert driver.share(left=10, cases_left=3, overhead=40, weights=6) == 1


class Fake:
    """A contender whose steps take ``step`` seconds, without taking them."""

    def __init__(self, name: str, step: float, calls: list[str], fails_at: int = 99) -> None:
        self.name, self.step, self.calls, self.fails_at = name, step, calls, fails_at

    def ask(self, **request: Any) -> dict[str, Any]:
        self.calls.append(self.name)
        if self.calls.count(self.name) > self.fails_at:
            raise driver.ContenderFailed("out of memory")
        return {"seconds": self.step * request["count"], "cpu": 0.0}


def test_contenders_take_turns_one_at_a_time() -> None:
    calls: list[str] = []
    fakes = {name: Fake(name, 0.5, calls) for name in "abc"}
    measured, failed = driver.take_turns(fakes, "step", seconds=3, repeats=3, most=100)
    assert not failed
    # One call each to find the pace, then three turns.
    assert "".join(calls) == "abc" + "abc" * 3
    assert {name: one.to_json()["median"] for name, one in measured.items()} == dict.fromkeys(
        "abc", 0.5
    )
    assert measured["a"].count == 2


def test_a_contender_that_fails_is_named_and_the_others_go_on() -> None:
    calls: list[str] = []
    fakes = {"a": Fake("a", 0.5, calls), "b": Fake("b", 0.5, calls, fails_at=2)}
    measured, failed = driver.take_turns(fakes, "step", seconds=3, repeats=3, most=100)
    assert failed == {"b": "out of memory"}
    assert list(measured) == ["a"]
    assert len(measured["a"].seconds) == 3


def served(*requests: dict[str, Any], **handlers: Any) -> list[dict[str, Any]]:
    lines, answers = io.StringIO("".join(json.dumps(one) + "\n" for one in requests)), io.StringIO()
    worker.serve(handlers, lines, answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_a_worker_answers_each_line_and_stops_when_it_is_told() -> None:
    step, end = served(
        {"do": "step", "count": 3},
        {"do": "end"},
        {"do": "step", "count": 1},
        step=lambda request: {"seconds": 0.5 * request["count"]},
    )
    assert step["seconds"] == 1.5
    assert step["cpu"] >= 0
    assert end["peak_memory_mb"] > 1


def test_a_worker_survives_an_error_and_says_whether_a_library_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def build(_: object) -> None:
        raise contenders.Absent("torch is not installed")

    absent, unknown, _ = served({"do": "build"}, {"do": "dance"}, {"do": "end"}, build=build)
    assert absent["absent"]
    assert "torch is not installed" in absent["error"]
    assert not unknown["absent"]
    assert "dance" in unknown["error"]
    assert "Traceback" in capsys.readouterr().err


def test_a_worker_process_that_dies_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no room')"]
    with (
        driver.Worker(command, tmp_path / "log", {}) as one,
        pytest.raises(driver.ContenderFailed, match="no room"),
    ):
        one.ask(do="versions")


def test_a_worker_process_keeps_its_libraries_prints_out_of_its_answers(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from benchmarks import worker\n"
        "worker.contender = lambda *_: {'step': lambda r: print('chatter') or {'seconds': 2.0}}\n"
        "sys.argv = ['worker', 'fake', '1']\n"
        "worker.main()\n"
    )
    with driver.Worker([sys.executable, "-c", program], tmp_path / "log", {}) as one:
        assert one.ask(do="step", count=1)["seconds"] == 2.0
        assert one.ask(do="end")["peak_memory_mb"] > 1
    assert "chatter" in (tmp_path / "log").read_text()


def results(**changes: Any) -> dict[str, Any]:
    """A measurement of two cases, in which torch is absent and TensorFlow has failed once."""

    def taken(median: float, others: float = 0.0) -> dict[str, Any]:
        return {"median": median, "each": [median], "count": 1, "others_cores": others}

    def case(one: Case, step: dict[str, Any], failed: dict[str, str]) -> dict[str, Any]:
        floors = {
            "step": {"fma": 32.0, "sgemm": 50.0, "fma_distinct": 24.0, "adam": 5.0},
            "predict": {"fma": 10.7, "sgemm": 15.0},
        }
        return one.to_json() | {
            "quantities": {"step": step},
            "floors": {"ms": floors},
            "failed": failed,
            "lstm_path": {"sentilab": "fused, AVX-512, 2 threads"},
            "distinct_tokens": 1550.0,
            "parameters": one.parameters,
        }

    three = {
        "sentilab": taken(0.0462),
        "keras-jax": taken(0.165),
        "keras-tensorflow": taken(0.120, 0.4),
    }
    two = {"sentilab": taken(0.5), "keras-jax": taken(2.0)}
    return {
        "date": "2025-01-01 12:00 UTC",
        "environment": {
            "cpu": "a processor",
            "cores": 2,
            "threads": 2,
            "system": "Linux x86_64",
            "python": "3.11.7",
            "blas": "openblas 0.3 Zen",
        },
        "contenders": {
            name: {"title": contenders.TITLES[name], "versions": {"keras": "3.15.1"}}
            for name in three
        },
        "absent": {"torch": "torch is not installed"},
        "floors": {
            "fma_flops": 233e9,
            "sgemm_flops": 200e9,
            "bandwidth": 2e10,
            "fma_measured": True,
        },
        "cases": [
            case(Case(2, 256, 200, 32), two, {"keras-tensorflow": "out of memory"}),
            case(TWO_LAYERS, three, {}),
        ],
        "left_out": [],
    } | changes


def test_the_table_gives_times_ratios_floors_and_notes() -> None:
    text = render.markdown(results())
    rows = [line for line in text.splitlines() if line.startswith("| two layers")]
    assert rows == [
        "| two layers, 64 units, length 200 | 32 | 46.2 (3.6×) | 165 | 120 (1.4×)† | 32.0 (24.0) |",
        "| two layers, 256 units, length 200 | 32 | 500 (4.0×) | 2,000 | failed | 32.0 (24.0) |",
    ]
    assert "- torch is absent: torch is not installed." in text
    assert "out of memory" in text
    assert "- Sentilab's LSTM: fused, AVX-512, 2 threads." in text
    assert "FMA peak 233 GFLOP/s" in text
    assert "†" in text.splitlines()[-1]


def test_cases_left_out_are_named_below_the_table() -> None:
    left = [{"key": "k", "title": "two layers, 256 units", "reason": "needs 9.0 minutes"}]
    assert "two layers, 256 units (needs 9.0 minutes)" in render.markdown(results(left_out=left))


def test_the_plot_has_a_dark_side_for_every_colour() -> None:
    drawn = render.svg(render.plot(results()))
    assert "prefers-color-scheme:dark" in drawn
    used = {color for color in render.LIGHT.values() if f'="{color}"' in drawn}
    assert {render.LIGHT[name] for name in ("page", "sentilab", "keras-jax")} <= used
    assert not any(f'="{color}"' in render.darkened(drawn) for color in used)


def test_earlier_results_of_another_machine_are_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "lstm.json"
    assert lstm.resumed(file, results()) == []
    file.write_text(json.dumps(results()))
    assert len(lstm.resumed(file, results())) == 2
    other = results(environment=results()["environment"] | {"cpu": "another"})
    with pytest.raises(SystemExit, match="another environment: cpu"):
        lstm.resumed(file, other)


def test_every_run_of_the_study_belongs_to_one_part() -> None:
    from fnmatch import fnmatch

    from sentilab import studies

    for run in studies.read("homework").runs:
        parts = [
            name for name, globs in study.PARTS.items() if any(fnmatch(run.name, g) for g in globs)
        ]
        assert len(parts) == 1, run.name


def test_the_studys_summary_adds_up() -> None:
    text = study.summary(
        {"a": {"sentilab": 10.0, "keras": 20.0}, "b": {"sentilab": 10.0, "keras": 40.0}}
    )
    assert text.splitlines()[-1].split() == ["all", "20.0", "60.0", "3.00x"]


def test_a_study_that_ran_on_the_other_ways_lstm_is_refused() -> None:
    fused, keras = (
        {"lstm_path": "fused, AVX2, 2 threads"},
        {"lstm_path": "Keras fallback: asked for"},
    )
    study.require_own_way("sentilab", {"bilstm2-b32": fused, "mlp-b32": keras})
    study.require_own_way("keras", {"bilstm2-b32": keras})
    with pytest.raises(SystemExit, match="ran on"):
        study.require_own_way("keras", {"bilstm2-b32": fused})
    with pytest.raises(SystemExit, match="ran on"):
        study.require_own_way("sentilab", {"bilstm1-b64": keras})
