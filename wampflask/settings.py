"""Live settings: declared beside their use, edited while everything runs. ``wamp.settings``, opt-in, needs SQLAlchemy.

::

    rate = wamp.settings.declare("chat.rate", "30 per minute", read=parse_rate, help="Messages of one person")

    rate.value                                           # what holds now, as parse_rate returns it
    wamp.settings.set("chat.rate", "10 per minute")      # in every worker at once, and after a restart

Each worker keeps what is stored, and reads it again when another one says that it has changed, after each reconnect,
and once a minute. What the app's configuration sets cannot be edited. Everything is safe in any thread, and needs an
app context; functions that write are not for the reactor's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Generic, Literal, Protocol, TypeVar, cast, overload
from weakref import WeakKeyDictionary

from flask import Flask, current_app
from sqlalchemy import Column, Float, String, Table, Text, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from . import payload, uris
from ._current import current_client
from ._declarations import Subscription
from .errors import AlreadyDeclared, ConfigError
from .options import DEFAULT_PUBLISH
from .publication import Publication
from .signals import Moment
from .store import metadata
from .text_values import reader_of, text_of

__all__ = ["Setting", "Settings"]

CHANGED = "wampflask.settings.changed"
"""Topic: the names that have changed, for every worker."""
ROOT = "settings"
MAX_AGE = 60.0
"""Seconds after which a process looks what is stored, though nobody said that it has changed."""
NAME_MAX = 100
TEXT_MAX = 10_000

STORED = Table(
    "wampflask_settings",
    metadata,
    Column("name", String(NAME_MAX), primary_key=True),
    Column("text", Text, nullable=False),
    Column("changed_at", Float, nullable=False),  # seconds since the epoch
    Column("changed_by", String(255), nullable=False),
)

T = TypeVar("T")
Source = Literal["default", "stored", "configuration"]
OnChange = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What was set: the text, when (seconds since the epoch), and by whom."""

    text: str
    changed_at: float
    changed_by: str

    @property
    def when(self) -> datetime:
        """When it was set, in UTC."""
        return datetime.fromtimestamp(self.changed_at, UTC)


@dataclass(frozen=True, slots=True)
class Present:
    """What a setting is now.

    :param source: ``configuration`` wins over ``stored``, and that over ``default``.
    """

    text: str
    source: Source
    stored: Stored | None = None


class Setting(Generic[T]):
    """One declared setting: what :meth:`Settings.declare` returns.

    :param read: makes a value of a text, or raises ValueError with words for the person who typed it.
    :param key: the configuration key that sets it for good.
    :param live: pages may have it.
    """

    def __init__(
        self, settings: Settings, name: str, default: str, read: Callable[[str], T], about: str, key: str, *, live: bool
    ) -> None:
        self._settings = settings
        self.name, self.default, self.help, self.key, self.live = name, default, about, key, live
        self._read = read
        self.on_change: list[OnChange] = []

    @property
    def value(self) -> T:
        """What holds now."""
        return cast("T", self._settings.values().of(self))

    @property
    def present(self) -> Present:
        """What it is now, and where that comes from."""
        return self._settings.values().present(self)

    def changed(self, function: OnChange) -> OnChange:
        """Decorator: call a function with the new value in each worker when it has changed."""
        self.on_change.append(function)
        return function

    def read(self, text: str) -> T:
        """Return the value of a text.

        :raises ConfigError: it has none.
        """
        try:
            return self._read(text)
        except ValueError as error:
            raise ConfigError(f"{self.name}: {error}") from None


@dataclass(slots=True)
class _Values:
    """One app's values in this process."""

    lock: Lock = field(default_factory=Lock)
    at: float = 0.0
    stored: dict[str, Stored] = field(default_factory=dict)
    read: dict[str, tuple[str, Any]] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    notified: dict[str, str] = field(default_factory=dict)

    def present(self, setting: Setting[Any]) -> Present:
        configured = current_app.config.get(setting.key) if setting.key else None
        stored = self.stored.get(setting.name)
        if configured is not None:
            return Present(str(configured), "configuration", stored)
        return Present(stored.text, "stored", stored) if stored else Present(setting.default, "default")

    def of(self, setting: Setting[Any]) -> Any:
        """Return the value; the default's where what is stored was written for another version of the code."""
        present = self.present(setting)
        kept = self.read.get(setting.name)
        if kept is None or kept[0] != present.text:
            try:
                kept = (present.text, setting.read(present.text))
            except ConfigError as error:
                if present.source == "configuration":
                    raise
                if setting.name not in self.unreadable:
                    current_app.logger.warning("A stored setting is not used: %s", error)
                    self.unreadable.add(setting.name)
                kept = (present.text, setting.read(setting.default))
            self.read[setting.name] = kept
        return kept[1]


class Declares(Protocol):
    """What settings need of :class:`wampflask.WAMP`."""

    def on(self, moment: Moment) -> Callable[[Callable[..., Any]], object]: ...
    def value(self, uri: str, *, allow: Iterable[str] | str) -> Callable[[Callable[..., Any]], object]: ...
    def changed(self, uri: str) -> None: ...


class Settings:
    """What ``wamp.settings`` is: all settings that are declared on one ``WAMP``, by name."""

    def __init__(self, wamp: Declares, declare: Callable[[Subscription], None]) -> None:
        self._wamp = wamp
        self._declare = declare
        self._declared: dict[str, Setting[Any]] = {}
        self._values: WeakKeyDictionary[Flask, _Values] = WeakKeyDictionary()

    # -- declaring

    @overload
    def declare(
        self, name: str, default: T, *, help: str = ..., key: str = ..., allow: Iterable[str] | str = ...
    ) -> Setting[T]: ...

    @overload
    def declare(
        self,
        name: str,
        default: object,
        *,
        read: Callable[[str], T],
        help: str = ...,
        key: str = ...,
        allow: Iterable[str] | str = ...,
    ) -> Setting[T]: ...

    def declare(
        self,
        name: str,
        default: object,
        *,
        read: Callable[[str], Any] | None = None,
        help: str = "",  # noqa: A002 - the word for it in every library of options
        key: str = "",
        allow: Iterable[str] | str = (),
    ) -> Setting[Any]:
        """Declare a setting.

        :param name: a strict URI below the app's own word, such as ``chat.rate``.
        :param default: a text, a number, True or False; what ``read`` cannot read is refused here.
        :param read: makes a value of a text, or raises ValueError; by default one of the default's type.
        :param help: for the person who edits it: what it does, in which unit.
        :param key: the configuration key that sets it for good, where there is one.
        :param allow: roles whose pages may have it, as the live value ``settings.<name>``: ``{"value": text}``.
        :raises AlreadyDeclared: there is one of this name.
        :raises ConfigError: ``read`` refuses the default.
        :raises InvalidURI: for a name that is not a strict URI.
        """
        uris.check(name)
        if name in self._declared or len(name) > NAME_MAX:
            raise AlreadyDeclared(f"The setting {name!r} is declared already, or longer than {NAME_MAX} characters.")
        setting = Setting(self, name, text_of(default), read or reader_of(default), help, key, live=bool(allow))
        setting.read(setting.default)
        if not self._declared:
            self._declare(Subscription(CHANGED, self._heard))
            self._wamp.on("ready")(self._look_again)
        self._declared[name] = setting
        if allow:
            self._wamp.value(f"{ROOT}.{name}", allow=allow)(lambda: {"value": setting.present.text})
        return setting

    def __iter__(self) -> Iterator[Setting[Any]]:
        return iter([self._declared[name] for name in sorted(self._declared)])

    def __getitem__(self, name: str) -> Any:
        """Return a setting's value.

        :raises KeyError: it is not declared.
        """
        return self._declared[name].value

    def find(self, name: str) -> Setting[Any]:
        """Return a setting.

        :raises KeyError: it is not declared.
        """
        return self._declared[name]

    # -- changing

    def set(self, name: str, text: str, *, by: str = "") -> None:
        """Store a setting: in force here when this returns, and in the other workers a moment later.

        :param by: who does it, to be shown beside it.
        :raises ConfigError: the text cannot be read, or the app's configuration sets it.
        :raises KeyError: it is not declared.
        """
        setting = self._editable(name)
        if len(text) > TEXT_MAX:
            raise ConfigError(f"{name} has at most {TEXT_MAX} characters.")
        setting.read(text)
        values = {"text": text, "changed_at": time.time(), "changed_by": by[:255]}
        with current_client().store.transaction() as connection:
            if not connection.execute(update(STORED).where(STORED.c.name == name).values(values)).rowcount:
                connection.execute(insert(STORED).values(name=name, **values))
        self._announce(name)

    def reset(self, name: str) -> None:
        """Take back what was stored: the default holds again.

        :raises ConfigError: the app's configuration sets it.
        :raises KeyError: it is not declared.
        """
        self._editable(name)
        with current_client().store.transaction() as connection:
            connection.execute(delete(STORED).where(STORED.c.name == name))
        self._announce(name)

    def _editable(self, name: str) -> Setting[Any]:
        setting = self._declared[name]
        if setting.present.source == "configuration":
            raise ConfigError(f"{name} is set by {setting.key} in the app's configuration: take it out there first.")
        return setting

    def _announce(self, name: str) -> None:
        values = self.values()
        self._load(values)
        self._notify(values, [name])
        if self._declared[name].live:
            self._wamp.changed(f"{ROOT}.{name}")
        current_client().publish_later(Publication(CHANGED, *payload.clean([[name]], {}), DEFAULT_PUBLISH))

    # -- knowing

    def values(self) -> _Values:
        """Return the current app's values in this process, read again where they are old."""
        app = cast("Any", current_app)._get_current_object()  # noqa: SLF001 - Flask's own way to the app
        values = self._values.get(app) or self._values.setdefault(app, _Values())
        if _are_old(values) and values.lock.acquire(blocking=not values.at):  # others go on with what is known
            try:
                if _are_old(values):
                    self._load(values)
            finally:
                values.lock.release()
        return values

    def _load(self, values: _Values) -> None:
        """Read what is stored; where the database is away, go on with what is known."""
        columns = (STORED.c.name, STORED.c.text, STORED.c.changed_at, STORED.c.changed_by)
        try:
            with current_client().store.transaction() as connection:
                rows = connection.execute(select(*columns)).all()
            values.stored = {name: Stored(text, at, by) for name, text, at, by in rows}
            if not values.at:  # what the functions for changes compare with
                values.notified = {name: values.present(setting).text for name, setting in self._declared.items()}
        except SQLAlchemyError as error:
            current_app.logger.warning("The stored settings cannot be read: %s", error)
        values.at = time.monotonic()

    def _heard(self, names: list[str]) -> None:
        """Do what has to be done when another worker has changed settings."""
        values = self.values()
        self._load(values)
        self._notify(values, names)

    def _look_again(self) -> None:
        """Find out what has changed while this worker was not connected."""
        self._heard(list(self._declared))

    def _notify(self, values: _Values, names: list[str]) -> None:
        for setting in [self._declared[name] for name in names if name in self._declared]:
            text = values.present(setting).text
            before = values.notified.setdefault(setting.name, text)
            values.notified[setting.name] = text
            for function in setting.on_change if before != text else ():
                function(setting.value)


def _are_old(values: _Values) -> bool:
    return not values.at or time.monotonic() - values.at > MAX_AGE
