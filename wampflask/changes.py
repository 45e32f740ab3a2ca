"""Which rows a transaction changed: for live things that show a model's rows. Needs SQLAlchemy.

Changes are seen where the ORM writes them, in any session of the process, and said after the commit; each live thing
is marked once for each of its arguments, however many rows are written. What statements such as
``session.execute(update(Model)…)`` change is not known row by row: say it with ``changed()``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from flask import current_app, has_app_context
from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, UOWTransaction

from ._current import KEY
from ._registry import Registry
from .errors import ConfigError
from .live import LiveThing
from .transactions import when_ended

if TYPE_CHECKING:
    from ._client import Client

ArgsOf = Callable[[Any], Mapping[str, Any] | None]
Of = type[Any] | Mapping[type[Any], ArgsOf]
"""``Item``, or ``{Choice: lambda choice: {"question": choice.question_id}}``; None says: not interested in this row."""

_SEEN = "wampflask.changes"
_UNNOTICED = "wampflask.unnoticed"


def follow(registry: Registry, thing: LiveThing[..., Any], of: Of) -> None:
    """Mark ``thing`` whenever a transaction changed, made or deleted rows of these models.

    :param registry: of the ``WAMP`` that it was declared on: another app's transactions are none of its business.
    :raises ConfigError: when a model's primary key cannot be the thing's argument.
    """
    models = of if isinstance(of, Mapping) else {of: _key_as_argument(thing, of)}
    for model, args_of in models.items():
        _followers.setdefault(registry, {}).setdefault(model, []).append((thing, args_of))
    if not event.contains(Session, "before_flush", _before_flush):
        event.listen(Session, "before_flush", _before_flush)
        event.listen(Session, "after_flush", _after_flush)


@contextmanager
def unnoticed(session: Session) -> Iterator[None]:
    """What is flushed in the ``with`` block is not followed: for filling a database that no page shows yet."""
    session.info[_UNNOTICED] = True
    try:
        yield
        session.flush()
    finally:
        del session.info[_UNNOTICED]


Followers = dict[type[Any], list[tuple[LiveThing[..., Any], ArgsOf]]]

_followers: WeakKeyDictionary[Registry, Followers] = WeakKeyDictionary()


def _key_as_argument(thing: LiveThing[..., Any], model: Any) -> ArgsOf:
    if not thing.names:
        return lambda _row: {}
    if len(thing.names) > 1:
        raise ConfigError(
            f"{thing.label} has the arguments {', '.join(thing.names)}: say of={{{model.__name__}: lambda row: "
            "{…}}, which makes them from a row."
        )
    (name,) = thing.names
    (column,) = inspect(model).primary_key
    attribute = inspect(model).get_property_by_column(column).key
    return lambda row: {name: getattr(row, attribute)}


def _before_flush(session: Session, _context: UOWTransaction, _instances: object) -> None:
    """What is modified; after the flush that is not known any more of values that the database computes."""
    _note(session, [row for row in session.dirty if session.is_modified(row, include_collections=False)])
    _note(session, list(session.deleted))


def _after_flush(session: Session, _context: UOWTransaction) -> None:
    """What is new has its key now."""
    _note(session, list(session.new))


def _note(session: Session, rows: list[Any]) -> None:
    client: Client | None = current_app.extensions.get(KEY) if has_app_context() else None
    followers = _followers.get(client.registry) if client is not None else None
    if not followers or _UNNOTICED in session.info:  # a script without an app has nobody to tell
        return
    marked: set[Any] = session.info.setdefault(_SEEN, set())
    for row in rows:
        for model in type(row).__mro__:
            for thing, args_of in followers.get(model, ()):
                args = args_of(row)
                if args is None or (mark := (thing, *sorted(args.items()))) in marked:
                    continue
                if not marked:
                    when_ended(session, _SEEN, session.info[_SEEN].clear)
                marked.add(mark)
                thing.mark(args, session=session)
