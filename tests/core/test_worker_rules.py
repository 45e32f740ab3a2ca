"""Permissions that change in code, declarations that are taken back, and claims: with a router that follows workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from wampflask import WAMP, InvalidURI, NoSuchProcedure, Permission, caller
from wampflask.permissions import compile_rules
from wampflask.plugin.worker_rules import HAND_OVER, WorkerRules
from wampflask.router.wire import CALL, ERROR, GOODBYE, RESULT, SUBSCRIBE, SUBSCRIBED, Wire, wait_until
from wampflask.testing import RouterNode


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode([Permission("news.old", subscribe="user")], rate=0, follow_workers=True) as running:
        yield running


@contextmanager
def worker(node: RouterNode, folder: Path, declare: Callable[[WAMP], object]) -> Iterator[WAMP]:
    wamp, app = WAMP(), Flask("edition", instance_path=str(folder))
    app.config.update(node.config)
    wamp.init_app(app)
    declare(wamp)
    with app.app_context():
        wamp.connect()
        try:
            yield wamp
        finally:
            app.extensions["wamp"].stop()


@pytest.fixture
def page(node: RouterNode) -> Iterator[Wire]:
    with node.session("user", "user:1", team=[1, 2], place="here") as wire:
        yield wire


def may_hear(wire: Wire, topic: str) -> bool:
    return bool(wire.ask(SUBSCRIBE, topic)[0] == SUBSCRIBED)


def news(*names: str) -> Callable[[WAMP], None]:
    return lambda wamp: wamp.permit(*(Permission(f"news.{name}", subscribe="user") for name in names))


def test_what_workers_declare_is_in_force_at_once(node: RouterNode, page: Wire, tmp_path: Path) -> None:
    """Without a new start of the router; of two versions, what either permits."""

    def heard_by_a_new_page(*names: str) -> list[bool]:
        with node.session("user", "user:2") as other:
            return [may_hear(other, f"news.{name}") for name in names]

    assert heard_by_a_new_page("old", "one") == [True, False]
    with worker(node, tmp_path, news("one", "both")) as first:
        assert may_hear(page, "news.one"), "as soon as the worker is ready"
        with worker(node, tmp_path, news("two", "both")):
            assert heard_by_a_new_page("one", "two", "both", "old") == [True, True, True, False]
            first.permit(Permission("news.late", subscribe="user"))
            assert wait_until(lambda: heard_by_a_new_page("late") == [True], 5)
        assert wait_until(lambda: heard_by_a_new_page("two") == [False], 5)
        assert heard_by_a_new_page("both") == [True]
    assert heard_by_a_new_page("one") == [True], "pages stay while the last worker is started again"
    assert page.ask(CALL, "nobody.has.this")[0] == ERROR, "nothing was taken from this page"


def test_a_narrowed_permission_ends_what_it_gave(node: RouterNode, tmp_path: Path) -> None:
    with worker(node, tmp_path, news("one", "two")) as wamp, node.session("user", "user:3") as page:
        assert may_hear(page, "news.two")
        with node.session("user", "user:4") as other:
            assert may_hear(other, "news.one")
            wamp.forget("news.two")
            goodbye = page.receive(5)
            assert (goodbye[0], goodbye[2]) == (GOODBYE, "wampflask.close.refresh")
            assert not may_hear(other, "news.two")
            assert may_hear(other, "news.one"), "who has nothing of it stays"


@pytest.mark.parametrize("role", ["user", "agent", "admin"])
def test_workers_alone_hand_over(node: RouterNode, role: str) -> None:
    with node.session(role, f"{role}:1") as wire:
        for procedure in (HAND_OVER, "wampflask.router.rules", "wampflask.router.roles", "wampflask.router.claims"):
            assert wire.ask(CALL, procedure, [[], []])[4] == "wamp.error.not_authorized"


def test_roles_that_the_router_does_not_know_are_named(node: RouterNode) -> None:
    rules = compile_rules([Permission("news.three", subscribe=("staff", "user", "anonymous"))])
    with node.backend() as backend:
        answer = backend.ask(CALL, HAND_OVER, [rules, ["visitor", "customer"]])
        assert (answer[0], answer[3]) == (RESULT, [["anonymous", "customer", "staff"]])
        assert backend.ask(CALL, HAND_OVER, [[{"nonsense": 1}], []])[0] == ERROR
        assert backend.call("wampflask.router.rules") == rules


def test_the_rules_of_all_workers_unite() -> None:
    worker_rules = WorkerRules([{"uri": "a"}])
    assert worker_rules.rules == [{"uri": "a"}]
    assert worker_rules.take(1, [{"uri": "b"}, {"uri": "c"}])
    assert not worker_rules.take(2, [{"uri": "c"}])
    assert worker_rules.take(2, [{"uri": "d"}])
    assert worker_rules.rules == [{"uri": "b"}, {"uri": "c"}, {"uri": "d"}]
    assert not worker_rules.leave(9)
    assert worker_rules.leave(1)
    assert worker_rules.rules == [{"uri": "d"}]
    assert not worker_rules.leave(2)
    assert worker_rules.rules == [{"uri": "d"}], "until the next worker comes"
    assert worker_rules.take(3, [])
    assert worker_rules.rules == []


# -- forget


def test_forgotten_declarations_are_gone_at_the_router(node: RouterNode, page: Wire, tmp_path: Path) -> None:
    heard: list[Any] = []

    def declare(wamp: WAMP) -> None:
        wamp.register("shop.stock.<item>", allow="user")(lambda item: item)
        wamp.register("shop.plain", allow="user")(lambda: "plain")
        wamp.subscribe("shop.sold.<item>", single=True)(lambda item: heard.append([item]))
        wamp.value("shop.live.<item>", allow="user")(lambda item: item)

    with worker(node, tmp_path, declare) as wamp:
        assert page.call("shop.stock.tea") == "tea"
        for uri in ("shop.stock.<item>", "shop.sold.<item>", "shop.live.<item>"):
            wamp.forget(uri)
        for uri in ("shop.stock.tea", "shop.live.tea"):
            assert wait_until(lambda uri=uri: page.ask(CALL, uri)[0] == ERROR, 5)  # type: ignore[misc]
        assert not may_hear(page, "shop.live.tea")
        assert page.call("shop.plain") == "plain"
        with node.backend() as backend:

            def gone() -> bool:
                asked = ("wamp.registration.match", "shop.stock.tea"), ("wamp.subscription.match", "shop.sold.tea")
                return not any(backend.call(*asking) for asking in asked)

            assert wait_until(gone, 5)
        with pytest.raises(NoSuchProcedure):
            wamp.call("shop.stock.tea")
        with pytest.raises(InvalidURI, match="Nothing is declared"):
            wamp.forget("shop.stock.<item>")
        with pytest.raises(InvalidURI, match="No live thing"):
            wamp.changed("shop.live.tea")
        wamp.register("shop.stock.<item>", allow="user")(lambda item: f"new {item}")
        wamp.connect()
        assert page.call("shop.stock.tea") == "new tea"
        assert heard == []


# -- claims


def test_a_handler_knows_what_its_caller_claims(node: RouterNode, page: Wire, tmp_path: Path) -> None:
    def declare(wamp: WAMP) -> None:
        wamp.register("shop.claims", allow="user")(
            lambda: [caller.user_id, caller.claims, caller.claims is caller.claims]
        )

    with worker(node, tmp_path, declare) as wamp:
        assert page.call("shop.claims") == ["1", {"team": ["1", "2"], "place": "here"}, True]
        assert wamp.call("shop.claims")[1] == {}
        with node.backend() as backend:
            page.close()
            assert wait_until(lambda: backend.call("wampflask.router.claims", page.session) is None, 5)
