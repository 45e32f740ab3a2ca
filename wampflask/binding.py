"""Live tables: every commit of a model's rows reaches the pages, and pages write back. ``wamp.bind(Model, …)``, opt-in.

::

    class IntegerValue(db.Model):
        __table_args__ = {"sqlite_autoincrement": True}  # a primary key is never given twice
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(100), unique=True)
        value: Mapped[int] = mapped_column(default=0)
        version: Mapped[int] = mapped_column()
        __mapper_args__ = {"version_id_col": version}

    values = wamp.bind(IntegerValue, fields=("name", "value"))

Changes are seen where the ORM writes them, in any session of the process: a view, Flask-Admin, a command. They leave
after the commit. Publish what goes around the ORM's units of work with :meth:`Binding.announce`; statements such as
``session.execute(update(Model)…)`` are noticed by themselves.

With ``group="team_id"`` each team's rows have URIs of their own, ``tables.<table>.<team>.…``: see
:mod:`wampflask.groups`. ``{{ live_table(values) }}`` shows a bound table in a page: :mod:`wampflask.live_table`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast

from flask import current_app, has_app_context
from markupsafe import Markup
from sqlalchemy import event, inspect, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, scoped_session
from sqlalchemy.orm.exc import StaleDataError

from . import changes, columns, uris
from ._current import current_client
from .caller import Caller, caller
from .errors import CallFailed, ConfigError, InvalidURI
from .groups import Groups
from .options import DEFAULT_PUBLISH
from .permissions import BACKEND, PAGES, Permission
from .publication import Publication
from .transactions import when_committed

__all__ = ["Binding", "permissions_for"]

MANY = 500
"""Rows of one flush above which pages fetch the whole table again instead of each row."""
PAGE = 500
"""Rows in one answer of a snapshot."""

NOT_FOUND = "tables.error.not_found"
NOT_ALLOWED = "tables.error.not_allowed"
CONFLICT = "tables.error.conflict"
INVALID = "tables.error.invalid"

CanRead = Callable[[Caller, Any], bool]
CanWrite = Callable[[Caller, str, Any], bool]
Sessions = Callable[[], Any]


def permissions_for(
    table: str, *, readers: Iterable[str] = PAGES, writers: Iterable[str] = PAGES, group: str = ""
) -> tuple[Permission, ...]:
    """Return the permissions of a bound table: the roles that may read and write it at all.

    :param group: what stands for a group of rows in URIs, such as ``{team}``; empty for a table without groups.
    """
    reading, writing = tuple(readers), tuple(writers)
    base = f"tables.{table}.{group}" if group else f"tables.{table}"
    return (
        *(Permission(f"{base}.{name}", call=reading) for name in ("snapshot", "row")),
        *(Permission(f"{base}.{name}", call=writing) for name in ("create", "update", "delete")),
        *(Permission(f"{base}.<pk>.{name}", subscribe=reading) for name in ("changed", "deleted")),
        Permission(f"tables.{table}.reset", subscribe=reading),
    )


class Declares(Protocol):
    """What a binding needs of :class:`wampflask.WAMP`."""

    def permit(self, *permissions: Permission) -> None: ...
    def register(self, uri: str) -> Callable[[Callable[..., Any]], object]: ...


class Binding:
    """What :meth:`wampflask.WAMP.bind` returns.

    :param model: mapped, with one primary key (an integer or UUID) and a ``version_id_col``.
    :param fields: the attributes that pages see and write; columns only.
    :param can_read: ``(caller, row)``; without it, every role of ``readers``. With it, events say only that a
        row has changed, and each page asks for it and gets it or not.
    :param can_write: ``(caller, action, row)``, the action being create, update or delete; an update is asked about
        before and after the values are set.
    :param table: the component in the URIs; by default the table's name.
    :param session: where the handlers' sessions come from; by default Flask-SQLAlchemy's.
    :param readers: roles that may read at all.
    :param writers: roles that may write at all.
    :param group: the attribute that says what group a row is in.
    :param claim: the claim of tickets that names the groups somebody may see; None: every reader may see every group.
    :raises ConfigError: saying what the model lacks.
    """

    def __init__(
        self,
        wamp: Declares,
        model: type[Any],
        *,
        fields: Iterable[str],
        can_read: CanRead | None = None,
        can_write: CanWrite | None = None,
        table: str | None = None,
        session: Sessions | None = None,
        readers: tuple[str, ...] = PAGES,
        writers: tuple[str, ...] = PAGES,
        group: str = "",
        claim: str | None = "",
    ) -> None:
        mapper: Mapper[Any] = inspect(model)
        self._wamp = wamp
        self._model = model
        self.fields = tuple(fields)
        self.table = table or uris.component(str(mapper.local_table.name))  # type: ignore[attr-defined]
        self._can_read = can_read
        self._can_write = can_write
        self._sessions = session
        self._version = _version_of(mapper)
        self.columns = columns.of(mapper, self.fields)
        self.key = columns.key_of(mapper)
        self.readers, self.writers = readers, writers
        self.groups = _groups(mapper, group, claim)
        self._name = f"wampflask.binding.{self.table}"
        uris.check(f"tables.{self.table}.snapshot")

    def watch(self) -> None:
        """Listen to all sessions, permit what the roles may, and register the procedures."""
        before = () if self.groups is None else (self.groups.field.name,)
        changes.watch(self._model, self._tell_all, before=before)
        event.listen(Session, "do_orm_execute", self._before_statement)
        component = "" if self.groups is None else self.groups.component
        self._wamp.permit(*permissions_for(self.table, readers=self.readers, writers=self.writers, group=component))
        base = f"tables.{self.table}" if self.groups is None else f"tables.{self.table}.<group>"
        for name in ("snapshot", "row", "create", "update", "delete"):
            self._wamp.register(f"{base}.{name}")(getattr(self, name))

    def unwatch(self) -> None:
        """Stop listening to sessions: for tests that bind models of their own."""
        changes.unwatch(self._model, self._tell_all)
        event.remove(Session, "do_orm_execute", self._before_statement)

    # -- to the pages

    def announce(self, session: Session | scoped_session[Any]) -> None:
        """Have pages fetch the table again when this transaction commits: after statements that went around the ORM.

        Raise the version column in such statements, too: by it a page sees that its edit was made on an older row.
        """
        real: Session = session() if isinstance(session, scoped_session) else session
        if not real.in_transaction():
            real.begin()  # what is published belongs to a transaction, and ends with it
        for pk in self._announced(real):  # rows may be others' by now: pages fetch what is theirs
            when_committed(real, _say_nothing, subject=(self._name, pk))
        self._send(real, f"tables.{self.table}.reset", {"reset": True}, "reset")

    def describe(self, row: Any) -> dict[str, Any]:
        """Return a row as pages get it: ``pk``, ``version``, ``values``."""
        return {
            "pk": self._pk(row),
            "version": getattr(row, self._version),
            "values": {name: column.to_json(getattr(row, name)) for name, column in self.columns.items()},
        }

    def attributes(self, row: Any) -> Markup:
        """Return what a row's first tag needs in markup of an app's own: see :mod:`wampflask.live_table`."""
        state = self.describe(row)
        text = Markup('data-row="{}" data-version="{}" data-values="{}"')
        return text.format(state["pk"], state["version"], json.dumps(state["values"]))

    def _tell_all(self, session: Session, found: list[changes.Change]) -> None:
        if len(found) > MANY:
            self.announce(session)
            return
        for change in found:
            self._tell(session, change)

    def _tell(self, session: Session, change: changes.Change) -> None:
        """Publish only the last state that a row has in the transaction, however often it was written."""
        kind, row, _ = change
        here, before = self._group_of(row), self._group_before(change)
        if kind == "deleted":
            self._send_deletion(session, before, self._obituary(row), self._pk(row))
            return
        if before not in (None, here):
            left = self._pk(row) if here is None else (self._pk(row), before)
            self._send_deletion(session, before, self._removal(row), left)
        state = self.describe(row)
        state["kind"] = self._kind(session, kind, state["pk"])
        if self._can_read is not None:
            del state["values"]
        if here is not None:
            self._send(session, f"{self._base(here)}.{state['pk']}.changed", state, state["pk"])

    def _base(self, group: str) -> str:
        return f"tables.{self.table}.{group}" if group else f"tables.{self.table}"

    def _group_of(self, row: Any) -> str | None:
        """Return the group's word; None for a row in no group, empty where there are no groups."""
        return "" if self.groups is None else self.groups.word_of(getattr(row, self.groups.field.name))

    def _group_before(self, change: changes.Change) -> str | None:
        if self.groups is None:
            return ""
        return self.groups.word_of(change.before.get(self.groups.field.name))

    def _send_deletion(self, session: Session, group: str | None, gone: dict[str, Any], subject: object) -> None:
        """Send a deletion reliably and in order, while of changes only the newest of each row matters."""
        if group is not None:
            self._send(session, f"{self._base(group)}.{gone['pk']}.deleted", gone, subject, certainly=True)

    def _send(
        self, session: Session, topic: str, state: dict[str, Any], subject: object, *, certainly: bool = False
    ) -> None:
        """Send changes after the commit.

        :param subject: of several that are about one, only the last goes: also where a row moved between two groups,
            of which the first must not see what it was for a moment.
        """
        client = current_client()
        client.expect_change()  # should this process die after the commit, pages fetch the table again
        send = client.publish_later if certainly else client.publish_latest
        queued = Publication.of(send.__name__, topic, (state,), {}, DEFAULT_PUBLISH)
        client.check_size(queued)
        when_committed(session, lambda: send(queued), subject=(self._name, subject))

    def _kind(self, session: Session, kind: str, pk: Any) -> str:
        """Return the kind of change: a row that was made and then changed in one transaction is a created one."""
        return self._announced(session).setdefault(pk, kind)

    def _announced(self, session: Session) -> dict[Any, str]:
        """Return the rows that were made or changed in the present transaction, and which of the two."""
        transaction = session.get_transaction()
        announced: dict[Any, str]
        of, announced = session.info.get(self._name, (None, {}))
        if of is not transaction:
            announced = {}
            session.info[self._name] = (transaction, announced)
        return announced

    def _before_statement(self, state: ORMExecuteState) -> None:
        if not (state.is_insert or state.is_update or state.is_delete) or not has_app_context():
            return
        if state.bind_mapper is not None and issubclass(state.bind_mapper.class_, self._model):
            self.announce(state.session)

    def _obituary(self, row: Any) -> dict[str, Any]:
        return {"pk": self._pk(row), "version": getattr(row, self._version) + 1, "deleted": True}

    def _removal(self, row: Any) -> dict[str, Any]:
        return {"pk": self._pk(row), "version": getattr(row, self._version), "deleted": True}

    # -- from the pages

    def page(
        self, session: Session, who: Caller, after: Any = None, group: str = "", limit: int = PAGE
    ) -> tuple[list[Any], Any]:
        """Return the rows that somebody may read, in the order of their keys, a page of them at a time.

        :param after: a key; rows after it.
        :param group: the word of the group whose rows are meant.
        :returns: the rows, and the last key that was looked at, None when there are no more.
        :raises CallFailed: ``tables.error.invalid``: for no group where there are groups, and the other way round.
        """
        key = getattr(self._model, self.key.name)
        query = select(self._model).order_by(key).limit(limit + 1)
        if self.groups is not None:
            query = query.where(getattr(self._model, self.groups.field.name) == self._group(group))
        if after is not None:
            query = query.where(key > after)
        found = session.scalars(query).all()
        rows = [row for row in found[:limit] if self.may_read(who, row)]
        return rows, self._pk(found[limit - 1]) if len(found) > limit else None

    def snapshot(self, after: object = None, limit: object = PAGE, *, group: str = "") -> dict[str, Any]:
        """Return the rows that the caller may read: see :meth:`page`.

        :param after: ``after`` of the answer before.
        :param limit: rows to look at, up to ``PAGE``.
        """
        self._check_group(group)
        if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= PAGE:
            raise CallFailed(INVALID, f"A page has from 1 to {PAGE} rows.")
        with _answering(self) as session:
            rows, last = self.page(session, _who(), None if after is None else self._last(after), group, limit)
            return {"rows": [self._answer(row) for row in rows], "more": last is not None, "after": last}

    def row(self, pk: object, *, group: str = "") -> dict[str, Any]:
        """Return one row.

        :raises CallFailed: ``tables.error.not_found``; also where the caller may not read it.
        """
        self._check_group(group)
        with _answering(self) as session:
            return self._answer(self._readable(session, pk, group))

    def create(self, values: object, *, group: str = "") -> dict[str, Any]:
        """Make a row.

        :raises CallFailed: ``tables.error.invalid`` or ``.not_allowed``.
        """
        self._check_group(group)
        with _answering(self) as session:
            row = self.blank(group)
            self._set(row, values)
            self._check_may(session, "create", row, group)
            session.add(row)
            session.commit()
            return self._answer(row)

    def update(self, pk: object, values: object, version: object, *, group: str = "") -> dict[str, Any]:
        """Change a row that is as the caller saw it.

        :param version: of the row that was edited.
        :raises CallFailed: ``tables.error.conflict`` with the current ``row``; ``.not_found``, ``.not_allowed``,
            ``.invalid``.
        """
        self._check_group(group)
        with _answering(self) as session:
            row = self._to_write(session, "update", pk, version, group)
            with session.no_autoflush:
                self._set(row, values)
                self._check_may(session, "update", row, group)
            session.commit()
            return self._answer(row)

    def delete(self, pk: object, version: object, *, group: str = "") -> dict[str, Any]:
        """Delete a row that is as the caller saw it; the errors are those of :meth:`update`."""
        self._check_group(group)
        with _answering(self) as session:
            row = self._to_write(session, "delete", pk, version, group)
            gone = self._obituary(row)
            session.delete(row)
            session.commit()
            return gone

    def blank(self, group: str = "") -> Any:
        """Return a new row, in its group."""
        row = self._model()
        if self.groups is not None:
            setattr(row, self.groups.field.name, self._group(group))
        return row

    def may(self, who: Caller, row: Any) -> list[str]:
        """Return what somebody may do with a row: update, delete."""
        return [action for action in ("update", "delete") if self.may_write(who, action, row)]

    def may_see(self, who: Caller, group: str = "") -> bool:
        """Return whether the router lets somebody read the table, or one group of it."""
        if who.role not in (*self.readers, BACKEND):
            return False
        return self.groups is None or self.groups.may_see(who, group)

    def may_write(self, who: Caller, action: str, row: Any) -> bool:
        """Return whether somebody may do one thing with a row, as far as roles and ``can_write`` say."""
        if who.role not in (*self.writers, BACKEND):
            return False
        return self._can_write is None or self._can_write(who, action, row)

    def may_read(self, who: Caller, row: Any) -> bool:
        """Return whether somebody whose role may read is to see a row."""
        return self._can_read is None or self._can_read(who, row)

    @property
    def differs(self) -> bool:
        """Whether what somebody may do is not the same for all rows."""
        return self._can_write is not None

    def _answer(self, row: Any) -> dict[str, Any]:
        """Return what the caller gets of a row: it is theirs alone, so it can say what they may do with it."""
        return {**self.describe(row), **({"may": self.may(_who(), row)} if self.differs else {})}

    def _check_group(self, group: str) -> None:
        """Check the group of a call.

        :raises CallFailed: a group where there are none, none where there are some, or an impossible one.
        """
        if bool(group) != (self.groups is not None):
            raise CallFailed(INVALID, "This table has groups: say which." if not group else "This table has no groups.")
        if group:
            self._group(group)

    def _group(self, word: str) -> Any:
        groups = self.groups
        try:
            value = None if groups is None else groups.value_of(word)
        except ValueError:
            value = None
        if value is None:
            raise CallFailed(NOT_FOUND, "There is no such group.")
        return value

    def _to_write(self, session: Session, action: str, pk: object, version: object, group: str) -> Any:
        row = self._readable(session, pk, group, lock=True)
        self._check_may(session, action, row, group)
        if not isinstance(version, int) or isinstance(version, bool):
            raise CallFailed(INVALID, "Say which version of the row you changed.")
        if getattr(row, self._version) != version:
            raise self._conflict(row)
        return row

    def _readable(self, session: Session, pk: object, group: str, *, lock: bool = False) -> Any:
        try:
            key = self.key.from_json(pk)
        except ValueError:
            raise CallFailed(NOT_FOUND, "There is no such row.") from None
        row = session.get(self._model, key, with_for_update=lock or None, populate_existing=True)
        if row is None or self._group_of(row) != group or not self.may_read(_who(), row):
            raise CallFailed(NOT_FOUND, "That row is not there any more.")
        return row

    def _last(self, after: object) -> Any:
        try:
            return self.key.from_json(after)
        except ValueError as error:
            raise CallFailed(INVALID, str(error)) from None

    def _check_may(self, session: Session, action: str, row: Any, group: str) -> None:
        with session.no_autoflush:
            if not self._may_be_in(self._group_written(row), group) or not self.may_write(_who(), action, row):
                raise CallFailed(NOT_ALLOWED, f"You may not {action} this row.")

    def _group_written(self, row: Any) -> str | None:
        try:
            return self._group_of(row)
        except InvalidURI as error:
            raise CallFailed(INVALID, str(error)) from None

    def _may_be_in(self, group: str | None, asked: str) -> bool:
        """Return whether the caller may leave a row in a group: in the one they work in, or another that is theirs."""
        if group == asked:
            return True
        return self.groups is not None and group is not None and self.groups.may_see(_who(), group)

    def _set(self, row: Any, values: object) -> None:
        if not isinstance(values, Mapping) or not values or not set(values) <= set(self.fields):
            raise CallFailed(INVALID, f"Values are for the fields {', '.join(self.fields)}.")
        for name, value in values.items():
            try:
                setattr(row, name, self.columns[name].from_json(value))
            except ValueError as error:  # the model's own validators, too
                raise CallFailed(INVALID, str(error), field=name) from None

    def _conflict(self, row: Any) -> CallFailed:
        return CallFailed(CONFLICT, "Somebody else changed this row meanwhile.", row=self._answer(row))

    def _pk(self, row: Any) -> Any:
        return self.key.to_json(getattr(row, self.key.name))

    def session(self) -> Any:
        """Return the session of the handler that runs."""
        return self._sessions() if self._sessions is not None else current_app.extensions["sqlalchemy"].session()


class _answering:  # noqa: N801 - read as a word of the language
    """One handler's transaction, rolled back when it is refused; the database's errors become ones in plain words."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._session: Session = binding.session()

    def __enter__(self) -> Session:
        return self._session

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self._session.rollback()  # a read ends here, and a commit has happened already
        if isinstance(error, StaleDataError):
            raise CallFailed(CONFLICT, "Somebody else changed this row meanwhile. Look at it again.") from None
        if isinstance(error, IntegrityError):
            raise CallFailed(INVALID, "The table does not take that: a value is missing, or used already.") from None
        if isinstance(error, DataError):
            raise CallFailed(INVALID, "A value does not fit its column.") from None


def _say_nothing() -> None:
    """Publish this in place of the row's own event."""


def _who() -> Caller:
    return cast("Caller", caller._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's documented name


def _groups(mapper: Mapper[Any], group: str, claim: str | None) -> Groups | None:
    if not group:
        if claim != "":
            raise ConfigError(f"bind(claim={claim!r}) is for tables with groups: say group=…, too.")
        return None
    if claim == "":
        raise ConfigError(
            f"bind(group={group!r}) does not say who may see a group: claim='team' means the groups that somebody's "
            "ticket claims as team, claim=None every reader."
        )
    return Groups(columns.of(mapper, [group])[group], claim)


def _version_of(mapper: Mapper[Any]) -> str:
    column = mapper.version_id_col
    if column is None:
        raise ConfigError(
            f"{mapper.class_.__name__} needs a version, so that no edit is lost: add "
            "`version: Mapped[int] = mapped_column()` and `__mapper_args__ = {'version_id_col': version}`."
        )
    return mapper.get_property_by_column(column).key
