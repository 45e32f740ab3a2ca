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
after the commit. What goes around the ORM's units of work is told by :meth:`Binding.announce`; statements such as
``session.execute(update(Model)…)`` are noticed by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from flask import current_app, has_app_context
from sqlalchemy import event, inspect, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, scoped_session
from sqlalchemy.orm.exc import StaleDataError

from . import changes, columns, uris
from ._current import current_client
from .caller import Caller, caller
from .errors import CallFailed, ConfigError
from .permissions import PAGES, Permission

if TYPE_CHECKING:
    from .after_commit import AfterCommit
    from .extension import WAMP

__all__ = ["Binding", "permissions_for"]

MANY = 500
"""Rows of one flush above which pages are told to fetch the table again, not each row."""
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
    table: str, *, readers: Iterable[str] = PAGES, writers: Iterable[str] = PAGES
) -> tuple[Permission, ...]:
    """What the router is told of a bound table: the roles that may hear and write it at all."""
    reading, writing = tuple(readers), tuple(writers)
    return (
        *(Permission(f"tables.{table}.{name}", call=reading) for name in ("snapshot", "row")),
        *(Permission(f"tables.{table}.{name}", call=writing) for name in ("create", "update", "delete")),
        *(Permission(f"tables.{table}.<pk>.{name}", subscribe=reading) for name in ("changed", "deleted")),
        Permission(f"tables.{table}.reset", subscribe=reading),
    )


class Binding:
    """What :meth:`wampflask.WAMP.bind` returns.

    :param model: mapped, with one primary key (an integer or UUID) and a ``version_id_col``.
    :param fields: the attributes that pages see and write; columns only.
    :param can_read: ``(caller, row)``; without it, whoever has a role of ``readers``. With it, events say only that a
        row has changed, and each page asks for it and gets it or not.
    :param can_write: ``(caller, action, row)``, the action being create, update or delete; an update is asked about
        before and after the values are set.
    :param table: the component in the URIs; by default the table's name.
    :param session: where the handlers' sessions come from; by default Flask-SQLAlchemy's.
    :raises ConfigError: saying what the model lacks.
    """

    def __init__(
        self,
        wamp: WAMP,
        model: type[Any],
        *,
        fields: Iterable[str],
        can_read: CanRead | None = None,
        can_write: CanWrite | None = None,
        table: str | None = None,
        session: Sessions | None = None,
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
        self._columns = columns.of(mapper, self.fields)
        self._key = columns.key_of(mapper)
        self._made = f"wampflask.binding.{self.table}.made"
        uris.check(f"tables.{self.table}.snapshot")

    def watch(self) -> None:
        """Listen to all sessions, and register the procedures."""
        changes.watch(self._model, self._tell_all)
        event.listen(Session, "do_orm_execute", self._before_statement)
        for name in ("snapshot", "row", "create", "update", "delete"):
            self._wamp.register(f"tables.{self.table}.{name}")(getattr(self, name))

    def unwatch(self) -> None:
        """Hear nothing of sessions any more: for tests that bind models of their own."""
        changes.unwatch(self._model, self._tell_all)
        event.remove(Session, "do_orm_execute", self._before_statement)

    # -- to the pages

    def announce(self, session: Session | scoped_session[Any]) -> None:
        """Have pages fetch the table again when this transaction commits: after statements that went around the ORM.

        Raise the version column in such statements, too: it is what tells a page that its edit is of an older row.
        """
        real: Session = session() if isinstance(session, scoped_session) else session
        if not real.in_transaction():
            real.begin()  # what is told belongs to a transaction, and goes with it
        self._after_commit(real).publish_latest(f"tables.{self.table}.reset", {"reset": True})

    def describe(self, row: Any) -> dict[str, Any]:
        """A row as pages get it: ``pk``, ``version``, ``values``."""
        return {
            "pk": self._pk(row),
            "version": getattr(row, self._version),
            "values": {name: column.to_json(getattr(row, name)) for name, column in self._columns.items()},
        }

    def _tell_all(self, session: Session, found: list[changes.Change]) -> None:
        if len(found) > MANY:
            self.announce(session)
            return
        for kind, row in found:
            self._tell(session, kind, row)

    def _tell(self, session: Session, kind: str, row: Any) -> None:
        # Deletions go in order and certainly; of changes only the newest of each row matters.
        after = self._after_commit(session)
        if kind == "deleted":
            gone = self._obituary(row)
            after.publish_later(f"tables.{self.table}.{gone['pk']}.deleted", gone)
            return
        state = self.describe(row)
        state["kind"] = self._kind(session, kind, state["pk"])
        if self._can_read is not None:
            del state["values"]
        after.publish_latest(f"tables.{self.table}.{state['pk']}.changed", state)

    def _after_commit(self, session: Session) -> AfterCommit:
        current_client().expect_change()  # should this process die after the commit, pages fetch the table again
        return self._wamp.after_commit(session)

    def _kind(self, session: Session, kind: str, pk: Any) -> str:
        """A row that was made and then changed in one transaction is a created one."""
        transaction = session.get_transaction()
        of, made = session.info.get(self._made, (None, set()))
        if of is not transaction:
            made = set()
            session.info[self._made] = (transaction, made)
        if kind == "created":
            made.add(pk)
        return "created" if pk in made else kind

    def _before_statement(self, state: ORMExecuteState) -> None:
        if not (state.is_insert or state.is_update or state.is_delete) or not has_app_context():
            return
        if state.bind_mapper is not None and issubclass(state.bind_mapper.class_, self._model):
            self.announce(state.session)

    def _obituary(self, row: Any) -> dict[str, Any]:
        return {"pk": self._pk(row), "version": getattr(row, self._version) + 1, "deleted": True}

    # -- from the pages

    def snapshot(self, after: object = None) -> dict[str, Any]:
        """The rows that the caller may read, in the order of their keys, ``PAGE`` at once.

        :param after: ``after`` of the answer before.
        """
        with _answering(self) as session:
            query = select(self._model).order_by(getattr(self._model, self._key.name)).limit(PAGE + 1)
            if after is not None:
                query = query.where(getattr(self._model, self._key.name) > self._last(after))
            found = session.scalars(query).all()
            shown = found[:PAGE]
            rows = [self.describe(row) for row in shown if self._may_read(row)]
            return {"rows": rows, "more": len(found) > PAGE, "after": self._pk(shown[-1]) if shown else None}

    def row(self, pk: object) -> dict[str, Any]:
        """One row.

        :raises CallFailed: ``tables.error.not_found``; also where the caller may not read it.
        """
        with _answering(self) as session:
            return self.describe(self._readable(session, pk))

    def create(self, values: object) -> dict[str, Any]:
        """Make a row.

        :raises CallFailed: ``tables.error.invalid`` or ``.not_allowed``.
        """
        with _answering(self) as session:
            row = self._model()
            self._set(row, values)
            self._check_may(session, "create", row)
            session.add(row)
            session.commit()
            return self.describe(row)

    def update(self, pk: object, values: object, version: object) -> dict[str, Any]:
        """Change a row that is as the caller saw it.

        :param version: of the row that was edited.
        :raises CallFailed: ``tables.error.conflict`` with the current ``row``; ``.not_found``, ``.not_allowed``,
            ``.invalid``.
        """
        with _answering(self) as session:
            row = self._to_write(session, "update", pk, version)
            with session.no_autoflush:
                self._set(row, values)
                self._check_may(session, "update", row)
            session.commit()
            return self.describe(row)

    def delete(self, pk: object, version: object) -> dict[str, Any]:
        """Delete a row that is as the caller saw it; the errors are those of :meth:`update`."""
        with _answering(self) as session:
            row = self._to_write(session, "delete", pk, version)
            gone = self._obituary(row)
            session.delete(row)
            session.commit()
            return gone

    def _to_write(self, session: Session, action: str, pk: object, version: object) -> Any:
        row = self._readable(session, pk, lock=True)
        self._check_may(session, action, row)
        if not isinstance(version, int) or isinstance(version, bool):
            raise CallFailed(INVALID, "Say which version of the row you changed.")
        if getattr(row, self._version) != version:
            raise self._conflict(row)
        return row

    def _readable(self, session: Session, pk: object, *, lock: bool = False) -> Any:
        try:
            key = self._key.from_json(pk)
        except ValueError:
            raise CallFailed(NOT_FOUND, "There is no such row.") from None
        row = session.get(self._model, key, with_for_update=lock or None, populate_existing=True)
        if row is None or not self._may_read(row):
            raise CallFailed(NOT_FOUND, "That row is not there any more.")
        return row

    def _last(self, after: object) -> Any:
        try:
            return self._key.from_json(after)
        except ValueError as error:
            raise CallFailed(INVALID, str(error)) from None

    def _may_read(self, row: Any) -> bool:
        return self._can_read is None or self._can_read(_who(), row)

    def _check_may(self, session: Session, action: str, row: Any) -> None:
        with session.no_autoflush:
            if self._can_write is not None and not self._can_write(_who(), action, row):
                raise CallFailed(NOT_ALLOWED, f"You may not {action} this row.")

    def _set(self, row: Any, values: object) -> None:
        if not isinstance(values, Mapping) or not values or not set(values) <= set(self.fields):
            raise CallFailed(INVALID, f"Values are for the fields {', '.join(self.fields)}.")
        for name, value in values.items():
            try:
                setattr(row, name, self._columns[name].from_json(value))
            except ValueError as error:  # the model's own validators, too
                raise CallFailed(INVALID, str(error), field=name) from None

    def _conflict(self, row: Any) -> CallFailed:
        return CallFailed(CONFLICT, "Somebody else changed this row meanwhile.", row=self.describe(row))

    def _pk(self, row: Any) -> Any:
        return self._key.to_json(getattr(row, self._key.name))

    def session(self) -> Any:
        """The session of the handler that runs."""
        return self._sessions() if self._sessions is not None else current_app.extensions["sqlalchemy"].session()


class _answering:  # noqa: N801 - read as a word of the language
    """One handler's transaction: what is refused leaves nothing; what the database refuses is said in plain words."""

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


def _who() -> Caller:
    return cast("Caller", caller._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's documented name


def _version_of(mapper: Mapper[Any]) -> str:
    column = mapper.version_id_col
    if column is None:
        raise ConfigError(
            f"{mapper.class_.__name__} needs a version, so that no edit is lost: add "
            "`version: Mapped[int] = mapped_column()` and `__mapper_args__ = {'version_id_col': version}`."
        )
    return mapper.get_property_by_column(column).key
