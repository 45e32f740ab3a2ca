"""What mypy infers for users of the library: checked with the rest of the tests (``make lint``), and never run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, assert_type

from flask import Flask

from wampflask import (
    WAMP,
    Caller,
    CallOptions,
    CallResult,
    Identity,
    Permission,
    PublishOptions,
    State,
    Status,
    caller,
    numbered,
    progress,
    prove,
    user_authid,
)
from wampflask.audience import Audience
from wampflask.fragments import Fragment
from wampflask.live import Log, Rows, Value
from wampflask.presence import Person, Presence
from wampflask.tasks import Counts, Queue, Task, TaskStatus
from wampflask.testing import Event, MemoryPage, MemoryRealm, RouterNode, in_memory

if TYPE_CHECKING:
    from wampflask.binding import Binding

app = Flask(__name__)
wamp = WAMP(app, roles=("customer", "staff"))


# -- decorators keep the function's type


@wamp.register("shop.add", allow="everyone")
def add(first: int, second: int = 0) -> int:
    return first + second


@wamp.subscribe("shop.sold.<item>", single=True)
def sold(item: str) -> None: ...


@wamp.register("shop.orders")
@numbered
def orders(customer: int) -> list[str]:
    return [str(customer)]


@wamp.identify
def who() -> Identity | None:
    return Identity("staff", 7, team=[1, 2])


@wamp.user_loader
def load(number: str) -> str | None:
    return number


assert_type(add(1, second=2), int)
assert_type(sold("tea"), None)
assert_type(orders(7), CallResult)
assert_type(who(), Identity | None)
assert_type(load("7"), str | None)
add("1")  # type: ignore[arg-type]
sold(drink="tea")  # type: ignore[call-arg]
wamp.register("shop.add", invoke="all")  # type: ignore[arg-type]
wamp.register("shop.add", match="regex")  # type: ignore[arg-type]


# -- sending


assert_type(wamp.publish("shop.sold", 1, left=2), None)
assert_type(wamp.publish_later("shop.sold", options=PublishOptions(exclude_me=True)), None)
assert_type(wamp.publish_latest("shop.sold"), None)
assert_type(wamp.call("shop.add", 1, options=CallOptions(timeout=1)), Any)
assert_type(wamp.to(user=7), Audience)
assert_type(wamp.to(session=[1, 2], except_user=7).publish("notice"), None)
wamp.publish("shop.sold", options=CallOptions())  # type: ignore[arg-type]
wamp.call("shop.add", options=PublishOptions())  # type: ignore[arg-type]
wamp.to(7)  # type: ignore[call-arg]


# -- live things are called as their functions


@wamp.value("shop.stock.<item>", allow="everyone")
def stock(item: str) -> dict[str, int]:
    return {"left": len(item)}


@wamp.rows("shop.items", allow=("customer", "staff"), key="name")
def items() -> list[dict[str, str]]:
    return [{"name": "tea"}]


@wamp.log("shop.notes", allow="staff")
def notes(since: int | None) -> list[dict[str, int]]:
    return [{"id": since or 0}]


@wamp.fragment("shop/_stock.html", allow="everyone")
def stock_card(item: str) -> dict[str, str]:
    return {"item": item}


@wamp.presence("shop.floor.<number>", allow="staff")
def clerk(person: Person) -> dict[str, str]:
    return {"name": person.authid}


live_stock: Value[..., dict[str, int]] = stock
assert_type(stock("tea"), dict[str, int])
assert_type(stock.changed(item="tea"), None)
assert_type(items, Rows[[], list[dict[str, str]]])
assert_type(items.changed("tea", "coffee"), None)
live_notes: Log[..., list[dict[str, int]]] = notes
assert_type(notes.append({"id": 8}), None)
live_card: Fragment[..., dict[str, str]] = stock_card
assert_type(clerk, Presence)
assert_type(wamp.online("shop.floor.1"), list[Person])
stock(1)  # type: ignore[arg-type]
wamp.value("shop.stock", allow="everyone", per="user")  # type: ignore[arg-type]


# -- tasks

video = wamp.queue("video")


@video.task("encode", retries=3, timeout=600)
def encode(file: str) -> dict[str, int]:
    progress(0.4, "Converting")
    return {"seconds": len(file)}


assert_type(encode("film.avi"), dict[str, int])
assert_type(video, Queue)
assert_type(video.append("encode", "film.avi"), Task)
assert_type(video.tasks("failed"), list[TaskStatus])
assert_type(video.counts(), Counts)
video.tasks("lost")  # type: ignore[arg-type]
CallOptions(on_progress=print)


# -- the rest


def bind(model: type[Any], can_read: Callable[[Caller, Any], bool]) -> Binding:
    return wamp.bind(model, fields=["name"], can_read=can_read)


def in_tests(realm: MemoryRealm, node: RouterNode) -> None:
    page = realm.page(user=7)
    assert_type(page, MemoryPage)
    assert_type(page.heard, list[Event])
    assert_type(page.call("shop.add", 1), Any)
    assert_type(realm.revoked, list[str])
    assert_type(node.config, dict[str, Any])
    with in_memory(app) as other:
        assert_type(other, MemoryRealm)


assert_type(wamp.status, Status)
assert_type(wamp.status.state, State)
assert_type(wamp.permissions, tuple[Permission, ...])
assert_type(caller.authid, str | None)
assert_type(caller.user_id, str | None)
assert_type(prove(cart=7), str)
assert_type(user_authid(7), str)
with wamp.lock("shop.nightly") as lock:
    assert_type(lock.held, bool)
