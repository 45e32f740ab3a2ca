"""``flask users …``."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import Result
from flask import Flask

from tests.apps.visiting import ADMIN, USER, Visitor
from wampflask.in_memory import MemoryRealm


@pytest.fixture
def site(app: Flask, realm: MemoryRealm) -> Flask:
    return app


def users(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["users", *arguments])


def shown_password(result: Result) -> str:
    found = re.search(r"Password: (\S+)", result.output)
    assert found, result.output
    return found[1]


def test_create_with_a_password_made_up(site: Flask) -> None:
    result = users(site, "create", "New@Example.org", "--role", "admin")
    assert result.exit_code == 0, result.output
    assert "New@example.org (admin)" in result.output
    assert re.fullmatch(r"(\w{4}-){3}\w{4}", shown_password(result))
    Visitor(site).log_in(("new@example.org", shown_password(result)))


def test_create_with_a_password_given(site: Flask) -> None:
    result = users(site, "create", "me@localhost", "--password", "my own long one")
    assert result.exit_code == 0
    assert "my own long one" not in result.output
    Visitor(site).log_in(("me@localhost", "my own long one"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", USER[0].upper()], "already"),
        (["create", "nonsense"], "not an e-mail address"),
        (["create", "a@b@c"], "not an e-mail address"),
        (["create", "me@example.org", "--role", "king"], "no role 'king'"),
        (["create", "me@example.org", "--password", "short"], "10 characters"),
        (["deactivate", "nobody@example.org"], "no user"),
        (["deactivate", ADMIN[0]], "only active admin"),
        (["remove-role", ADMIN[0], "admin"], "only active admin"),
        (["add-role", USER[0], "king"], "no role 'king'"),
        (["set-password", USER[0], "--password", "short"], "10 characters"),
    ],
)
def test_refusals_are_one_line_and_change_nothing(site: Flask, arguments: list[str], words: str) -> None:
    before = users(site, "list", "--json").output
    result = users(site, *arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert result.output.count("\n") == 1
    assert users(site, "list", "--json").output == before


def test_list(site: Flask) -> None:
    users(site, "deactivate", USER[0])
    assert users(site, "list").output.splitlines() == [f"{ADMIN[0]} (admin)", f"{USER[0]}, deactivated"]
    assert json.loads(users(site, "list", "--json").output)[0] == {
        "email": ADMIN[0],
        "active": True,
        "roles": ["admin"],
    }


def test_deactivate_and_activate(site: Flask, realm: MemoryRealm) -> None:
    assert users(site, "deactivate", USER[0]).exit_code == 0
    assert len(realm.revoked) == 1
    assert users(site, "activate", USER[0]).exit_code == 0
    Visitor(site).log_in(USER)


def test_set_password(site: Flask, realm: MemoryRealm) -> None:
    result = users(site, "set-password", USER[0])
    assert result.exit_code == 0
    assert len(realm.revoked) == 1
    Visitor(site).log_in((USER[0], shown_password(result)))


def test_roles(site: Flask) -> None:
    assert users(site, "add-role", USER[0], "admin").exit_code == 0
    assert Visitor(site).log_in(USER).get("/admin/").status_code == 200
    assert users(site, "remove-role", ADMIN[0], "admin").exit_code == 0
    assert Visitor(site).log_in(ADMIN).get("/admin/").status_code == 403
