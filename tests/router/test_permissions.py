"""Declaring permissions: what may be declared, what is refused, and what becomes of it."""

from __future__ import annotations

import pytest

from wampflask.permissions import PAGES, Permission, compile_rules
from wampflask.router.lint import lint
from wampflask.router.render import Node, Realm, render


def test_a_permission_becomes_plain_data() -> None:
    """Only what is granted stands in the router's configuration."""
    permission = Permission("chat.room.<label>.message", subscribe=PAGES, publish=["user"])

    assert permission.as_rule() == {
        "uri": "chat.room.<label>.message",
        "publish": ["user"],
        "subscribe": ["visitor", "user", "admin"],
    }
    assert permission.roles("call") == ()


def test_permissions_are_compared_by_what_they_grant() -> None:
    assert Permission("a.b", call=("user",)) == Permission("a.b", call=["user"])
    assert Permission("a.b", call=("user",)) != Permission("a.b", call=("admin",))
    assert len({Permission("a.b", call=("user",)), Permission("a.b", call=("user",))}) == 1
    assert repr(Permission("a.b", call=("user",))) == "Permission('a.b', call=('user',))"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "wamp.session.list",
        "wamp",
        "wampflask.lock.a",
        "crossbar.info",
        "<any>.thing",
        "{authid}.thing",
        ".thing",
        "Polls.results",
        "polls..results",
        "polls.results.",
        "polls.*",
        "polls.re-sults",
        "polls.<>",
        "polls.<a",
        "polls.x<a>",
        "polls.{a",
        "polls.{A}",
        "polls results",
    ],
)
def test_uris_that_cannot_be(uri: str) -> None:
    """Nothing of the router's own, nothing that begins with anything, nothing that is not strict."""
    with pytest.raises(ValueError, match="permission for"):
        Permission(uri, call=("user",))


@pytest.mark.parametrize("roles", ["User", "", ("ro ot",), ("backend",), ("trusted",), (7,)])
def test_roles_that_cannot_be(roles: object) -> None:
    with pytest.raises(ValueError, match=r"use visitor, user, admin, agent, anonymous"):
        Permission("polls.results", call=roles)  # type: ignore[arg-type]


def test_one_role_needs_no_tuple() -> None:
    assert Permission("a.b", call="user") == Permission("a.b", call=("user",))


def test_a_realm_has_the_roles_of_its_permissions() -> None:
    """Those that an app's WAMP does not have are refused there; a node made by hand is checked as well."""
    permission = Permission("shop.stock", call=("staff",))
    with pytest.raises(ValueError, match="names staff; the roles are visitor, user"):
        render(Node(realms=(Realm(permissions=(permission,)),)))

    config = render(Node(realms=(Realm(permissions=(permission,), roles=("visitor", "staff")),)))["workers"][0]
    assert [role["name"] for role in config["realms"][0]["roles"]] == ["backend", "visitor", "staff", "anonymous"]
    assert lint({"workers": [config]}) == []


def test_compiled_in_a_fixed_order() -> None:
    """The committed configuration does not depend on the order of imports; declaring twice the same is harmless."""
    one, two = Permission("b.one", call=("user",)), Permission("a.two", subscribe=("user",))

    assert compile_rules([one, two]) == compile_rules([two, one, two])
    assert [rule["uri"] for rule in compile_rules([one, two])] == ["a.two", "b.one"]


def test_two_permissions_for_one_uri_are_refused() -> None:
    """However the placeholder is called: one place says who may."""
    with pytest.raises(ValueError, match="Two permissions for"):
        compile_rules([Permission("a.<id>", call=("user",)), Permission("a.<name>", call=("admin",))])
