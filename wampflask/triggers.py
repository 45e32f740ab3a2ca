"""When jobs are due. Moments are milliseconds since the epoch, so that all machines mean the same one.

A trigger depends on no process, and on nothing that ran before: two processes that ask get the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import takewhile
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from .errors import ConfigError

SECOND = 1_000

STEPS = 1_000
"""Due moments that were missed and are counted, at most."""

_WINDOWS = [timedelta(**{unit: 1}) // timedelta(milliseconds=1) for unit in ("minutes", "hours", "days", "weeks")]


class Trigger(Protocol):
    """When a job is due."""

    @property
    def words(self) -> str:
        """For people."""

    def after(self, moment: int) -> int | None:
        """Return the first due moment after another; None when there is none."""


@dataclass(frozen=True)
class Every:
    """The multiples of a length in milliseconds since the epoch: every hour is at each full hour of UTC."""

    length: int

    @property
    def words(self) -> str:
        for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
            count, rest = divmod(self.length, size * SECOND)
            if not rest:
                return f"every {unit}" if count == 1 else f"every {count} {unit}s"
        return f"every {self.length / SECOND:g} seconds"

    def after(self, moment: int) -> int:
        return (moment // self.length + 1) * self.length


@dataclass(frozen=True)
class Once:
    """One moment."""

    moment: int

    @property
    def words(self) -> str:
        return f"once, {as_datetime(self.moment):%Y-%m-%d %H:%M:%S} UTC"

    def after(self, moment: int) -> int | None:
        return self.moment if self.moment > moment else None


@dataclass(frozen=True)
class Calendar:
    """When a clock on the wall shows what ``fields`` want.

    A time that the change to summer time leaves out is due as much later as the clock was advanced. One that comes
    twice in autumn is due at the first, unless ``hour`` is open: then it is due at both, as in every hour.
    """

    fields: Mapping[str, int | str]
    zone: str

    @property
    def words(self) -> str:
        return f"{', '.join(f'{name}={value}' for name, value in self.fields.items())} ({self.zone})"

    @cached_property
    def _trigger(self) -> Any:
        return CronTrigger(**self.fields, timezone=ZoneInfo(self.zone))

    def after(self, moment: int) -> int | None:
        repeats = str(self.fields.get("hour", "*")) == "*"
        while True:
            found = self._trigger.get_next_fire_time(None, as_datetime(moment + 1))
            if found is None:
                return None
            moment = as_moment(found)
            if repeats or not _is_second_time(found):
                return moment

    def check(self) -> None:
        """See that it is due at some time.

        :raises ValueError: for a field that cannot be, and for a day that never comes.
        """
        if self.after(as_moment(datetime.now(UTC))) is None:
            raise ValueError("that is never due")


def every(length: timedelta | float) -> Every:
    """Return the trigger for ``@wamp.cron(every=…)``.

    :param length: seconds, if it is a number.
    :raises ConfigError: for less than a second, or what is not a time.
    """
    try:
        milliseconds = round((length.total_seconds() if isinstance(length, timedelta) else float(length)) * SECOND)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"every={length!r} is not a time: give seconds, or a timedelta.") from None
    if milliseconds < SECOND:
        raise ConfigError(f"every={length!r} is less than a second: for what happens so often, see wampflask.leader.")
    return Every(milliseconds)


def once(when: datetime) -> Once:
    """Return the trigger for ``@wamp.cron(when=…)``.

    :raises ConfigError: for what is not a moment, or has no time zone.
    """
    if getattr(when, "tzinfo", None) is None:
        raise ConfigError(f"when={when!r} is not a moment with a time zone: datetime(2030, 1, 31, 9, 0, tzinfo=UTC).")
    return Once(as_moment(when))


def calendar(fields: Mapping[str, int | str], zone: str) -> Calendar:
    """Return the trigger for ``@wamp.cron(hour=…, minute=…)``.

    :raises ConfigError: for a field that cannot be, or a time zone that is unknown.
    """
    if any(letter.isdigit() for letter in str(fields.get("day_of_week", ""))):
        raise ConfigError(
            f"day_of_week={fields['day_of_week']!r}: 0 is Sunday for some programs and Monday for others. "
            "Write names: mon, mon-fri, 'sat,sun'."
        )
    made = Calendar(dict(fields), check_zone(zone))
    try:
        made.check()
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{made.words}: {error}.") from None
    return made


def check_zone(zone: str) -> str:
    """Return ``zone``.

    :raises ConfigError: it is unknown.
    """
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError, TypeError):
        raise ConfigError(
            f"{zone!r} is not a time zone that this machine knows. Write it like Europe/Paris; if it is right, "
            "pip install tzdata."
        ) from None
    return zone


def latest(trigger: Trigger, since: int, now: int) -> tuple[int, int] | None:
    """Return the last due moment after ``since`` that has come, and how many before it were passed over.

    These are counted up to :data:`STEPS`.
    """
    found = list(_until(trigger, since, now))
    if not found:
        return None
    if len(found) < STEPS:
        return found[-1], len(found) - 1
    for window in _WINDOWS:
        if recent := list(_until(trigger, max(since, now - window), now)):
            return recent[-1], STEPS
    return found[-1], STEPS


def _until(trigger: Trigger, since: int, now: int) -> Iterator[int]:
    return takewhile(lambda moment: moment <= now, _all(trigger, since))


def _all(trigger: Trigger, moment: int) -> Iterator[int]:
    for _ in range(STEPS):
        following = trigger.after(moment)
        if following is None:
            return
        yield following
        moment = following


def as_datetime(moment: int) -> datetime:
    """Return a moment as people and programs read it."""
    return datetime.fromtimestamp(moment / SECOND, UTC)


def as_moment(when: datetime) -> int:
    """Return a datetime with its time zone as a moment."""
    return round(when.timestamp() * SECOND)


def _is_second_time(local: datetime) -> bool:
    """Return whether the clock has shown this time before, in the hour that comes twice."""
    first = local.replace(fold=0).utcoffset()
    here = local.utcoffset()
    return first is not None and here is not None and first > here
