"""One notation: a decorator that says who may, and named components that arrive as arguments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from wampflask import WAMP, Caller, CallFailed, ConfigError, InvalidURI, NotAuthorized, Permission, RateLimited
from wampflask.testing import MemoryRealm, in_memory


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def app(wamp: WAMP, tmp_path: Path) -> Flask:
    app = Flask("notation", instance_path=str(tmp_path))
    wamp.init_app(app)
    return app


@pytest.fixture
def realm(app: Flask) -> Iterator[MemoryRealm]:
    with in_memory(app) as realm, app.app_context():
        yield realm


def test_allow_declares_the_permission(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.register("todo.add", allow="user")(lambda: "yes")
    wamp.register("todo.all", allow="everyone")(lambda: "yes")
    wamp.register("todo.some.<int:item>", allow=("user", "agent"))(lambda item: item)

    assert wamp.permissions == (
        Permission("todo.add", call=("user",)),
        Permission("todo.all", call=("visitor", "user", "admin")),
        Permission("todo.some.<item>", call=("user", "agent")),
    )
    assert realm.invoke("todo.add", caller=Caller(role="user")) == "yes"
    with pytest.raises(NotAuthorized):
        realm.invoke("todo.add")
    assert wamp.call("todo.add") == "yes", "the app's own workers may"


@pytest.mark.parametrize("more", [{"roles": ("user",)}, {"login_required": True}, {"match": "prefix"}])
def test_allow_alone_says_who_may(wamp: WAMP, more: Any) -> None:
    with pytest.raises(ConfigError, match="leave out"):
        wamp.register("todo.add", allow="user", **more)


@pytest.mark.parametrize("allow", ["amdin", ("user", "backend"), [""], ("trusted",)])
def test_roles_that_there_are_not(wamp: WAMP, allow: Any) -> None:
    with pytest.raises(ConfigError, match="the roles are visitor, user, admin, agent"):
        wamp.register("todo.add", allow=allow)
    with pytest.raises((ConfigError, ValueError), match=r"'todo\.add'"):
        wamp.permit(Permission("todo.add", subscribe=allow))


def test_components_are_arguments(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.register("shop.stock.<item>")(lambda item: item)
    wamp.register("shop.<item>.price.<int:size>")(lambda size, item, currency="EUR": [item, size, currency])
    wamp.register("shop.last.<item>")(lambda amount, *, item: [item, amount])
    wamp.register("shop.any.<item>")(lambda **all_of_them: all_of_them)
    wamp.register("shop.team.{team}.<int:number>")(lambda team, number: [team, number])

    assert realm.invoke("shop.stock.tea") == "tea"
    assert realm.invoke("shop.tea.price.3") == ["tea", 3, "EUR"]
    assert realm.invoke("shop.tea.price.3", "USD") == ["tea", 3, "USD"]
    assert realm.invoke("shop.tea.price.3", currency="GBP") == ["tea", 3, "GBP"]
    assert realm.invoke("shop.last.tea", 7) == ["tea", 7]
    assert realm.invoke("shop.any.tea", left=1) == {"item": "tea", "left": 1}
    assert realm.invoke("shop.team.7.3") == ["7", 3]


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        (("coffee",), {}, "too many positional"),
        ((), {"item": "coffee"}, "stands in the URI"),
        ((), {"size": 3}, "unexpected keyword"),
    ],
)
def test_nobody_sends_a_component_beside_the_uri(
    wamp: WAMP, realm: MemoryRealm, args: tuple[Any, ...], kwargs: dict[str, Any], why: str
) -> None:
    wamp.register("shop.stock.<item>")(lambda item: item)
    with pytest.raises(CallFailed, match=why) as failed:
        realm.invoke("shop.stock.tea", *args, **kwargs)
    assert failed.value.uri == "wamp.error.invalid_argument"


def test_a_number_is_a_number(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.register("shop.item.<int:number>")(lambda number: number)
    assert realm.invoke("shop.item.12") == 12
    for wrong in ("tea", "1_2", "9" * 19):
        with pytest.raises(CallFailed, match="has no such argument"):
            realm.invoke(f"shop.item.{wrong}")


def test_events_bring_their_components(wamp: WAMP, realm: MemoryRealm) -> None:
    heard: list[Any] = []
    wamp.subscribe("shop.sold.<item>")(lambda item, left: heard.append((item, left)))
    wamp.publish("shop.sold.tea", left=3)
    wamp.publish("shop.sold.coffee", 2)
    wamp.publish("shop.sold.tea.green", 1)
    assert heard == [("tea", 3), ("coffee", 2)]


def test_the_old_notation_works(wamp: WAMP, realm: MemoryRealm) -> None:
    heard: list[Any] = []
    wamp.subscribe("shop..sold", match="wildcard")(heard.append)
    wamp.register("shop.tea", match="prefix")(lambda: "tea")
    wamp.publish("shop.tea.sold", 1)
    assert heard == [1]
    assert realm.invoke("shop.tea.green") == "tea"


def test_a_handler_that_does_not_take_a_component_is_refused(wamp: WAMP) -> None:
    with pytest.raises(ConfigError, match=r"names item, which the handler .*test_notation.py:\d+"):
        wamp.register("shop.stock.<item>")(lambda: None)
    with pytest.raises(ConfigError, match="names item, number"):
        wamp.subscribe("shop.<item>.<number>")(lambda *args: args)
    assert wamp.permissions == ()


@pytest.mark.parametrize("uri", ["<item>.stock", "wamp.<item>", "shop.<Item>", "shop.<item>.<item>", "shop.x<item>"])
def test_names_that_cannot_be(wamp: WAMP, uri: str) -> None:
    for declare in (wamp.register, wamp.subscribe):
        if not uri.startswith("wamp.") or declare is wamp.register:
            with pytest.raises(InvalidURI):
                declare(uri)
    with pytest.raises(InvalidURI, match="leave out match"):
        wamp.register("shop.<item>", match="wildcard")


# -- roles of an app's own


def test_an_app_has_roles_of_its_own(tmp_path: Path) -> None:
    wamp, app = WAMP(roles=("customer", "staff"), programs=("till",)), Flask("own", instance_path=str(tmp_path))
    wamp.init_app(app)
    wamp.register("shop.reserve", allow="customer")(lambda: "yes")
    wamp.register("shop.stock", allow="everyone")(lambda: "yes")
    wamp.register("shop.mine", login_required=True)(lambda: "yes")
    wamp.permit(Permission("shop.count", call=("till", "anonymous")))

    assert wamp.permissions[1] == Permission("shop.stock", call=("visitor", "customer", "staff"))
    for wrong in ("user", "agent"):
        with pytest.raises(ConfigError, match="the roles are visitor, customer, staff, till, anonymous"):
            wamp.permit(Permission("shop.other", subscribe=wrong))
    with in_memory(app) as realm:
        assert realm.invoke("shop.mine", caller=Caller(role="staff")) == "yes"
        with pytest.raises(NotAuthorized):
            realm.invoke("shop.mine", caller=Caller(role="till"))


@pytest.mark.parametrize(
    "roles", [("trusted",), ("backend",), ("anonymous",), ("visitor",), ("everyone",), ("Staff",), ("a", "a"), "staff"]
)
def test_names_that_are_no_roles(roles: Any) -> None:
    with pytest.raises(ConfigError):
        WAMP(roles=roles)


def test_a_rate_is_kept_in_memory_too(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.register("todo.add", allow="everyone", rate="2/minute")(lambda: "yes")
    page, other = realm.page(user=1), realm.page(user=2)
    assert [page.call("todo.add"), page.call("todo.add"), other.call("todo.add")] == ["yes"] * 3
    with pytest.raises(RateLimited, match=r"todo\.add was called too often"):
        page.call("todo.add")
    assert [wamp.call("todo.add") for _ in range(3)] == ["yes"] * 3, "workers are not counted"


def test_a_rate_needs_those_whom_it_is_for(wamp: WAMP) -> None:
    with pytest.raises(ConfigError, match="goes with allow="):
        wamp.register("todo.add", rate="2/minute")
