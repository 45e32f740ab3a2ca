"""Live settings: declared, stored, changed everywhere at once; what the configuration sets wins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from rig.databases import of_library
from wampflask import WAMP, AlreadyDeclared, ConfigError, InvalidURI, NotAuthorized
from wampflask.settings import CHANGED, MAX_AGE, STORED
from wampflask.testing import MemoryRealm, in_memory


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def app(wamp: WAMP, tmp_path: Path) -> Iterator[Flask]:
    app = Flask("settings", instance_path=str(tmp_path))
    app.config.update(of_library(tmp_path))
    wamp.init_app(app)
    yield app
    app.extensions["wamp"].store.close()


@pytest.fixture
def realm(app: Flask) -> Iterator[MemoryRealm]:
    with in_memory(app) as realm, app.app_context():
        yield realm
        realm.store.close()


def read_rate(text: str) -> int:
    if not text.endswith(" per minute"):
        raise ValueError("write a number and 'per minute'")
    return int(text.split(maxsplit=1)[0])


def elsewhere(app: Flask) -> WAMP:
    """Another worker's: the same declarations and the same database."""
    other = WAMP()
    twin = Flask(app.name, instance_path=app.instance_path)
    twin.config.update(of_library(Path(app.instance_path)))
    other.init_app(twin)
    other.settings.declare("chat.rate", "30 per minute", read=read_rate)
    other.twin = twin  # type: ignore[attr-defined]
    return other


def test_a_value_of_the_defaults_type_or_of_its_own_reader(wamp: WAMP, realm: MemoryRealm) -> None:
    rate = wamp.settings.declare("chat.rate", "30 per minute", read=read_rate, help="Messages of one person")
    kinds = {"a.text": "x", "a.whole": 3, "a.number": 0.5, "a.flag": True}
    for name, default in kinds.items():
        wamp.settings.declare(name, default)

    assert (rate.value, rate.present.source, rate.help) == (30, "default", "Messages of one person")
    assert {name: wamp.settings[name] for name in kinds} == kinds
    for name, text, value in (
        ("a.text", "y", "y"),
        ("a.whole", "-4", -4),
        ("a.number", "1e3", 1000.0),
        ("a.flag", "off", False),
    ):
        wamp.settings.set(name, text)
        assert wamp.settings[name] == value
    assert [setting.name for setting in wamp.settings] == sorted([*kinds, "chat.rate"])


def test_what_is_set_is_kept_and_can_be_taken_back(wamp: WAMP, app: Flask, realm: MemoryRealm) -> None:
    rate = wamp.settings.declare("chat.rate", "30 per minute", read=read_rate)
    wamp.settings.set("chat.rate", "5 per minute", by="ann@example.org")
    assert rate.value == 5
    stored = rate.present.stored
    assert stored is not None
    assert (rate.present.source, stored.changed_by) == ("stored", "ann@example.org")

    other: Any = elsewhere(app)
    with other.twin.app_context():
        assert other.settings["chat.rate"] == 5, "a process that starts later"
        other.twin.extensions["wamp"].store.close()
    wamp.settings.reset("chat.rate")
    assert (rate.value, rate.present.source) == (30, "default")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("chat.rate", "fast", "write a number and 'per minute'"),
        ("a.whole", "3.5", "'3.5' is not a whole number"),
        ("a.number", "nan", "cannot be used"),
        ("a.flag", "maybe", "neither true nor false"),
        ("a.text", "x" * 20_000, "at most"),
    ],
)
def test_what_cannot_be_read_is_refused_and_changes_nothing(
    wamp: WAMP, realm: MemoryRealm, name: str, text: str, message: str
) -> None:
    wamp.settings.declare("chat.rate", "30 per minute", read=read_rate)
    for kind, default in (("a.whole", 3), ("a.number", 0.5), ("a.flag", True), ("a.text", "")):
        wamp.settings.declare(kind, default)
    before = wamp.settings[name]
    with pytest.raises(ConfigError, match=message):
        wamp.settings.set(name, text)
    assert wamp.settings[name] == before


def test_the_configuration_wins_and_says_so(wamp: WAMP, app: Flask, realm: MemoryRealm) -> None:
    rate = wamp.settings.declare("chat.rate", "30 per minute", read=read_rate, key="SHOP_CHAT_RATE")
    wamp.settings.set("chat.rate", "5 per minute")
    app.config["SHOP_CHAT_RATE"] = "7 per minute"
    assert (rate.value, rate.present.source) == (7, "configuration")
    with pytest.raises(ConfigError, match="SHOP_CHAT_RATE in the app's configuration"):
        wamp.settings.set("chat.rate", "9 per minute")
    with pytest.raises(ConfigError, match="SHOP_CHAT_RATE in the app's configuration"):
        wamp.settings.reset("chat.rate")


def test_other_workers_hear_of_it(wamp: WAMP, app: Flask, realm: MemoryRealm) -> None:
    """The event of another worker: here it is sent by hand, after that worker's write."""
    seen: list[int] = []
    rate = wamp.settings.declare("chat.rate", "30 per minute", read=read_rate)
    rate.changed(seen.append)
    realm.deliver(CHANGED, ["chat.rate"])
    assert seen == []
    other: Any = elsewhere(app)
    with other.twin.app_context(), in_memory(other.twin) as away:
        other.settings.set("chat.rate", "5 per minute")
        assert [event.topic for event in away.published] == [CHANGED]
        away.store.close()
    assert rate.value == 30, "it has not heard yet"
    realm.deliver(CHANGED, ["chat.rate", "unknown.name"])
    assert (rate.value, seen) == (5, [5])
    wamp.settings.set("chat.rate", "6 per minute")
    assert seen == [5, 6], "once, though its own event comes back"


def test_without_an_event_it_is_read_again_after_a_while(
    wamp: WAMP, realm: MemoryRealm, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = wamp.settings.declare("chat.rate", "30 per minute", read=read_rate)
    wamp.settings.set("chat.rate", "5 per minute")
    with realm.store.transaction() as connection:
        connection.execute(update(STORED).values(text="8 per minute"))
    assert rate.value == 5
    monkeypatch.setattr("wampflask.settings.MAX_AGE", -1.0)
    assert rate.value == 8
    assert MAX_AGE == 60


def test_what_an_older_version_stored_does_no_harm(wamp: WAMP, realm: MemoryRealm, caplog: Any) -> None:
    rate = wamp.settings.declare("chat.rate", "30 per minute", read=read_rate)
    wamp.settings.set("chat.rate", "5 per minute")
    with realm.store.transaction() as connection:
        connection.execute(update(STORED).values(text="5 a second"))
    realm.deliver(CHANGED, ["chat.rate"])
    assert [rate.value, rate.value] == [30, 30]
    assert caplog.text.count("A stored setting is not used: chat.rate") == 1


def test_pages_have_what_they_may(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.settings.declare("shop.open", default=True, allow="user")
    wamp.settings.declare("shop.margin", 0.2)
    page = realm.page(user=1)
    page.subscribe("settings.shop.open")
    assert page.call("settings.shop.open") == {"value": "true"}
    wamp.settings.set("shop.open", "false")
    assert page.heard[-1].args[0] == {"value": "false"}
    with pytest.raises(NotAuthorized):
        page.call("settings.shop.margin")
    with pytest.raises(NotAuthorized):
        realm.page().call("settings.shop.open")


def test_declarations_that_cannot_be(wamp: WAMP) -> None:
    wamp.settings.declare("chat.rate", 3)
    with pytest.raises(AlreadyDeclared):
        wamp.settings.declare("chat.rate", 4)
    with pytest.raises(InvalidURI):
        wamp.settings.declare("Chat rate", 4)
    with pytest.raises(ConfigError, match=r"chat\.speed: write a number"):
        wamp.settings.declare("chat.speed", "fast", read=read_rate)
    with pytest.raises(KeyError):
        wamp.settings.find("chat.speed")
