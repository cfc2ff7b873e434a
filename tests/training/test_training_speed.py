from typing import Any

import numpy as np

from sentilab.training import speed
from sentilab.training.scoring import SCORING_BATCH


def test_the_first_answer_is_not_timed_and_each_repeat_answers_the_same_texts(
    monkeypatch: Any,
) -> None:
    asked: list[int] = []

    def answers(model: Any, x: Any) -> Any:
        asked.append(len(x))
        clock[0] += 10.0 if len(asked) == 1 else 0.25  # as if the first compiled
        return x

    clock = [0.0]
    monkeypatch.setattr(speed, "answers", answers)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock[0])
    found = speed.measure(None, np.ones((5 * SCORING_BATCH, 4), np.int32))
    assert found["seconds"] == [0.25] * speed.REPEATS
    assert found["texts"] == 2 * SCORING_BATCH
    assert asked == [found["texts"]] * (1 + speed.REPEATS)
