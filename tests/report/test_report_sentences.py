from collections.abc import Callable, Sequence

import pytest

from sentilab.report import differences
from sentilab.report.answers import answer
from sentilab.report.blocks import Folded, Paragraph
from sentilab.report.differences import judged
from sentilab.report.document import document
from sentilab.report.reading import Pick, correct, gather
from sentilab.report.sentences import duration, listed, optimism, overfitting, p_value, points
from sentilab.studies import StudyResults
from sentilab.training import EpochMetrics

Make = Callable[..., StudyResults]


def forget() -> None:
    for cached in (correct, differences.difference_between, differences.answers):
        cached.cache_clear()


def said(results: StudyResults, title: str) -> str:
    """All paragraphs that answer the question of this title."""
    forget()  # the same folders are written again with other figures
    question = next(one for one in results.questions if one.title == title)
    groups = gather(results, results.protocols[0])
    blocks = answer(question, groups, results, judged(results.questions, groups)).blocks
    return " ".join(one.text for one in blocks if isinstance(one, Paragraph))


def test_batch_sizes_that_differ_are_told_apart_and_equal_ones_are_not(made_up: Make) -> None:
    far = said(made_up({"two-layers-batch-16": 0.6, "two-layers-batch-64": 0.86}), "Batch size")
    assert "Batch 16 reaches 0.5" in far or "Batch 16 reaches 0.6" in far
    assert "of batch 32 on these runs (95% interval" in far
    assert "Batch 64 reaches" in far
    assert "no difference larger than 1 point" in far.split("Batch 64 reaches")[1]


def test_turning_the_figures_turns_the_sentence(made_up: Make) -> None:
    low = said(made_up({"one-layer-batch-64": 0.7}), "One layer instead of two")
    high = said(made_up({"one-layer-batch-64": 0.97}), "One layer instead of two")
    assert "points below the 0." in low
    assert "points above the 0." in high


def test_the_best_is_the_one_with_the_highest_accuracy(made_up: Make) -> None:
    for name, title in (
        ("two-layers-batch-16", "Two bi-LSTM layers, batch 16, 2 epochs"),
        ("two-layers-5-epochs", "Two bi-LSTM layers, batch 32, 5 epochs"),
    ):
        text = said(made_up({name: 0.99}), "The best settings so far")
        assert f"Best on the test texts is {title}:" in text
        assert "Of the 3 others, 3 below it." in text


def test_held_out_the_best_is_chosen_on_validation_texts(made_up: Make) -> None:
    text = said(made_up(protocols=("holdout",)), "The best settings so far")
    assert "Best on validation texts is Two bi-LSTM layers" in text


def test_one_seed_is_never_said_to_settle_it(made_up: Make) -> None:
    assert "trained once, and another seed may turn the order" in said(made_up(), "Batch size")
    assert "another seed may turn" not in said(made_up(seeds=(1, 2, 3)), "Batch size")


def test_mlp_and_lstm_are_compared_with_their_cost(made_up: Make) -> None:
    text = said(made_up({"mlp-1-epoch-batch-32": 0.95}), "MLP or LSTM?")
    assert "The best MLP (MLP, batch 32, 1 epoch) reaches 0.9" in text
    assert "of the best LSTM (" in text
    assert "1.5 times as many parameters" in text
    assert "times as fast" in text


def test_early_stopping_is_held_against_the_notebook(made_up: Make) -> None:
    text = said(made_up(), "Early stopping")
    assert "training ran for 4 epochs and was best after epoch 1" in text
    assert "That is as in the notebook (4 epochs)" in text


def test_the_refused_model_is_explained(made_up: Make) -> None:
    assert "(None, 200, 1)" in said(made_up(), "Dense layers in place of the LSTMs")


def test_the_summary_at_the_top_is_made_of_the_answers(made_up: Make) -> None:
    forget()
    highlights = " ".join(document(made_up({"two-layers-batch-16": 0.5})).highlights)
    assert "Batch size: Batch 16 reaches 0." in highlights
    assert "6 differ" in highlights
    assert "MLP or LSTM? The best MLP" in highlights
    assert len(document(made_up(protocols=("notebook", "holdout"))).highlights) <= 5


def test_the_first_screen_shows_the_differences_that_the_study_asks_for(made_up: Make) -> None:
    forget()
    plot = document(made_up(seeds=(1, 2, 3))).plot
    assert plot is not None
    assert "One bi-LSTM layer, batch 64, 2 epochs against Two bi-LSTM layers" in plot.description


def test_a_pair_that_is_asked_for_from_both_sides_is_corrected_for_once(made_up: Make) -> None:
    forget()
    results = made_up()
    found = judged(results.questions, gather(results, "notebook"))
    turned = [one for one in found.pairs if one[::-1] in found.pairs]
    assert len(found.pairs) == found.number + len(turned) // 2


def test_holm_is_applied_over_all_comparisons_of_the_protocol(made_up: Make) -> None:
    from sentilab.compare import holm

    forget()
    results = made_up({"two-layers-batch-16": 0.8}, seeds=(1, 2, 3))
    found = judged(results.questions, gather(results, "notebook"))
    alone = {frozenset(key): one.found.p_value for key, one in found.pairs.items()}
    corrected = dict(zip(alone, holm(list(alone.values())), strict=True))
    for key, one in found.pairs.items():
        assert one.adjusted_p == corrected[frozenset(key)] >= one.found.p_value


def curve(*pairs: tuple[float, float]) -> Sequence[EpochMetrics]:
    return [
        EpochMetrics(number, 0.5, train, 0.5, validation)
        for number, (train, validation) in enumerate(pairs, start=1)
    ]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (curve((0.8, 0.87), (0.97, 0.85)), "is overfitting"),
        (curve((0.8, 0.85), (0.97, 0.87)), "validation has not turned yet"),
        (curve((0.8, 0.85), (0.87, 0.87)), "no sign of overfitting"),
        (curve((0.8, 0.87), (0.86, 0.86)), "no sign of overfitting"),
    ],
)
def test_overfitting_is_seen_where_it_is(history: Sequence[EpochMetrics], expected: str) -> None:
    assert expected in overfitting(history)


def test_optimism_is_the_gap_between_what_was_shown_and_what_holds() -> None:
    assert "flatters by 1.00 points" in optimism([Pick(0.88, "a", 0.87, "b", None)], 12)
    assert "did not flatter" in optimism([Pick(0.86, "a", 0.87, "b", None)], 12)


def test_optimism_over_seeds_has_an_interval_and_is_held_against_other_seeds() -> None:
    seeds = [Pick(0.88 + 0.001 * n, "a", 0.87, "b", 0.868) for n in range(4)]
    said = optimism(seeds, 12)
    assert "on average over 4 seeds" in said
    assert "flatters by 1.15 points (95% interval over seeds +0.94 to +1.36)" in said
    assert "the setting and epoch so chosen reach 0.8680: −1.35 points" in said


def test_numbers_are_set_as_people_read_them() -> None:
    assert points(-0.0123) == "−1.23"
    assert points(0.0123) == "+1.23"
    assert (duration(8.4), duration(150)) == ("8 s", "2.5 min")
    assert [p_value(p) for p in (0.0001, 0.0321, 0.5, None)] == [
        "p < 0.001",
        "p = 0.032",
        "p = 0.50",
        "",
    ]
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_every_kind_of_question_has_an_answer_while_nothing_is_known(made_up: Make) -> None:
    from sentilab import studies

    results = made_up(unfinished=tuple(one.name for one in studies.read("homework").runs))
    for question in results.questions:
        groups = gather(results, "notebook")
        blocks = answer(question, groups, results, judged(results.questions, groups)).blocks
        assert blocks
        assert all(not isinstance(one, Folded) or one.blocks for one in blocks)
