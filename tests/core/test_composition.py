"""Names made of functions' names, one app's declarations out of several parts, and moments of the connection's life."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from flask import Flask
from jinja2 import DictLoader
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from wampflask import WAMP, AlreadyDeclared, Caller, ConfigError, InvalidURI, NoSuchProcedure, NotAuthorized, signals
from wampflask.testing import MemoryRealm, in_memory


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    left: Mapped[int]


@pytest.fixture
def wamp() -> WAMP:
    return WAMP(name="demo")


@pytest.fixture
def app(wamp: WAMP, tmp_path: Path) -> Flask:
    app = Flask("composition", instance_path=str(tmp_path))
    app.jinja_loader = DictLoader({"_tea.html": "{{ left }} left"})
    wamp.init_app(app)
    return app


@pytest.fixture
def realm(app: Flask) -> Iterator[MemoryRealm]:
    with in_memory(app) as realm, app.app_context():
        yield realm


# -- names


def test_a_procedure_without_a_uri_has_the_apps_name_and_the_functions(wamp: WAMP, realm: MemoryRealm) -> None:
    @wamp.register(allow="user")
    def ip() -> str:
        return "10.0.0.7"

    assert realm.invoke("demo.ip", caller=Caller(role="user")) == "10.0.0.7"
    with pytest.raises(NotAuthorized):
        realm.invoke("demo.ip")


def test_names_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match=r"WAMP\(name="):
        WAMP().register()(lambda: 1)
    with pytest.raises(InvalidURI):
        WAMP(name="My Shop")
    with pytest.raises(InvalidURI):
        WAMP(name="demo").register()(lambda: 1)  # "<lambda>"


# -- parts


def part() -> tuple[WAMP, list[int]]:
    """A package's own ``WAMP``, with something of every kind; and what its subscriber was given."""
    shop, sold = WAMP(name="shop"), list[int]()

    @shop.register(allow="everyone")
    def order(number: int) -> str:
        shop.publish("shop.sold", number)
        return f"order {number}"

    shop.subscribe("shop.sold")(sold.append)
    shop.value("shop.stock.<int:item>", allow="everyone", of=Item)(lambda item: {"item": item})
    shop.fragment("_tea.html", allow="everyone", name="tea")(lambda: {"left": 7})
    shop.presence("shop.floor", allow="everyone")(lambda person: {"who": person.authid})
    return shop, sold


def test_what_is_included_works_as_if_it_was_declared_here(wamp: WAMP, app: Flask, realm: MemoryRealm) -> None:
    shop, sold = part()
    wamp.include(shop)

    page = realm.page(user=2)
    page.subscribe("shop.stock.4")
    assert realm.invoke("shop.order", 3, caller=Caller(role="visitor")) == "order 3"
    assert sold == [3]
    assert page.call("shop.stock.4") == {"item": 4}
    shop.changed("shop.stock.4")
    assert page.heard[-1].args[0] == {"item": 4}
    with app.test_request_context():
        assert "7 left" in wamp.render_fragment("tea")
    page.subscribe("shop.floor.here")


def test_commits_are_seen_by_what_is_included(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.include(part()[0])
    page = realm.page(user=2)
    page.subscribe("shop.stock.9")
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Item(id=9, left=1))
        session.commit()
    engine.dispose()
    assert page.heard[-1].args[0] == {"item": 9}


def test_parts_of_parts(wamp: WAMP, realm: MemoryRealm) -> None:
    outer = WAMP(name="outer")
    outer.include(part()[0])
    outer.register(allow="everyone")(hello)
    wamp.include(outer)
    assert realm.invoke("outer.hello") == "hello"
    assert realm.invoke("shop.order", 3) == "order 3"
    wamp.forget("shop.order")
    with pytest.raises(NoSuchProcedure):
        realm.invoke("shop.order", 3)


def hello() -> str:
    return "hello"


def test_nothing_is_declared_on_a_part_once_it_is_included(wamp: WAMP) -> None:
    shop, _ = part()
    wamp.include(shop)
    for declare in (
        lambda: shop.register("shop.late")(hello),
        lambda: shop.value("shop.late", allow="everyone")(hello),
        lambda: shop.on("ready")(hello),
        lambda: shop.permit(*wamp.permissions),
        lambda: WAMP().include(shop),
    ):
        with pytest.raises(ConfigError, match="before include"):
            declare()


def test_parts_that_do_not_fit(wamp: WAMP, app: Flask, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="same roles="):
        wamp.include(WAMP(roles=("customer",)))
    with pytest.raises(ConfigError, match="an app of its own"):
        wamp.include(WAMP(Flask("other", instance_path=str(tmp_path))))
    wamp.include(part()[0])
    with pytest.raises(AlreadyDeclared, match="tea"):
        wamp.include(part()[0])


# -- moments


def test_moments_are_run_for_the_apps_own_connection(wamp: WAMP, app: Flask, caplog: Any) -> None:
    seen: list[object] = []
    wamp.on("ready")(lambda: seen.append("ready"))
    wamp.on("lost")(fail)
    wamp.on("lost")(lambda reason: seen.append(reason.upper()))
    other = WAMP()
    other.on("lost")(lambda: seen.append("of another app"))

    signals.ready.send(app, session=1)
    signals.lost.send(app, reason="cut")
    assert seen == ["ready", "CUT"]
    assert "fail" in caplog.text, "the one that failed is named"


def fail() -> None:
    raise RuntimeError


def test_what_is_included_brings_its_jobs(wamp: WAMP, realm: MemoryRealm) -> None:
    shop = WAMP()
    shop.cron(hour=3, name="shop.tidy")(hello)
    wamp.include(shop)
    assert [job.name for job in wamp.jobs()] == ["shop.tidy"]
    with pytest.raises(ConfigError, match="before include"):
        shop.cron(hour=4, name="shop.late")(hello)


def test_what_is_included_brings_its_moments(wamp: WAMP, app: Flask) -> None:
    seen: list[int] = []
    shop = WAMP()
    shop.on("connected")(lambda session: seen.append(-session))
    wamp.include(shop)
    signals.connected.send(app, session=5)
    assert seen == [-5]


def test_moments_end_with_their_wamp() -> None:
    wamp = WAMP()
    wamp.on("ready")(hello)
    kept = ref(wamp)
    del wamp
    gc.collect()
    assert kept() is None


def test_moments_that_there_are_not(wamp: WAMP) -> None:
    with pytest.raises(ConfigError, match="connected, ready, lost, stopping, dropped"):
        wamp.on("raedy")  # type: ignore[arg-type]

    async def later() -> None:
        pass

    with pytest.raises(ConfigError, match="async def"):
        wamp.on("ready")(later)
