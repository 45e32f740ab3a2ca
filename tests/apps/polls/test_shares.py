"""Percentages: whole, fair, and for a single choice a hundred in all."""

from __future__ import annotations

import pytest

from wampflask.apps.polls import shares


@pytest.mark.parametrize(
    ("votes", "percents"),
    [
        ([], []),
        ([0, 0, 0], [0, 0, 0]),
        ([1, 0], [100, 0]),
        ([1, 7], [12, 88]),
        ([4, 3, 1], [50, 38, 12]),
        ([1, 3, 4], [12, 38, 50]),
        ([1, 1, 1], [34, 33, 33]),
        ([0, 1, 1, 1], [0, 34, 33, 33]),
        ([1, 1, 1, 1, 1, 1], [17, 17, 17, 17, 16, 16]),
        ([2, 1], [67, 33]),
        ([1, 999], [0, 100]),
        ([10**9, 1], [100, 0]),
    ],
)
def test_a_single_choice_adds_up_to_a_hundred(votes: list[int], percents: list[int]) -> None:
    assert shares.of_all_votes(votes) == percents


def test_more_votes_never_show_less_and_no_votes_nothing() -> None:
    for first in range(12):
        for second in range(12):
            for third in range(1, 12):
                votes = [first, second, third]
                percents = shares.of_all_votes(votes)
                assert sum(percents) == 100
                for count, percent in zip(votes, percents, strict=True):
                    assert abs(percent - 100 * count / sum(votes)) < 1
                    assert count or percent == 0
                order = sorted(zip(votes, percents, strict=True))
                assert [percent for _, percent in order] == sorted(percents)


def test_a_multiple_choice_is_of_voters_with_halves_rounded_up() -> None:
    assert shares.of_voters([0, 0], 0) == [0, 0]
    assert shares.of_voters([8, 1, 3, 0], 8) == [100, 13, 38, 0]
    assert shares.of_voters([1, 2, 3], 3) == [33, 67, 100]
