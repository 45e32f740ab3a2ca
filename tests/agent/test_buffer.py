"""Reports that wait: numbered once, bounded, uploaded until they are stored."""

from __future__ import annotations

from typing import Any

import pytest
from wampflask_agent.buffer import BATCH_BYTES, BATCH_REPORTS, Buffer


def filled(count: int, **options: Any) -> Buffer:
    buffer = Buffer(**options)
    for number in range(count):
        buffer.append({"n": number})
    return buffer


def numbers(batch: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(sample["seq"], sample["n"]) for sample in batch]


def test_reports_are_numbered_when_they_are_uploaded() -> None:
    buffer = filled(3)
    assert numbers(buffer.batch()) == [(1, 0), (2, 1), (3, 2)]
    buffer.confirm(3)
    assert len(buffer) == 0
    buffer.append({"n": 9})
    assert numbers(buffer.batch()) == [(4, 9)]


def test_numbers_go_on_from_what_the_hub_has() -> None:
    buffer = filled(1)
    buffer.confirm(41)
    assert numbers(buffer.batch()) == [(42, 0)]


def test_what_may_not_have_arrived_comes_again_with_its_number() -> None:
    buffer = filled(2)
    first = buffer.batch()
    buffer.again()
    buffer.append({"n": 2})
    assert numbers(buffer.batch()) == [*numbers(first), (3, 2)]


def test_what_the_hub_had_stored_does_not_come_again() -> None:
    """The answer was lost with the connection; the next welcome tells."""
    buffer = filled(2)
    buffer.batch()
    buffer.again()
    buffer.append({"n": 2})
    buffer.confirm(2)
    assert numbers(buffer.batch()) == [(3, 2)]
    assert buffer.dropped == 0


def test_a_hub_that_stored_a_part_is_given_the_rest() -> None:
    buffer = filled(3)
    buffer.batch()
    buffer.confirm(2)
    assert numbers(buffer.batch()) == [(3, 2)]


def test_a_hub_that_lost_what_it_had_gets_higher_numbers() -> None:
    """A database restored from a backup has a lower mark; no number is given twice."""
    buffer = filled(1)
    buffer.confirm(100)
    buffer.confirm(50)
    assert numbers(buffer.batch()) == [(101, 0)]


def test_the_oldest_are_dropped_and_counted() -> None:
    buffer = filled(100, most=200)
    assert 0 < len(buffer) < 100
    assert buffer.dropped == 100 - len(buffer)
    assert buffer.batch()[-1]["n"] == 99


def test_what_is_under_way_is_not_dropped() -> None:
    buffer = filled(3, most=30)
    under_way = numbers(buffer.batch())
    for number in range(50):
        buffer.append({"n": 100 + number})
    dropped = buffer.dropped
    buffer.confirm(under_way[-1][0])
    assert buffer.dropped == dropped
    assert buffer.batch()[-1]["n"] == 149


def test_what_was_dropped_but_had_been_stored_does_not_count() -> None:
    buffer = filled(3, most=30)
    last = buffer.batch()[-1]["seq"]
    buffer.again()
    for number in range(50):
        buffer.append({"n": 100 + number})
    lost = buffer.dropped
    buffer.confirm(last)
    assert buffer.dropped == lost - 3


def test_a_batch_has_bounds() -> None:
    assert len(filled(BATCH_REPORTS * 3).batch()) == BATCH_REPORTS
    large = Buffer()
    for number in range(5):
        large.append({"n": number, "text": "x" * (BATCH_BYTES // 3)})
    assert len(large.batch()) == 2
    huge = Buffer()
    huge.append({"n": 0, "text": "x" * (BATCH_BYTES * 2)})
    assert len(huge.batch()) == 1, "one that is too large alone is still tried: the hub says what is wrong with it"


def test_a_refused_batch_is_halved_until_the_bad_one_is_found() -> None:
    buffer = filled(20)
    stored: list[int] = []
    for _ in range(40):
        batch = buffer.batch()
        if not batch:
            break
        if any(sample["n"] == 13 for sample in batch):
            buffer.refuse()
        else:
            stored += [sample["n"] for sample in batch]
            buffer.confirm(batch[-1]["seq"])
    assert stored == [number for number in range(20) if number != 13]
    assert buffer.dropped == 1


def test_a_restart_keeps_samples_with_their_numbers() -> None:
    buffer = filled(2)
    buffer.batch()
    buffer.append({"n": 2, "name": "ü\n"})
    fresh = Buffer()
    fresh.load(buffer.dump())
    assert numbers(fresh.batch()) == [(1, 0), (2, 1), (3, 2)]


@pytest.mark.parametrize("text", ["", "\n", "1", "x {}", '1 {"n": ', "1 []", "-1 {}", "1 ü", "\x00\xff"])
def test_a_damaged_file_is_left_out(text: str) -> None:
    buffer = Buffer()
    buffer.load(f'{text}\n0 {{"n":7}}\n')
    assert [sample["n"] for sample in buffer.batch()] == [7]


def test_a_file_larger_than_the_buffer_is_cut() -> None:
    buffer = Buffer(most=100)
    buffer.load(filled(100).dump())
    assert buffer.batch()[-1]["n"] == 99
    assert buffer.dropped > 50
