"""Databases for tests: SQLite files, or databases of the PostgreSQL server that ``TEST_DATABASE_URL`` names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

SERVER = os.environ.get("TEST_DATABASE_URL", "").replace("postgresql://", "postgresql+psycopg://")

_CLOCK = "SELECT to_timestamp(seconds) FROM public.test_time"

made: list[str] = []
"""The names of the server's databases that this process has made and not dropped, in their order."""


def url_in(folder: Path, name: str, copy_of: Path | None = None) -> str:
    """The address of a folder's database; on a server it is made when it is first asked for.

    :param copy_of: a folder whose database of that name it is to begin as. A file goes with its folder.
    """
    if not SERVER:
        return f"sqlite:///{folder / f'{name}.db'}"
    database = _name_of(folder, name)
    if database not in made:
        template = f" TEMPLATE {_name_of(copy_of, name)} STRATEGY FILE_COPY" if copy_of else ""
        try:
            _execute(f"CREATE DATABASE {database}{template}")
        except ProgrammingError as error:
            if "already exists" not in str(error):
                raise
        made.append(database)
    return make_url(SERVER).set(database=database).render_as_string(hide_password=False)


def of_library(folder: Path) -> dict[str, str]:
    """What the configuration of an app in this folder must say of the library's own tables: nothing, for a file."""
    return {"WAMP_DATABASE": url_in(folder, "wamp")} if SERVER else {}


@contextmanager
def clock_of(url: str) -> Iterator[Callable[[float], None]]:
    """Set the clock of a server's database with what this yields, to seconds since the epoch."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    name = make_url(url).database
    with engine.connect() as connection:
        for statement in (
            "CREATE TABLE test_time AS SELECT 0::float8 AS seconds",
            f"CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS '{_CLOCK}'",
            f"ALTER DATABASE {name} SET search_path = public, pg_catalog",  # ours is found before PostgreSQL's own
        ):
            connection.execute(text(statement))

        def set_to(seconds: float) -> None:
            connection.execute(text("UPDATE test_time SET seconds = :seconds"), {"seconds": seconds})

        yield set_to
    engine.dispose()


def engine_in(folder: Path, name: str) -> Engine:
    """A connection to a folder's database."""
    engine = create_engine(url_in(folder, name))
    if not SERVER:
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA journal_mode=WAL"))
    return engine


def drop(beyond: int) -> None:
    """Drop all but the first databases that were made."""
    while len(made) > beyond:
        _execute(f"DROP DATABASE IF EXISTS {made.pop()} WITH (FORCE)")


def _name_of(folder: Path, name: str) -> str:
    return f"t{sha256(f'{folder.absolute()}/{name}'.encode()).hexdigest()[:24]}"


@cache
def _engine() -> Engine:
    return create_engine(SERVER, isolation_level="AUTOCOMMIT")


def _execute(statement: str) -> None:
    with _engine().connect() as connection:
        connection.execute(text(statement))
