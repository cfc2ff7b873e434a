from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sentilab.report.labels import DOT, HEIGHT, LETTER, LINE, WIDTH, Placed, place

Place = tuple[float, float]
share = st.floats(0.05, 0.95)


def box(label: Placed, point: Place) -> tuple[float, float, float, float]:
    x, y = WIDTH * point[0] + label.dx, HEIGHT * (1 - point[1]) + label.dy
    width = LETTER * len(label.text)
    left = x - (width if label.align == "right" else 0)
    return left, y - LINE / 2, left + width, y + LINE / 2


def apart(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@given(st.lists(st.tuples(share, share), min_size=1, max_size=15))
def test_labels_cover_neither_each_other_nor_another_point(points: list[Place]) -> None:
    names = [f"model {number}" * (1 + number % 2) for number in range(len(points))]
    numbers = [str(number) for number in range(1, len(points) + 1)]
    placed = place(points, names, numbers, range(len(points)))
    boxes = [box(label, point) for label, point in zip(placed, points, strict=True)]
    shown = [number for number, label in enumerate(placed) if label.text]
    for one, other in combinations(shown, 2):
        assert apart(boxes[one], boxes[other])
    for one in shown:
        assert boxes[one][0] >= 0
        assert boxes[one][2] <= WIDTH
        for other, (x, y) in enumerate(points):
            centre = WIDTH * x, HEIGHT * (1 - y)
            dot = (centre[0] - DOT, centre[1] - DOT, centre[0] + DOT, centre[1] + DOT)
            assert one == other or apart(boxes[one], dot)


def test_points_far_apart_keep_their_names() -> None:
    points = [(0.1, 0.1), (0.5, 0.5), (0.6, 0.9)]
    placed = place(points, ["one", "two", "three"], ["1", "2", "3"], [0, 1, 2])
    assert [one.text for one in placed] == ["one", "two", "three"]


def test_a_name_without_room_gives_way_to_its_number_and_that_to_nothing() -> None:
    points = [(0.5 + 0.01 * column, 0.5 + 0.01 * row) for column in range(4) for row in range(4)]
    names = ["a name that is rather long"] * 16
    placed = place(points, names, [str(number) for number in range(16)], range(16))
    assert placed[0].text == names[0] or placed[0].text == "0"
    assert "" in {one.text for one in placed}


def test_names_keep_off_the_line_of_steps() -> None:
    points = [(0.3, 0.3), (0.8, 0.7)]
    free = place(points, ["left", "right"], ["1", "2"], [0, 1])[0]
    beside = place(points, ["left", "right"], ["1", "2"], [0, 1], [0, 1])[0]
    assert np.isclose(free.dy, 0)
    assert free.align == "left"
    assert (beside.align, beside.dy) != (free.align, free.dy)
