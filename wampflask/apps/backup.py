"""Backup and restore: one archive with the database, the instance's secrets and keys, media and settings.

It can be made while the site runs. The database is copied first, by SQLite's own online backup or ``pg_dump``, and the
files after it, so that every file the database names is there. What programs write anew at each start is left out.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from flask import current_app
from flask_migrate import Config, upgrade
from sqlalchemy import URL, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from wampflask._current import current_client

from .config import COUNTS_FILE
from .db import MIGRATIONS
from .errors import SiteError
from .extensions import db

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database"
INSTANCE = "instance"
LEFT_OUT = ("crossbar", "serve.lock", COUNTS_FILE)
"""Names in the instance folder of what is made anew."""

_SQLITE = b"SQLite format 3\0"
_BESIDE = ("-wal", "-shm", "-journal")


class BackupError(SiteError):
    """A backup cannot be made or restored; the text says why, for people."""


# --- backup ----------------------------------------------------------------------------------------


def backup(file: Path) -> None:
    """Write everything into an archive that only its owner can read.

    :raises BackupError: the file exists, or something cannot be read.
    """
    if file.exists():
        raise BackupError(f"{file} exists. Name another file.")
    _check_own_store()
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory(dir=file.absolute().parent) as folder:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as archive:
                _write(archive, Path(folder))
        os.link(draft, file)
    except OSError as error:
        raise BackupError(f"The backup cannot be written: {error}.") from None
    finally:
        draft.unlink(missing_ok=True)


def _check_own_store() -> None:
    """Refuse to leave out the library's own tables, where they are on a server of their own."""
    url = current_client().config.database
    if not url.startswith("sqlite") and url != str(current_app.config["SQLALCHEMY_DATABASE_URI"]):
        raise BackupError(
            "WAMP_DATABASE names another server than WAMPFLASK_DATABASE_URL: back it up by its own means."
        )


def _write(archive: tarfile.TarFile, scratch: Path) -> None:
    url = db.engine.url
    copy = scratch / DATABASE
    manifest = {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "database": url.get_backend_name(),
        "revision": _revision(),
    }
    if url.get_backend_name() == "sqlite":
        _copy_sqlite(Path(str(url.database)), copy)
    else:
        _run_postgres("pg_dump", url, "--format=custom", "--no-owner", f"--file={copy}")
    (scratch / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    for name in (MANIFEST, DATABASE):
        archive.add(scratch / name, name)
    instance = Path(current_app.instance_path)
    for path in _files(instance):
        source = path
        if _is_sqlite(path):
            source = scratch / "other"
            _copy_sqlite(path, source)
        with suppress(FileNotFoundError):  # deleted since it was listed
            archive.add(source, f"{INSTANCE}/{path.relative_to(instance)}")


def _files(instance: Path) -> Iterator[Path]:
    """Return the files of an instance that belong into a backup, besides the site's database."""
    database = Path(str(db.engine.url.database or ""))
    without = {instance / name for name in LEFT_OUT} | {Path(f"{database}{end}") for end in ("", *_BESIDE)}
    for path in sorted(instance.rglob("*")):
        is_left_out = path in without or without & set(path.parents) or path.name.endswith(_BESIDE)
        if not is_left_out and path.is_file() and not path.is_symlink():
            yield path


def _is_sqlite(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE
    return False


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database that others may write to, as it is at one moment."""
    target.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as begin,
            closing(sqlite3.connect(target)) as end,
        ):
            begin.backup(end)
            end.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"{source} cannot be copied: {error}.") from None


def _revision() -> str:
    try:
        with db.engine.connect() as connection:
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    except SQLAlchemyError:
        raise BackupError("There is no database to back up. 'flask site init' makes one.") from None


def _run_postgres(program: str, url: URL, *options: str) -> None:
    """Run one of PostgreSQL's programs; the password stays out of its command line."""
    address = url.set(drivername="postgresql", password=None).render_as_string()
    env = {**os.environ, "PGPASSWORD": url.password} if url.password else {**os.environ}
    try:
        done = subprocess.run(
            [program, *options, f"--dbname={address}"],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise BackupError(
            f"{program} is not installed. On Debian and Ubuntu: apt-get install postgresql-client"
        ) from None
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip()}")


# --- restore ---------------------------------------------------------------------------------------


def restore(file: Path, *, replace: bool) -> None:
    """Put an archive's contents in the place of this instance's, and bring the database up to date.

    Nothing is changed before the archive has been read whole. Nobody else may use the instance meanwhile.

    :param replace: also where there is a database already.
    :raises BackupError: it cannot be done; the text says why.
    """
    instance = Path(current_app.instance_path)
    if not replace and inspect(db.engine).get_table_names():
        raise BackupError(f"There is a database already, for {instance}. To replace it: --replace")
    db.engine.dispose()
    try:
        with tempfile.TemporaryDirectory(dir=instance) as name:
            folder = Path(name)
            manifest = _read(file, folder)
            _check(manifest)
            _restore_database(folder / DATABASE)
            _move_files(folder / INSTANCE, instance)
    except (OSError, tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise BackupError(f"{file} cannot be restored: {error}") from None
    upgrade()


def _read(file: Path, folder: Path) -> dict[str, Any]:
    with tarfile.open(file, mode="r:gz") as archive:
        archive.extractall(folder, filter="data")
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def _check(manifest: dict[str, Any]) -> None:
    if manifest["format"] != FORMAT:
        raise BackupError(f"The backup has format {manifest['format']}, and this version reads {FORMAT}.")
    kind = db.engine.url.get_backend_name()
    if manifest["database"] != kind:
        raise BackupError(
            f"The backup is of a {manifest['database']} database, and WAMPFLASK_DATABASE_URL names {kind}."
        )
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    if manifest["revision"] not in known:
        raise BackupError("The backup was made by a newer version of the site. Install that one first.")


def _restore_database(copy: Path) -> None:
    url = db.engine.url
    if url.get_backend_name() != "sqlite":
        options = ("--clean", "--if-exists", "--no-owner", "--exit-on-error", "--single-transaction", str(copy))
        _run_postgres("pg_restore", url, *options)
        return
    if not _is_sqlite(copy):
        raise BackupError("The backup has no database in it.")
    _replace(copy, Path(str(url.database)))


def _move_files(source: Path, instance: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            target = instance / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, target)


def _replace(source: Path, target: Path) -> None:
    """Move a file to its place; what SQLite keeps beside a database is not of the new one."""
    source.chmod(0o600)
    for end in _BESIDE:
        Path(f"{target}{end}").unlink(missing_ok=True)
    shutil.move(source, target)
