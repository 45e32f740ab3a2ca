"""The site on a database of its own for each test, with a realm in memory; and with a real router where asked for.

``TEST_DATABASE_URL`` runs the same tests on a PostgreSQL server: each instance folder has a database of its own there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import upgrade
from flask_security.utils import hash_password
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule

from rig import databases
from tests.apps.visiting import ADMIN, USER, Visitor
from wampflask.apps import create_app
from wampflask.apps.accounts import service as accounts
from wampflask.apps.extensions import db
from wampflask.in_memory import MemoryRealm, in_memory

CHEAP = {"argon2__time_cost": 1, "argon2__memory_cost": 64, "argon2__parallelism": 1}
"""A log-in costs a fifth of a second otherwise."""


class InMemory(BytecodeCache):
    """Templates that one app of this process has compiled, for all the others."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (code := self._compiled.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = InMemory()


@pytest.fixture(scope="session", autouse=True)
def compiled_rules() -> Iterator[None]:
    """Let all apps share what Werkzeug compiles of their addresses: it is most of what making one takes."""
    compile_builder = Rule._compile_builder
    compiled: dict[tuple[object, ...], Any] = {}

    def shared(rule: Rule, append_unknown: bool = True) -> Any:
        key = (tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", shared)
        yield


def database_of(folder: Path) -> dict[str, str]:
    """What the configuration must say of an instance's database."""
    return {"WAMPFLASK_DATABASE_URL": databases.url_in(folder, "wampflask")} if databases.SERVER else {}


def make(folder: Path, **config: Any) -> Flask:
    """The site in ``folder``; an unexpected error ends the test."""
    own = {"TESTING": True, "PROPAGATE_EXCEPTIONS": True, "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": CHEAP}
    app = create_app({"INSTANCE": folder, **own, **database_of(folder), **config})
    app.jinja_env.bytecode_cache = TEMPLATES
    return app


def populate(app: Flask) -> None:
    """Tables, roles, one admin and one user."""
    with app.app_context():
        upgrade()
        accounts.ensure_roles(db.session())
        for (email, password), roles in ((ADMIN, ["admin"]), (USER, [])):
            accounts.create_user(db.session(), email, hash_password(password), roles)
        db.session.commit()
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder to copy: making one takes a second, copying it nothing."""
    folder = tmp_path_factory.mktemp("prepared") / "instance"
    populate(make(folder))
    return folder


def copy_instance(prepared: Path, folder: Path) -> Path:
    """Make ``folder`` an instance with a database like the prepared one."""
    shutil.copytree(prepared, folder)
    databases.url_in(folder, "wampflask", copy_of=prepared)
    return folder


@pytest.fixture
def instance(prepared: Path, tmp_path: Path) -> Path:
    """An instance folder with a database."""
    folder = tmp_path / "instance"
    return copy_instance(prepared, folder)


@pytest.fixture
def app(instance: Path) -> Iterator[Flask]:
    """The site; not connected to anything."""
    app = make(instance)
    yield app
    with app.app_context():
        db.engine.dispose()
    app.extensions["wamp"].store.close()


@pytest.fixture
def realm(app: Flask) -> Iterator[MemoryRealm]:
    """What the site publishes and answers, in memory."""
    with in_memory(app) as realm:
        yield realm


@pytest.fixture
def visitor(app: Flask, realm: MemoryRealm) -> Visitor:
    """Somebody who is not logged in."""
    return Visitor(app)


@pytest.fixture
def admin(app: Flask, realm: MemoryRealm) -> Visitor:
    """Somebody who is logged in as admin."""
    return Visitor(app).log_in(ADMIN)
