"""Values and rows that follow a model: a commit sends what it changed, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.core.live.shop import Item, db, make_app
from wampflask import WAMP
from wampflask.errors import ConfigError
from wampflask.in_memory import in_memory


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def make(wamp: WAMP, tmp_path: Path) -> Callable[[], Flask]:
    return lambda: make_app(tmp_path, wamp, {})


def as_row(item: Item) -> dict[str, Any]:
    return {"id": item.id, "name": item.name, "left": item.left}


def test_rows_that_were_written_are_read_and_sent_together(wamp: WAMP, make: Callable[[], Flask]) -> None:
    read: list[list[str] | None] = []

    @wamp.rows("shop.items", allow="everyone", of=Item)
    def items(keys: list[str] | None) -> list[dict[str, Any]]:
        read.append(keys)
        return [as_row(item) for item in db.session.scalars(db.select(Item).order_by(Item.id))]

    app = make()
    with in_memory(app) as realm, app.app_context():
        db.session.get_one(Item, 1).left = Item.left - 1
        db.session.add(Item(id=3, name="gin"))
        assert realm.published == []
        db.session.commit()
        db.session.delete(db.session.get_one(Item, 2))
        db.session.commit()
        assert [(event.topic, event.args[0]) for event in realm.published] == [
            ("shop.items", {"rows": {"1": {"id": 1, "name": "tea", "left": 11}}, "gone": []}),
            ("shop.items", {"rows": {"3": {"id": 3, "name": "gin", "left": 12}}, "gone": []}),
            ("shop.items", {"rows": {}, "gone": ["2"]}),
        ]
    assert read == [["1"], ["3"], ["2"]]


def test_a_mapping_says_which_row_of_which_topic(wamp: WAMP, make: Callable[[], Flask]) -> None:
    @wamp.value("shop.left.<name>", allow="everyone", of={Item: lambda item: {"name": item.name}})
    def left(name: str) -> int | None:
        left: int | None = db.session.scalar(db.select(Item.left).where(Item.name == name))
        return left

    @wamp.rows("shop.shelf.<size>", allow="everyone", key="name", of={Item: lambda _: {"size": "small"}})
    def shelf(size: str) -> list[dict[str, Any]]:
        return [{"name": item.name, "size": size} for item in db.session.scalars(db.select(Item))]

    @wamp.rows(
        "shop.list.<size>", allow="everyone", key="name", of={Item: lambda item: {"size": "big", "name": item.name}}
    )
    def listed(size: str) -> list[dict[str, Any]]:
        return shelf(size)

    app = make()
    with in_memory(app) as realm, app.app_context():
        db.session.get_one(Item, 1).left = 5
        db.session.commit()
        sent = {event.topic: event.args[0] for event in realm.published}
    assert sent == {
        "shop.left.tea": 5,
        "shop.shelf.small": {
            "rows": {"tea": {"name": "tea", "size": "small"}, "rum": {"name": "rum", "size": "small"}},
            "all": True,
        },
        "shop.list.big": {"rows": {"tea": {"name": "tea", "size": "big"}}, "gone": []},
    }


def test_a_model_alone_cannot_say_what_two_names_are(wamp: WAMP) -> None:
    with pytest.raises(ConfigError, match=r"of=\{Item: lambda row:"):
        wamp.value("shop.<shelf>.<item>", allow="everyone", of=Item)(lambda shelf, item: (shelf, item))
