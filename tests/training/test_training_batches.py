import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sentilab.training.batches import bucketed_batches, bucketed_order, epoch_order
from sentilab.training.scoring import cropped_lengths


def test_every_epoch_visits_every_text_once_in_an_order_of_its_own() -> None:
    orders = [epoch_order(297, epoch, 50) for epoch in (1, 2)]
    assert [sorted(order) for order in orders] == [list(range(50))] * 2
    assert list(orders[0]) != list(orders[1])


@given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=60),
    batch=st.integers(1, 9),
    epoch=st.integers(1, 5),
)
def test_bucketed_batches_hold_every_text_once_and_all_but_one_are_full(
    lengths: list[int], batch: int, epoch: int
) -> None:
    found = bucketed_order(7, epoch, np.array(lengths), batch, 400)
    again = bucketed_order(7, epoch, np.array(lengths), batch, 400)
    assert sorted(np.concatenate(found)) == list(range(len(lengths)))
    assert sorted(map(len, found))[1:] == [batch] * (len(found) - 1)
    assert [list(one) for one in found] == [list(one) for one in again]


def test_texts_of_like_length_meet_and_others_each_epoch() -> None:
    lengths = np.random.default_rng(0).integers(1, 400, 640)
    first, second = (bucketed_order(7, epoch, lengths, 16, 400) for epoch in (1, 2))
    for batches in (first, second):
        mixed = [len(set(cropped_lengths(lengths[rows], 400))) > 1 for rows in batches]
        assert sum(mixed) < len(set(cropped_lengths(lengths, 400)))  # at the borders alone
    assert {tuple(sorted(one)) for one in first}.isdisjoint(tuple(sorted(one)) for one in second)
    longest = [lengths[rows].max() for rows in first]
    assert longest != sorted(longest)


def test_batches_are_cropped_to_what_their_longest_text_needs() -> None:
    rng = np.random.default_rng(0)
    x = np.zeros((50, 300), np.int32)
    for row, length in enumerate(rng.integers(1, 301, 50)):
        x[row, 300 - length :] = rng.integers(1, 9, length)
    batches = bucketed_batches(x, np.arange(50), 1, 1, 8)
    for number in range(len(batches)):
        cropped, rows = batches[number]
        assert cropped.shape[1] in (32, 64, 128, 192, 256, 300)
        np.testing.assert_array_equal(
            np.pad(cropped, ((0, 0), (300 - cropped.shape[1], 0))), x[rows]
        )
