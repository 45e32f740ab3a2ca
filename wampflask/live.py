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
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, get_args

from flask import Flask, current_app
from werkzeug.exceptions import NotFound

from . import impersonal, payload
from ._current import current_client
from ._live_protocol import NO_ROLE, Per, States
from .errors import CallFailed, ConfigError, NotAuthorized, WampError
from .patterns import Pattern
from .permissions import Permission
from .publication import Publication
from .reading import reading

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from .caller import Caller

__all__ = ["LiveThing", "Log", "Per", "Rows", "Value"]

P = ParamSpec("P")
R = TypeVar("R")

NOT_FOUND = "wampflask.error.not_found"
"""The error of a reading that ended with ``abort(404)`` or ``get_or_404``."""


class LiveThing(Generic[P, R]):
    """Something that pages show true: a function that reads its state, and who may see it. Call it as the function.

    :param label: what messages call it.
    :param names: the arguments that identify one, such as ``item``.
    :param read: the function: it returns the state, read afresh.
    :param allow: the roles that may see it.
    :param per: ``all``: read without any person, sent to everybody who may see it. ``role``: read once for each role,
        the argument ``role``. ``person``: never sent; each page asks for itself, the argument ``viewer``.
    :param every: seconds between readings while somebody listens, for what changes without a call of ``changed()``.
    :raises ConfigError: when nobody may see it, or the function cannot be called with these arguments.
    """

    def __init__(
        self,
        label: str,
        names: tuple[str, ...],
        read: Callable[P, R],
        *,
        allow: tuple[str, ...],
        per: Per = "all",
        every: float | None = None,
    ) -> None:
        self.label = f"{label} ({getattr(read, '__qualname__', read)})"
        self.names = names
        self.function = read
        self.allow = allow
        self.per: Per = per
        self.every = every
        self.__doc__ = read.__doc__
        self._arguments = self._check()

    def _check(self) -> frozenset[str]:
        if self.per not in get_args(Per):
            raise ConfigError(f"{self.label}: per={self.per!r} is not one of all, role, person.")
        if not self.allow:
            raise ConfigError(f'{self.label} does not say who may see it: allow="everyone", or the roles that may.')
        if self.every is not None and not self.every > 0:
            raise ConfigError(f"{self.label}: every={self.every!r} is not a number of seconds above 0.")
        taken = signature(self.function).parameters
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
            return frozenset({*self.names, *self.offered})
        unknown = [name for name in taken if name not in (*self.names, *self.offered)]
        missing = [name for name in self.names if name not in taken]
        if unknown or missing:
            offered = ", ".join((*self.names, *self.offered)) or "no arguments"
            raise ConfigError(f"{self.label} can be given {offered}; its arguments are {', '.join(taken) or 'none'}.")
        return frozenset(taken)

    @property
    def offered(self) -> tuple[str, ...]:
        """What the function may take besides the names."""
        return {"all": (), "role": ("role",), "person": ("viewer",)}[self.per]

    def topic(self, args: Mapping[str, Any]) -> str:
        """Return where the states go for these values of the names."""
        raise NotImplementedError

    def permissions(self) -> list[Permission]:
        """Return who may call and subscribe it."""
        raise NotImplementedError

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def changed(self, **args: Any) -> None:
        """Say that the state has changed: it is read and sent soon; in a transaction, after its end.

        The transaction that counts is the one of the current app's Flask-SQLAlchemy session. Costs nothing while
        nobody listens. Needs an app context; any thread but the reactor's.

        :param args: the values of the names.
        """
        self.mark(args)

    def mark(self, args: Mapping[str, Any], keys: Iterable[str | int] = (), session: Session | None = None) -> None:
        """Do what :meth:`changed` does.

        :param keys: of rows that have changed; none for any.
        :param session: whose transaction counts.
        """
        client = current_client()
        topic, names = self.topic(args), tuple(map(str, keys))
        client.expect_change()
        database = current_app.extensions.get("sqlalchemy")
        if session is None and database is not None:
            session = database.session()  # also where nothing has used it yet: its transaction may be about this
        if session is None:
            client.changed(self, topic, args, names)
            return
        from .transactions import when_ended  # SQLAlchemy is there only where this is used

        when_ended(session, (topic, names), lambda: client.changed(self, topic, args, names))

    def mark_row(self, args: Mapping[str, Any], session: Session) -> None:
        """Note that a row of a model that it shows was written.

        :param args: the values of the names; of rows, of their key, too.
        """
        self.mark(args, session=session)

    # -- reading, in a thread of the engine's

    def states(self, app: Flask, args: Mapping[str, Any], roles: Iterable[str], keys: Iterable[str] | None) -> States:
        """Read the state now, in a transaction of its own, once for each role where it is per role.

        :param keys: of rows, those that have changed; None for all.
        :raises Personal: when the function asks who somebody is.
        :raises InvalidPayload: when what it returns is not JSON.
        """
        wanted = list(roles) if self.per == "role" else [NO_ROLE]

        def read() -> States:
            return {role: self._state_or_error(args, {"role": role}, keys) for role in wanted}

        return impersonal.run(app, self.label, read)

    def state_for(self, args: Mapping[str, Any], viewer: Caller) -> Any:
        """Read the state for one person, in the context of their call.

        :raises CallFailed: when there is none.
        :raises NotAuthorized: when there is none for them.
        """
        found = self._state_or_error(args, {"viewer": viewer}, None)
        if isinstance(found, WampError):
            raise found
        return found

    def _state_or_error(self, args: Mapping[str, Any], offered: Mapping[str, Any], keys: Iterable[str] | None) -> Any:
        try:
            with reading():
                return self.state(args, offered, keys)
        except (CallFailed, NotAuthorized) as error:
            return error
        except NotFound as error:
            return CallFailed(NOT_FOUND, error.description)

    def state(self, args: Mapping[str, Any], offered: Mapping[str, Any], keys: Iterable[str] | None) -> Any:
        """Return one reading, as strict JSON."""
        return payload.clean_value(self._call({**args, **offered, "keys": keys}), self.label)

    def _call(self, offered: Mapping[str, Any]) -> Any:
        given = {name: value for name, value in offered.items() if name in self._arguments}
        return cast("Callable[..., Any]", self.function)(**given)

    def events(self, topic: str, states: States, keys: list[str] | None) -> list[tuple[str, Any]]:
        """Return what the event carries before the number, for each role or :data:`NO_ROLE`. Reactor thread.

        None stands for no state: pages ask for the reason.

        :param keys: of rows that have changed; None for all.
        """
        return [
            (role, None if isinstance(state, WampError) else self.event(topic, role, state, keys))
            for role, state in states.items()
        ]

    def event(self, topic: str, role: str, state: Any, keys: Iterable[str] | None) -> Any:  # noqa: ARG002 - for others than values
        """Return the event for one role: see :meth:`events`."""
        return state


class Addressed(LiveThing[P, R]):
    """A live thing with a URI of its own."""

    def __init__(self, pattern: Pattern, read: Callable[P, R], **options: Any) -> None:
        self.pattern = pattern
        super().__init__(pattern.text, pattern.names, read, **options)

    def topic(self, args: Mapping[str, Any]) -> str:
        """Return the URI."""
        return self.pattern.build(**args)

    def permissions(self) -> list[Permission]:
        """Call and subscribe, for the roles that may see it."""
        return [Permission(self.pattern.permission, call=self.allow, subscribe=self.allow)]


class Value(Addressed[P, R]):
    """A live thing whose newest state is all there is to know."""


class Rows(Addressed[P, R]):
    """A keyed set: rows appear, change and go. The function returns rows, or a mapping from keys to them.

    It may take ``keys``, the keys that have changed or None for all, so as to read no more than these. When it returns
    None there are no rows at all, and pages ask for the reason.

    :param key: the name of a row's key in it.
    """

    def __init__(self, pattern: Pattern, read: Callable[P, R], *, key: str = "id", **options: Any) -> None:
        self.key = key
        super().__init__(pattern, read, **options)

    @property
    def offered(self) -> tuple[str, ...]:
        """The keys, too."""
        return (*super().offered, "keys")

    def changed(self, *keys: str | int, **args: Any) -> None:
        """Say that rows have changed, appeared or gone.

        :param keys: which; none means any.
        """
        self.mark(args, keys)

    def mark_row(self, args: Mapping[str, Any], session: Session) -> None:
        """Note a change of the row with this key, or of any row if the arguments have none."""
        names = {name: value for name, value in args.items() if name in self.names}
        keys = [args[self.key]] if self.key in args and self.key not in self.names else []
        self.mark(names, keys, session)

    def state(
        self, args: Mapping[str, Any], offered: Mapping[str, Any], keys: Iterable[str] | None
    ) -> dict[str, Any] | None:
        """Return the rows by their keys."""
        wanted = None if keys is None else set(keys)
        found = self._call({**args, **offered, "keys": None if wanted is None else sorted(wanted)})
        if found is None:
            return None
        rows = found if isinstance(found, Mapping) else {row[self.key]: row for row in found}
        return {
            str(key): payload.clean_value(row, self.label)
            for key, row in rows.items()
            if wanted is None or str(key) in wanted
        }

    def event(self, topic: str, role: str, state: Any, keys: Iterable[str] | None) -> Any:  # noqa: ARG002 - rows are the same to all
        """Return the rows that changed, and the keys of those that are gone."""
        if state is None:
            return None
        if keys is None:
            return {"rows": state, "all": True}
        wanted = set(keys)
        return {
            "rows": {key: row for key, row in state.items() if key in wanted},
            "gone": sorted(wanted - set(state)),
        }


class Log(Addressed[P, R]):
    """What is numbered and only grows. The function returns the items after ``since``, oldest first.

    An item is a mapping with an ``id`` that grows; the function may return no more than a page's worth of them, and is
    asked again for the rest. It runs for the caller, with :data:`wampflask.caller` set.
    """

    offered = ("since",)

    def __init__(self, pattern: Pattern, read: Callable[P, R], *, allow: tuple[str, ...]) -> None:
        super().__init__(pattern, read, allow=allow, per="person")

    def append(self, item: Mapping[str, Any], **args: Any) -> None:
        """Send an item that has been stored; in a transaction, when it commits.

        :param args: the values of the names in the URI.
        """
        client = current_client()
        publication = Publication(self.topic(args), [payload.clean_value(item, self.label)])
        client.expect_change()
        database = current_app.extensions.get("sqlalchemy")
        if database is None or not database.session.registry.has() or not database.session().in_transaction():
            client.publish_later(publication)
            return
        from .transactions import when_committed  # SQLAlchemy is there only where this is used

        when_committed(database.session(), lambda: client.publish_later(publication))

    def items(self, args: Mapping[str, Any], since: object) -> list[Any]:
        """Return the items after ``since``; None for the newest page."""
        with reading():
            found: list[Any] = payload.clean_value(list(self._call({**args, "since": since})), self.label)
        return found
