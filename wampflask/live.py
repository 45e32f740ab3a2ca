"""Live things: a page that comes late, slept or lost its connection is right again one call later.

::

    @wamp.value("shop.stock.<item>", allow="everyone")
    def stock(item):
        return {"left": db.session.get(Item, item).left}

    stock.changed(item="tea")             # or wamp.changed("shop.stock.tea"); in a transaction: when it has ended

*Calling* the URI returns the state and its number; *subscribing* it brings every newer one. The greatest number is the
newest state: the router gives numbers out before the state is read (``_engine.py`` has the rule).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, cast, get_args

from flask import Flask, current_app

from . import impersonal, payload
from ._current import current_client
from .errors import ConfigError
from .patterns import Pattern
from .permissions import Permission

if TYPE_CHECKING:
    from .caller import Caller

__all__ = ["LiveThing", "Per", "Rows", "Value"]

Per = Literal["all", "role", "person"]
P = ParamSpec("P")
R = TypeVar("R")

NO_ROLE = ""
"""Stands for the role where one state is for all."""

States = dict[str, Any]
"""The state for each role that is asked for, or for :data:`NO_ROLE`."""


class LiveThing(Generic[P, R]):
    """What :meth:`wampflask.WAMP.value` and :meth:`~wampflask.WAMP.rows` make of a function; call it as the function.

    :param pattern: its URI; the names in it are the function's arguments.
    :param read: the function: it returns the state, read afresh.
    :param allow: the roles that may see it.
    :param per: ``all``: read without any person, sent to everybody who may see it. ``role``: read once for each role,
        the argument ``role``. ``person``: never sent; each page asks for itself, the argument ``viewer``.
    :param every: seconds between readings while somebody listens, for what changes without anybody saying so.
    """

    def __init__(
        self, pattern: Pattern, read: Callable[P, R], *, allow: tuple[str, ...], per: Per, every: float | None
    ) -> None:
        self.pattern = pattern
        self.function = read
        self.per: Per = per
        self.every = every
        self.name = f"{pattern.text} ({getattr(read, '__qualname__', read)})"
        self.allow = allow
        self._arguments = self._check()
        self.__doc__ = read.__doc__

    def _check(self) -> frozenset[str]:
        if self.per not in get_args(Per):
            raise ConfigError(f"{self.name}: per={self.per!r} is not one of all, role, person.")
        if not self.allow:
            raise ConfigError(f'{self.name} does not say who may see it: allow="everyone", or the roles that may.')
        if self.every is not None and not self.every > 0:
            raise ConfigError(f"{self.name}: every={self.every!r} is not a number of seconds above 0.")
        taken = signature(self.function).parameters
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
            return frozenset({*self.pattern.names, *self._offered})
        unknown = [name for name in taken if name not in (*self.pattern.names, *self._offered)]
        missing = [name for name in self.pattern.names if name not in taken]
        if unknown or missing:
            offered = ", ".join((*self.pattern.names, *self._offered)) or "no arguments"
            raise ConfigError(f"{self.name} can be given {offered}; its arguments are {', '.join(taken) or 'none'}.")
        return frozenset(taken)

    @property
    def _offered(self) -> tuple[str, ...]:
        """What the function may take besides the URI's names."""
        return {"all": (), "role": ("role",), "person": ("viewer",)}[self.per]

    @property
    def permission(self) -> Permission:
        """Who may call and subscribe it."""
        return Permission(self.pattern.permission, call=self.allow, subscribe=self.allow)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def changed(self, **args: Any) -> None:
        """Say that the state has changed: it is read and sent soon, in a transaction after its end.

        Needs an app context; any thread. Costs nothing while nobody listens.

        :param args: the values of the names in the URI.
        """
        self.mark(self.pattern.build(**args))

    def mark(self, topic: str, keys: Iterable[str | int] = ()) -> None:
        """What :meth:`changed` does, for a whole URI.

        The transaction that counts is the one of the current app's Flask-SQLAlchemy session.
        """
        client = current_client()
        args = self.pattern.read(topic) or {}
        names = tuple(map(str, keys))
        database = current_app.extensions.get("sqlalchemy")
        if database is None or not database.session.registry.has():
            client.changed(self, topic, args, names)
            return
        from .transactions import when_ended  # SQLAlchemy is there only where this is used

        when_ended(database.session(), lambda: client.changed(self, topic, args, names))

    # -- reading, in a thread of the engine's

    def states(self, app: Flask, args: Mapping[str, Any], roles: Iterable[str], keys: Iterable[str] | None) -> States:
        """Read the state now, in a transaction of its own, once for each role where it is per role.

        :param keys: of rows, those that have changed; None for all.
        :raises Personal: when the function asks who somebody is.
        :raises InvalidPayload: when what it returns is not JSON.
        """
        wanted = list(roles) if self.per == "role" else [NO_ROLE]

        def read() -> States:
            return {role: self.state(args, {"role": role}, keys) for role in wanted}

        return impersonal.run(app, self.name, read)

    def state_for(self, args: Mapping[str, Any], viewer: Caller) -> Any:
        """Read the state for one person, in the context of their call."""
        return self.state(args, {"viewer": viewer}, None)

    def state(self, args: Mapping[str, Any], offered: Mapping[str, Any], keys: Iterable[str] | None) -> Any:
        """One reading, as strict JSON."""
        return payload.clean_value(self._call({**args, **offered, "keys": keys}), self.pattern.text)

    def _call(self, offered: Mapping[str, Any]) -> Any:
        given = {name: value for name, value in offered.items() if name in self._arguments}
        return cast("Callable[..., Any]", self.function)(**given)

    def event(self, state: Any, keys: Iterable[str] | None) -> Any:  # noqa: ARG002 - rows need the keys
        """What an event carries in front of the number."""
        return state


class Value(LiveThing[P, R]):
    """A live thing whose newest state is all there is to know."""


class Rows(LiveThing[P, R]):
    """A keyed set: rows appear, change and go. The function returns rows, or a mapping from keys to them.

    It may take ``keys``, the keys that have changed or None for all, so as to read no more than these.

    :param key: the name of a row's key in it.
    """

    def __init__(self, pattern: Pattern, read: Callable[P, R], *, key: str = "id", **options: Any) -> None:
        self.key = key
        super().__init__(pattern, read, **options)

    @property
    def _offered(self) -> tuple[str, ...]:
        return (*super()._offered, "keys")

    def changed(self, *keys: str | int, **args: Any) -> None:
        """Say that rows have changed, appeared or gone.

        :param keys: which; none means any.
        """
        self.mark(self.pattern.build(**args), keys)

    def state(self, args: Mapping[str, Any], offered: Mapping[str, Any], keys: Iterable[str] | None) -> dict[str, Any]:
        """The rows by their keys."""
        wanted = None if keys is None else set(keys)
        found = self._call({**args, **offered, "keys": None if wanted is None else sorted(wanted)})
        rows = found if isinstance(found, Mapping) else {row[self.key]: row for row in found}
        return {
            str(key): payload.clean_value(row, self.pattern.text)
            for key, row in rows.items()
            if wanted is None or str(key) in wanted
        }

    def event(self, state: Any, keys: Iterable[str] | None) -> Any:
        """The rows that changed, and the keys of those that are gone."""
        if keys is None:
            return {"rows": state, "all": True}
        wanted = set(keys)
        return {
            "rows": {key: row for key, row in state.items() if key in wanted},
            "gone": sorted(wanted - set(state)),
        }
