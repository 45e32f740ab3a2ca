"""Which rows a transaction changed: for live things that show a model's rows, and for bound tables. Needs SQLAlchemy.

Changes are seen where the ORM writes them, in any session of the process. What statements such as
``session.execute(update(Model)…)`` change is not known row by row: say it with ``changed()``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from flask import current_app, has_app_context
from sqlalchemy import Connection, event, inspect, select
from sqlalchemy.orm import Mapper, Session, UOWTransaction, object_session

from ._current import KEY
from ._declarations import Declarations
from .errors import ConfigError
from .live import LiveThing, Rows
from .transactions import when_ended

if TYPE_CHECKING:
    from ._client import Client

ArgsOf = Callable[[Any], Mapping[str, Any] | None]
Of = type[Any] | Mapping[type[Any], ArgsOf]
"""``Item``, or ``{Choice: lambda choice: {"question": choice.question_id}}``; None says: not interested in this row.

For rows, what the function returns may have the row's key, too: ``{Host: lambda host: {"host": host.name}}``.
"""

_NOTED = "wampflask.changes.noted"
_DELETED = "wampflask.changes.deleted"
_SEEN = "wampflask.changes.seen"
_UNNOTICED = "wampflask.changes.unnoticed"


class Change(NamedTuple):
    """A row that a flush wrote. One that was deleted still has its values.

    ``before`` has what the watched attributes were in the database until then; nothing for a row that was created.
    """

    kind: Literal["created", "updated", "deleted"]
    row: Any
    before: Mapping[str, Any]


OnFlush = Callable[[Session, list[Change]], None]
"""Called with the rows of a model that a flush wrote, when it is over: they have what the database gave them."""

_watchers: WeakKeyDictionary[type[Any], list[OnFlush]] = WeakKeyDictionary()
_remembered: WeakKeyDictionary[type[Any], set[str]] = WeakKeyDictionary()


def watch(model: type[Any], on_flush: OnFlush, *, before: Iterable[str] = ()) -> None:
    """Call ``on_flush`` after each flush that wrote rows of ``model``, in the thread and transaction of the flush.

    It is not called for a flush without an app context: no app's pages could show it.

    :param before: the attributes that :attr:`Change.before` is to have.
    """
    if not event.contains(Session, "before_flush", _before_flush):
        event.listen(Session, "before_flush", _before_flush)
        event.listen(Session, "after_flush_postexec", _after_flush)
    if model not in _watchers:
        event.listen(model, "after_insert", _after_insert, propagate=True)
        event.listen(model, "before_update", _before_update, propagate=True)
        event.listen(model, "before_delete", _before_delete, propagate=True)
    _remembered.setdefault(model, set()).update(before)
    _watchers.setdefault(model, []).append(on_flush)


def unwatch(model: type[Any], on_flush: OnFlush) -> None:
    """Take back what :func:`watch` was given: for tests that watch models of their own."""
    _watchers[model].remove(on_flush)


@contextmanager
def unnoticed(session: Session) -> Iterator[None]:
    """Publish nothing of what is flushed in the ``with`` block: for filling a database that no page shows yet."""
    session.info[_UNNOTICED] = True
    try:
        yield
        session.flush()
    finally:
        del session.info[_UNNOTICED]


def _before_flush(session: Session, _context: UOWTransaction, _instances: object) -> None:
    """Begin anew: a flush before this one may have failed half-way. What rows were of before is known only now."""
    session.info[_NOTED] = {}
    session.info[_DELETED] = {id(row) for row in session.deleted}
    if _UNNOTICED not in session.info and has_app_context():
        modified = [row for row in session.dirty if session.is_modified(row, include_collections=False)]
        _mark_all(session, [*modified, *session.deleted], _Before)


def _after_insert(_mapper: Mapper[Any], _connection: Connection, row: Any) -> None:
    _note(object_session(row), Change("created", row, {}))


def _before_update(_mapper: Mapper[Any], _connection: Connection, row: Any) -> None:
    """Ask before the statement: a value set by an expression is expired afterwards, and counts as unchanged."""
    session = object_session(row)
    if session is not None and session.is_modified(row, include_collections=False):
        _note(session, Change("updated", row, _remember(row)))


def _before_delete(_mapper: Mapper[Any], _connection: Connection, row: Any) -> None:
    """Note a deletion before the statement, since what the row was is read from the database if it is not known."""
    _note(object_session(row), Change("deleted", row, _remember(row)))


def _remember(row: Any) -> dict[str, Any]:
    names = {name for model in type(row).__mro__ for name in _remembered.get(model, ())}
    return {name: getattr(_Before(row), name) for name in names}


def _note(session: Session | None, change: Change) -> None:
    if session is not None:
        session.info.setdefault(_NOTED, {})[id(change.row)] = change


def _after_flush(session: Session, _context: UOWTransaction) -> None:
    noted: dict[int, Change] = session.info.pop(_NOTED, {})
    if not noted or _UNNOTICED in session.info or not has_app_context():
        return
    for model, listeners in list(_watchers.items()):
        if changes := [change for change in noted.values() if isinstance(change.row, model)]:
            for on_flush in list(listeners):
                on_flush(session, changes)


# -- live things that show rows


Followers = dict[type[Any], list[tuple[LiveThing[..., Any], ArgsOf]]]

_followers: WeakKeyDictionary[Declarations, Followers] = WeakKeyDictionary()


def follow(declarations: Declarations, thing: LiveThing[..., Any], of: Of) -> None:
    """Mark ``thing`` whenever a transaction changed, made or deleted rows of these models.

    It is marked once a transaction for each of its arguments, however many rows are written.

    :param declarations: of the ``WAMP`` that it was declared on: another app's transactions are none of its business.
    :raises ConfigError: when ``of`` is a model that does not say what the thing's arguments are.
    """
    models = of if isinstance(of, Mapping) else {of: _key_as_argument(thing, of)}
    for model, args_of in models.items():
        _followers.setdefault(declarations, {}).setdefault(model, []).append((thing, args_of))
        if _mark not in _watchers.get(model, ()):
            watch(model, _mark)


def _followers_in(declarations: Declarations) -> Iterator[Followers]:
    for declared in (declarations, *declarations.included):
        if found := _followers.get(declared):
            yield found


def _key_as_argument(thing: LiveThing[..., Any], model: Any) -> ArgsOf:
    if not thing.names:
        key = thing.key if isinstance(thing, Rows) else None
        return lambda row: {} if key is None else {key: getattr(row, key)}
    if len(thing.names) > 1:
        raise ConfigError(
            f"{thing.label} has the arguments {', '.join(thing.names)}: say of={{{model.__name__}: lambda row: "
            "{…}}, which makes them from a row."
        )
    (name,) = thing.names
    (column,) = inspect(model).primary_key
    attribute = inspect(model).get_property_by_column(column).key
    return lambda row: {name: getattr(row, attribute)}


class _Before:
    """A row with the values that its columns had before they were set: it may have belonged to another thing."""

    def __init__(self, row: Any) -> None:
        self._row = row
        self._state = inspect(row)

    def __getattr__(self, name: str) -> Any:
        if name in self._state.mapper.column_attrs:
            history = self._state.attrs[name].history
            if history.deleted:
                return history.deleted[0]
            if history.added:  # it was set without having been read
                return self._stored(name)
        return getattr(self._row, name)

    def _stored(self, name: str) -> Any:
        mapper = self._state.mapper
        is_this = (column == value for column, value in zip(mapper.primary_key, self._state.identity, strict=True))
        return self._state.session.scalar(select(mapper.column_attrs[name].class_attribute).where(*is_this))


def _mark(session: Session, changes: list[Change]) -> None:
    _mark_all(session, [change.row for change in changes if not _is_marked(session, change)])


def _is_marked(session: Session, change: Change) -> bool:
    """Return whether the row is marked already: one to be deleted is, as it was before; an orphan is not."""
    return change.kind == "deleted" and id(change.row) in session.info.get(_DELETED, ())


def _mark_all(session: Session, rows: list[Any], seen_as: Callable[[Any], Any] = lambda row: row) -> None:
    client: Client | None = current_app.extensions.get(KEY)
    followers = list(_followers_in(client.declarations)) if client is not None else []
    if not followers:
        return
    marked: set[Any] = session.info.setdefault(_SEEN, set())
    for row in rows:
        for model in type(row).__mro__:
            for thing, args_of in (one for found in followers for one in found.get(model, ())):
                args = args_of(seen_as(row))
                if args is None or (mark := (thing, *sorted(args.items()))) in marked:
                    continue
                if not marked:
                    when_ended(session, _SEEN, session.info[_SEEN].clear)
                marked.add(mark)
                thing.mark_row(args, session)
