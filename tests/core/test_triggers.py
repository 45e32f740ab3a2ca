"""When jobs are due, on any clock: intervals, calendars in summer and winter, moments, and what was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from wampflask import ConfigError
from wampflask.triggers import STEPS, Trigger, as_datetime, as_moment, calendar, every, latest, once

PARIS = ZoneInfo("Europe/Paris")
SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)
"""The days before clocks are changed in Paris."""


def following(trigger: Trigger, since: datetime, count: int) -> list[datetime]:
    found, moment = [], as_moment(since)
    for _ in range(count):
        after = trigger.after(moment)
        assert after is not None
        found.append(as_datetime(after))
        moment = after
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_every_is_the_same_for_all_who_ask() -> None:
    hourly = every(timedelta(hours=1))
    assert following(hourly, utc("2026-01-01 10:59:59.999"), 2) == [utc("2026-01-01 11:00"), utc("2026-01-01 12:00")]
    odd = every(7)
    assert following(odd, utc("2026-01-01 10:00"), 3) == following(odd, utc("2026-01-01 10:00:00.001"), 3)
    assert as_moment(following(odd, SPRING, 1)[0]) % 7000 == 0
    assert every(1.5) == every(timedelta(milliseconds=1500))


def test_triggers_in_words() -> None:
    lengths = (1, 60, 90, 3600, 7200, 86_400, 1.5)
    assert [every(length).words for length in lengths] == [
        "every second", "every minute", "every 90 seconds", "every hour", "every 2 hours", "every day",
        "every 1.5 seconds",
    ]  # fmt: skip
    assert once(SPRING).words == "once, 2026-03-28 12:00:00 UTC"


def test_a_moment_comes_once() -> None:
    when = once(datetime(2026, 3, 29, 9, tzinfo=PARIS))
    assert following(when, SPRING, 1) == [utc("2026-03-29 07:00")]
    assert when.after(as_moment(utc("2026-03-29 07:00"))) is None


def test_a_calendar_is_read_by_the_clock_of_its_zone() -> None:
    office = calendar({"day_of_week": "mon-fri", "hour": "9,17"}, "Europe/Paris")
    assert following(office, utc("2026-01-02 12:00"), 3) == [
        utc("2026-01-02 16:00"),  # a Friday
        utc("2026-01-05 08:00"),
        utc("2026-01-05 16:00"),
    ]
    assert following(calendar({"hour": 3}, "UTC"), SPRING, 1) == [utc("2026-03-29 03:00")]


@pytest.mark.parametrize(
    ("fields", "since", "expected"),
    [
        # 02:00 becomes 03:00: what is left out is due as much later
        ({"hour": 2, "minute": 30}, SPRING, ["2026-03-29 01:30", "2026-03-30 00:30"]),
        ({"minute": 30}, utc("2026-03-29 00:00"), ["2026-03-29 00:30", "2026-03-29 01:30", "2026-03-29 02:30"]),
        # 03:00 becomes 02:00: a night's job is due once, an hour's each hour
        ({"hour": 2, "minute": 30}, AUTUMN, ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ({"hour": "2,4"}, AUTUMN, ["2026-10-25 00:00", "2026-10-25 03:00", "2026-10-26 01:00"]),
        ({"hour": "*/2"}, AUTUMN.replace(hour=22), ["2026-10-25 00:00", "2026-10-25 03:00", "2026-10-25 05:00"]),
        ({"minute": 30}, AUTUMN.replace(hour=23), ["2026-10-24 23:30", "2026-10-25 00:30", "2026-10-25 01:30"]),
        ({"hour": "*", "minute": 0}, AUTUMN.replace(hour=23), ["2026-10-25 00:00", "2026-10-25 01:00"]),
    ],
)
def test_when_clocks_are_changed(fields: dict[str, int | str], since: datetime, expected: list[str]) -> None:
    found = following(calendar(fields, "Europe/Paris"), since, len(expected))
    assert found == [utc(text) for text in expected]


@pytest.mark.parametrize("fields", [{"hour": 2, "minute": "*/7"}, {"minute": "13,47"}, {"hour": "1-3", "second": 5}])
def test_moments_only_go_forward(fields: dict[str, int | str]) -> None:
    for since in (SPRING, AUTUMN):
        moments = following(calendar(fields, "Europe/Paris"), since, 200)
        assert all(first < second for first, second in pairwise(moments))


def test_what_was_missed_is_counted_and_its_last_found() -> None:
    minutely = every(60)
    now = as_moment(utc("2026-01-01 12:00:30"))
    assert latest(minutely, now - 20_000, now) is None
    assert latest(minutely, now - 40_000, now) == (now - 30_000, 0)
    assert latest(minutely, now - 600_000, now) == (now - 30_000, 9)
    months_ago = as_moment(utc("2025-06-01 00:00"))
    assert latest(minutely, months_ago, now) == (now - 30_000, STEPS), "counted up to a bound, at once"
    assert latest(every(1), months_ago, now) == (now, STEPS)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: every(0), "less than a second"),
        (lambda: every(timedelta(seconds=-3)), "less than a second"),
        (lambda: every(float("nan")), "not a time"),
        (lambda: every("soon"), "not a time"),  # type: ignore[arg-type]
        (lambda: once(datetime(2030, 1, 1)), "time zone"),  # noqa: DTZ001 - that is what is wrong
        (lambda: once("tomorrow"), "time zone"),  # type: ignore[arg-type]
        (lambda: calendar({"hour": 25}, "UTC"), "hour=25"),
        (lambda: calendar({"month": 2, "day": 30}, "UTC"), "never due"),
        (lambda: calendar({"year": 2020}, "UTC"), "never due"),
        (lambda: calendar({"day_of_week": "0"}, "UTC"), "Write names"),
        (lambda: calendar({"day_of_week": "someday"}, "UTC"), "someday"),
        (lambda: calendar({"hour": 3}, "Mars/Olympus"), "Europe/Paris"),
    ],
)
def test_times_that_cannot_be_are_refused(make: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()  # type: ignore[operator]
