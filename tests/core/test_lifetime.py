"""A ``WAMP`` object may outlive the apps that it was given, as in a test suite that makes one for each test."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from weakref import ref

import pytest
from flask import Flask

from wampflask import WAMP
from wampflask.in_memory import in_memory


def zero() -> int:
    return 0


def init_alone(_app: Flask, _wamp: WAMP) -> None: ...


def declare(_app: Flask, wamp: WAMP) -> None:
    wamp.register("shop.add", allow="everyone")(zero)
    wamp.value("shop.stock", allow="everyone")(zero)


def answer_a_request(app: Flask, wamp: WAMP) -> None:
    declare(app, wamp)
    with in_memory(app) as realm:
        assert app.test_client().get("/wamp/ticket").status_code == 200
        assert realm.page().call("shop.add") == 0


@pytest.mark.parametrize("use", [init_alone, declare, answer_a_request])
def test_an_app_that_nobody_has_any_more_is_freed(use: Callable[[Flask, WAMP], None], tmp_path: Path) -> None:
    wamp = WAMP()
    app = Flask("shop", instance_path=str(tmp_path))
    app.secret_key = "for this test alone"
    wamp.init_app(app)
    use(app, wamp)
    kept = ref(app), ref(app.extensions["wamp"])
    del app
    gc.collect()
    assert [each() for each in kept] == [None, None]
    wamp.register("shop.later")(zero)
