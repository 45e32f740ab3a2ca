"""Votes as whole percentages: the only place where polls round, so that every page, file and program agrees."""

from __future__ import annotations

from collections.abc import Sequence


def of_all_votes(votes: Sequence[int]) -> list[int]:
    """Return the shares of single choice: whole percentages that add up to 100, or zeros without votes.

    By the largest remainder: every share is rounded down, and the percentages still missing go to the choices that
    lost most; among equals, to the one with more votes, then to the one that stands first.
    """
    total = sum(votes)
    if not total:
        return [0] * len(votes)
    shares = [100 * count // total for count in votes]
    most_lost_first = sorted(range(len(votes)), key=lambda place: (-(100 * votes[place] % total), -votes[place]))
    for place in most_lost_first[: 100 - sum(shares)]:
        shares[place] += 1
    return shares


def of_voters(votes: Sequence[int], voters: int) -> list[int]:
    """Return the shares of multiple choice: the percentage of voters who picked each, halves rounded up.

    They need not add up to 100.
    """
    return [(200 * count + voters) // (2 * voters) if voters else 0 for count in votes]
