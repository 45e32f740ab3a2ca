"""How often one caller may call a procedure: counted in the router, once for all workers."""

from __future__ import annotations

import pytest

from wampflask.permissions import PAGES, Permission, compile_rules
from wampflask.plugin.call_rates import MAX_CALLERS, REFUSED, CallRates
from wampflask.plugin.rules import Rules, Session
from wampflask.router import wire as w
from wampflask.testing import RouterNode

RATED = Permission("shop.order.<item>", call=PAGES, rate="2 per second")
OPEN = Permission("shop.order.<other>", call=("user",))


class Clock:
    """Seconds, by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def person(authid: str, role: str = "visitor") -> Session:
    return Session.of({"authid": authid, "authrole": role, "session": 1})


def test_so_many_at_once_and_then_evenly() -> None:
    clock = Clock()
    rates, rules = CallRates(clock=clock), Rules(compile_rules([RATED]))

    def may(authid: str, item: str = "tea") -> bool:
        return rates.objection(rules, person(authid), "r", f"shop.order.{item}") is None

    assert [may("visitor:a"), may("visitor:a", "cocoa"), may("visitor:a")] == [True, True, False]
    assert may("visitor:b"), "each caller has a count of its own"
    clock.now += 0.5
    assert [may("visitor:a"), may("visitor:a")] == [True, False]
    clock.now += 60
    assert [may("visitor:a") for _ in range(3)] == [True, True, False]
    assert "try again in 1 s" in str(rates.objection(rules, person("visitor:a"), "r", "shop.order.tea"))


def test_without_a_rate_nothing_is_counted() -> None:
    rates = CallRates()
    for rules, session in (
        (Rules(compile_rules([OPEN])), person("user:1", "user")),
        (Rules(compile_rules([RATED])), person("agent:1", "agent")),  # who may not call it at all
        (Rules([RATED.as_rule(), OPEN.as_rule()]), person("user:1", "user")),  # an old version permits it without
    ):
        assert all(rates.objection(rules, session, "r", "shop.order.tea") is None for _ in range(5))


def test_who_has_called_nothing_for_longest_is_forgotten() -> None:
    rates, rules = CallRates(clock=Clock()), Rules(compile_rules([RATED]))
    for number in range(MAX_CALLERS + 1):
        rates.objection(rules, person(f"visitor:{number}"), "r", "shop.order.tea")
    assert len(rates._left) == MAX_CALLERS


@pytest.mark.parametrize(
    "rate", ["", "10", "0/second", "10/week", "-1/second", "10//second", "ten/second", "10 second"]
)
def test_rates_that_are_none(rate: str) -> None:
    with pytest.raises(ValueError, match=r"'10/second', '5 per minute'"):
        Permission("shop.order", call=PAGES, rate=rate)


@pytest.mark.parametrize(
    ("rate", "read"),
    [("10/second", (10, 1)), ("5 per minute", (5, 60)), ("1 / day", (1, 86_400)), ("9 per hours", (9, 3600))],
)
def test_rates(rate: str, read: tuple[int, int]) -> None:
    assert Permission("shop.order", call=PAGES, rate=rate).rate == read


def test_the_router_counts_for_all_sessions_of_a_caller(node: RouterNode) -> None:
    with (
        node.backend() as backend,
        node.session("visitor", "visitor:r1") as first,
        node.session("visitor", "visitor:r1") as second,
        node.session("visitor", "visitor:r2") as other,
    ):
        backend.ask(w.REGISTER, "table.rated")
        for page in (first, second, first, other):
            page.send([w.CALL, next(page.requests), {}, "table.rated"])
            backend.send([w.YIELD, backend.receive()[1], {}, ["fine"]])
            assert page.receive()[0] == w.RESULT
        error = second.ask(w.CALL, "table.rated")
        assert (error[0], error[4]) == (w.ERROR, REFUSED)
        assert "table.rated was called too often: try again in" in error[5][0]
        for _ in range(5):
            assert backend.ask(w.CALL, "table.read")[4] == "wamp.error.no_such_procedure", "a worker is not counted"
