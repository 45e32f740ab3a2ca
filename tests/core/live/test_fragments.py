"""Fragments and values on a realm in memory: what is rendered, for whom, and what is sent when rows change."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from flask import Flask, abort, flash, get_flashed_messages, request, session
from flask_login import current_user, login_user
from flask_wtf.csrf import generate_csrf
from sqlalchemy import update
from sqlalchemy.orm import Session

from tests.core.live.shop import Item, User, db, make_app
from wampflask import WAMP, Caller
from wampflask.errors import CallFailed, ConfigError, NotAuthorized, NotConnected, QueueFull
from wampflask.fragments import FETCH
from wampflask.impersonal import Personal
from wampflask.in_memory import MemoryRealm, in_memory

CARD = '<b>{{ item.name }}</b>: {{ item.left }}<form method="post">{{ csrf_field() }}</form>'
ROW = '<li data-key="{{ key }}">{{ item.name }} {{ item.left }}</li>'
VISITOR = Caller(2, "visitor:1", "visitor", FETCH)
ADMIN = Caller(3, "user:7", "admin", FETCH)


class Element(NamedTuple):
    """A fragment's element in a page."""

    name: str
    args: dict[str, Any]
    key: str
    have: str
    inner: str

    @property
    def topic(self) -> str:
        return f"wampflask.fragments.{self.name}.{self.key}"


def elements(text: str) -> list[Element]:
    found = re.findall(
        r'<live-fragment name="(.*?)" args="(.*?)" key="(.*?)" have="(.*?)".*?>(.*?)</live-fragment>', text, re.DOTALL
    )
    return [Element(name, json.loads(html.unescape(args)), key, have, inner) for name, args, key, have, inner in found]


def page(app: Flask, source: str, *, user: User | None = None) -> str:
    """A template, rendered in a request of somebody who is logged in, or of a visitor."""
    with app.test_request_context():
        if user is not None:
            login_user(user)
        flash("a message for one person")
        text: str = app.jinja_env.from_string(source).render()
        return text


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def make(wamp: WAMP, tmp_path: Path) -> Callable[..., Flask]:
    def make(**templates: str) -> Flask:
        found = {f"{name}.html": text for name, text in ({"card": CARD, "row": ROW} | templates).items()}
        return make_app(tmp_path, wamp, found)

    return make


def fetch(realm: MemoryRealm, *asked: Element, caller: Caller = VISITOR, have: str | None = None) -> list[Any]:
    wanted = [[item.name, item.args, item.key, item.have if have is None else have] for item in asked]
    answers: list[Any] = realm.invoke(FETCH, wanted, caller=caller)
    return answers


def test_a_fragment_is_in_the_page_and_what_has_changed_is_sent(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("card.html", allow="everyone", of=Item)
    def card(item: int) -> dict[str, Any]:
        return {"item": db.session.get_one(Item, item)}

    app = make()
    with in_memory(app) as realm:
        (found,) = elements(page(app, "{{ fragment('card', item=1) }}"))
        assert found.inner.startswith("<b>tea</b>: 12<form")
        assert re.search(r'name="csrf_token" value="[^"]{20,}"', found.inner), "the page's own token is in the form"
        assert fetch(realm, found) == [[None, 1]], "it has what it shows"
        with app.app_context():
            db.session.get_one(Item, 1).left = Item.left - 1
            db.session.commit()
        (event,) = [event for event in realm.published if event.topic == found.topic]
        (_, text), number = event.args
        assert text.startswith("<b>tea</b>: 11<form")
        assert 'name="csrf_token" value=""' in text, "nobody's token is sent"
        assert number > 1


def test_a_row_written_twice_in_a_transaction_is_sent_once_and_one_rolled_back_shows_nothing_new(
    wamp: WAMP, make: Callable[..., Flask]
) -> None:
    @wamp.fragment("card.html", allow="everyone", of=Item)
    def card(item: int) -> dict[str, Any]:
        return {"item": db.session.get_one(Item, item)}

    app = make()
    with in_memory(app) as realm, app.app_context():
        for left in (3, 2, 1):
            db.session.get_one(Item, 1).left = left
            db.session.flush()
        assert realm.published == []
        db.session.commit()
        assert len(realm.published) == 1
        db.session.get_one(Item, 2).left = 99
        db.session.flush()
        db.session.rollback()
        assert not any("99" in str(event.args) for event in realm.published)


def test_a_row_that_is_deleted_is_gone_from_pages(
    wamp: WAMP, make: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.fragment("card.html", allow="everyone", of=Item)
    def card(item: int) -> dict[str, Any]:
        return {"item": db.get_or_404(Item, item)}

    app = make()
    with in_memory(app) as realm:
        (found,) = elements(page(app, "{{ fragment('card', item=1) }}"))
        with app.app_context():
            db.session.delete(db.session.get_one(Item, 1))
            db.session.commit()
        assert [event.args[0] for event in realm.published] == [None], "pages are to ask"
        assert fetch(realm, found) == [0]
    assert not caplog.records, "which is no error"


def test_a_row_that_moves_is_news_where_it_came_from_too(wamp: WAMP, make: Callable[..., Flask]) -> None:
    """Rows that belong to what a column says: whichever way that is changed, and after several changes."""

    @wamp.fragment("row.html", allow="everyone", row="item", of={Item: lambda item: {"left": item.left}})
    def having(left: int) -> Any:
        return db.session.query(Item).filter_by(left=left)

    def topics(realm: MemoryRealm) -> set[str]:
        found = {event.topic for event in realm.published}
        realm.published.clear()
        return found

    def of(*lefts: int) -> set[str]:
        return {having.topic({"left": left}) for left in lefts}

    app = make()
    with in_memory(app) as realm, app.app_context():
        db.session.get_one(Item, 1).left = 3
        db.session.commit()
        assert topics(realm) == of(12, 3)
        item = db.session.get_one(Item, 1)
        db.session.expire(item)
        item.left = 4  # set without having been read
        db.session.commit()
        assert topics(realm) == of(3, 4)
        db.session.get_one(Item, 1).left = Item.left + 1
        db.session.commit()
        assert topics(realm) == of(4, 5)
        item = db.session.get_one(Item, 1)
        item.left = 6
        db.session.flush()
        item.left = 7
        db.session.commit()
        assert topics(realm) == of(5, 6, 7)
        db.session.get_one(Item, 1).name = "the same place"
        db.session.commit()
        assert topics(realm) == of(7)
        item = db.session.get_one(Item, 1)
        item.left = 8
        db.session.delete(item)
        db.session.commit()
        assert topics(realm) == of(7)


def test_ways_to_write_that_mark_once_or_not_at_all(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("row.html", allow="everyone", row="item", of={Item: lambda _: {}})
    def items() -> Any:
        return db.session.query(Item).limit(3)

    app = make()
    with in_memory(app) as realm, app.app_context():

        def events() -> int:
            count = len(realm.published)
            realm.published.clear()
            return count

        db.session.get_one(Item, 1).left = Item.left + 1
        db.session.commit()
        assert events() == 1, "by an expression"
        db.session.add_all([Item(name=f"{number}") for number in range(10_000)])
        db.session.commit()
        assert events() == 1, "10,000 rows in one flush"
        with db.session.begin_nested() as savepoint:
            db.session.get_one(Item, 1).left = -4242
            db.session.flush()
            savepoint.rollback()
        db.session.get_one(Item, 1).left = 5
        db.session.commit()
        assert "-4242" not in str(realm.published)
        assert events() == 1, "in a savepoint that is rolled back, and after it"
        with Session(db.engine) as one, Session(db.engine) as other:
            one.get_one(Item, 1).left = 1
            one.flush()
            one.commit()
            other.get_one(Item, 2).left = 2
            other.commit()
        assert events() == 2, "in two sessions of two transactions"
        with Session(db.engine) as one, Session(db.engine) as other:
            one.get_one(Item, 1).left = -77
            other.get_one(Item, 2).left = 3
            one.flush()
            one.rollback()
            events()
            other.commit()
        assert "-77" not in str(realm.published)
        assert events() == 1, "one of two sessions rolled back"
        db.session.execute(update(Item).values(left=0))
        db.session.query(Item).update({"left": 1})
        db.session.commit()
        assert events() == 0, "statements are announced by hand"


def test_what_is_said_before_the_transaction_begins_counts_when_it_has_ended(
    wamp: WAMP, make: Callable[..., Flask]
) -> None:
    @wamp.value("shop.stock.<int:item>", allow="everyone")
    def stock(item: int) -> int:
        return db.session.get_one(Item, item).left

    app = make()
    with in_memory(app) as realm, app.app_context():
        stock.changed(item=1)  # nothing has used the session in this context
        db.session.get_one(Item, 1).left = 5
        db.session.commit()
        assert [event.args[0] for event in realm.published] == [12, 5]


def test_statements_around_the_orm_are_announced_by_hand(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.value("shop.stock.<int:item>", allow="everyone")
    def stock(item: int) -> int:
        return db.session.get_one(Item, item).left

    app = make()
    with in_memory(app) as realm, app.app_context():
        db.session.execute(update(Item).values(left=5))
        wamp.changed("shop.stock.1")
        wamp.after_commit(db.session).changed(stock, item=2)
        assert realm.published == []
        db.session.commit()
        assert sorted((event.topic, event.args[0]) for event in realm.published) == [
            ("shop.stock.1", 5),
            ("shop.stock.2", 5),
        ]


PERSONAL: dict[str, Callable[[], object]] = {
    "current_user": lambda: current_user.is_authenticated,
    "session": lambda: session.get("x"),
    "request": lambda: request.args,
    "csrf_token": generate_csrf,
    "get_flashed_messages": get_flashed_messages,
}


@pytest.mark.parametrize("name", PERSONAL)
def test_a_function_for_all_cannot_ask_for_a_person(wamp: WAMP, make: Callable[..., Flask], name: str) -> None:
    @wamp.fragment("plain.html", allow="everyone")
    def card() -> dict[str, Any]:
        return {"x": PERSONAL[name]()}

    app = make(plain="{{ x }}")
    with in_memory(app), pytest.raises(Personal, match='per="person"'):
        page(app, "{{ fragment('card') }}", user=User())
    with ThreadPoolExecutor(1) as pool, pytest.raises(Personal, match='per="person"'):  # as the engine reads it
        pool.submit(card.states, app, {}, ["visitor"], None).result()


@pytest.mark.parametrize(
    "text",
    [
        "{% if current_user.is_authenticated %}x{% endif %}",
        "{{ session.x }}",
        "{{ request.args }}",
        "{{ csrf_token() }}",
        "{{ get_flashed_messages() }}",
        "{% if current_user %}x{% endif %}",
    ],
)
def test_a_template_for_all_cannot_ask_for_a_person(wamp: WAMP, make: Callable[..., Flask], text: str) -> None:
    @wamp.fragment("bad.html", allow="everyone")
    def bad() -> dict[str, Any]:
        return {}

    app = make(bad=text)
    with in_memory(app), pytest.raises(Personal, match='per="person"'):
        page(app, "{{ fragment('bad') }}", user=User())
    with ThreadPoolExecutor(1) as pool, pytest.raises(Personal, match='per="person"'):
        pool.submit(bad.states, app, {}, ["visitor"], None).result()


def test_a_template_for_all_has_url_for_without_the_host(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("link.html", allow="everyone")
    def link() -> dict[str, Any]:
        return {}

    app = make(link="{{ url_for('wamp.ticket') }}")
    with in_memory(app):
        assert elements(page(app, "{{ fragment('link') }}"))[0].inner == "/wamp/ticket"


def test_a_fragment_by_role_is_read_for_each_role(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("plain.html", allow="everyone", per="role")
    def card(role: str) -> dict[str, Any]:
        return {"x": f"for {role}"}

    app = make(plain="{{ x }}")
    with in_memory(app) as realm:
        (found,) = elements(page(app, "{{ fragment('card') }}"))
        assert found.inner == "for visitor"
        assert fetch(realm, found, caller=ADMIN, have="")[0][0][1] == "for admin"
        with app.app_context():
            card.changed()
        assert sorted(event.args[0][1] for event in realm.published) == ["for admin", "for user", "for visitor"]


def test_a_personal_fragment_is_never_sent(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("plain.html", allow="everyone", per="person")
    def card(viewer: Caller) -> dict[str, Any] | None:
        return None if viewer.role == "visitor" else {"x": f"only for {viewer.authid}"}

    app = make(plain="{{ x }}")
    with in_memory(app) as realm:
        (found,) = elements(page(app, "{{ fragment('card') }}"))
        assert found.inner == ""
        assert fetch(realm, found) == [0]
        assert fetch(realm, found, caller=ADMIN)[0][0][1] == "only for user:7"
        with app.app_context():
            card.changed()
        assert [event.args[0] for event in realm.published] == [None]


def test_of_several_personal_fragments_one_that_fails_is_not_the_others_failure(
    wamp: WAMP, make: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.fragment("plain.html", allow="everyone", per="person")
    def mine(viewer: Caller, which: str) -> dict[str, Any]:
        match which:
            case "bad":
                raise RuntimeError("the secret")
            case "theirs":
                raise NotAuthorized("Not yours.")
            case "none":
                abort(404)
        return {"x": viewer.authid}

    @wamp.fragment("plain.html", allow="everyone", per="person")
    def fine(viewer: Caller) -> dict[str, Any]:
        return {"x": viewer.authid}

    app = make(plain="{{ x }}")
    with in_memory(app) as realm, app.app_context():

        def element(thing: Any, **args: Any) -> Element:
            return Element(thing.name, args, thing.topic(args).rpartition(".")[2], "", "")

        asked = [element(mine, which=which) for which in ("bad", "theirs", "none", "mine")]
        answers = fetch(realm, *asked, element(fine))
        assert answers[:3] == [-1, 0, 0]
        assert [state[1] for state, _ in answers[3:]] == ["visitor:1", "visitor:1"]
        assert "the secret" in caplog.text


def test_a_server_that_is_busy_does_not_say_gone(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("card.html", allow="everyone", of=Item)
    def card(item: int) -> dict[str, Any]:
        return {"item": db.session.get_one(Item, item)}

    app = make()
    with in_memory(app) as realm, pytest.MonkeyPatch.context() as patch:
        (found,) = elements(page(app, "{{ fragment('card', item=1) }}"))
        for error in (QueueFull("many wait"), NotConnected("away"), CallFailed("wampflask.error.internal", "id")):

            def refuse(*_: Any, why: Exception = error) -> None:
                raise why

            patch.setattr(realm, "ask", refuse)
            assert fetch(realm, found) == [-1]


def test_a_key_is_good_for_its_arguments_and_roles_alone(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("card.html", allow="everyone")
    def card(item: int) -> dict[str, Any]:
        return {"item": db.session.get_one(Item, item)}

    @wamp.fragment("card.html", allow="admin", name="secret")
    def secret(item: int) -> dict[str, Any]:
        return {"item": db.session.get_one(Item, item)}

    app = make()
    with in_memory(app) as realm:
        shown, hidden = elements(page(app, "{{ fragment('card', item=1) }}{{ fragment('secret', item=1) }}"))
        forged = [
            shown._replace(args={"item": 2}),
            shown._replace(key="0" * 32),
            shown._replace(name="secret"),
            shown._replace(name="none"),
            shown._replace(args={"item": 1, "more": 1}),
            shown._replace(args={}),
            hidden,
        ]
        assert fetch(realm, *forged, have="") == [0] * len(forged)
        assert fetch(realm, hidden, caller=ADMIN, have="")[0][0][1].startswith("<b>tea</b>")
        for nonsense in cast("tuple[object, ...]", (None, "x", [[]] * 101, {})):
            with pytest.raises(CallFailed, match="invalid_argument"):
                realm.invoke(FETCH, nonsense, caller=VISITOR)
        assert realm.invoke(FETCH, [[], [1, 2, 3, 4], "x", None, ["card", [], "k", ""]], caller=VISITOR) == [0] * 5


def test_a_text_that_looks_like_a_form_stays_a_text(wamp: WAMP, make: Callable[..., Flask]) -> None:
    evil = '<a href="//evil.example/?{{ csrf_field() }}"><input type="hidden" name="csrf_token" value="">'

    @wamp.fragment("plain.html", allow="everyone")
    def card() -> dict[str, Any]:
        return {"x": evil}

    app = make(plain="<p>{{ x }}</p>{{ csrf_field() }}")
    with in_memory(app):
        inner = elements(page(app, "{{ fragment('card') }}"))[0].inner
        text = inner.partition("</p>")[0]
        assert html.unescape(text.removeprefix("<p>")) == evil


def test_a_list_sends_its_order_and_the_rows_that_changed(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("row.html", allow="everyone", row="item", of=Item)
    def items() -> Any:
        return db.session.query(Item).order_by(Item.left, Item.id)

    app = make()
    with in_memory(app) as realm:
        (found,) = elements(page(app, "{{ fragment('items') }}"))
        shown = re.findall(r'<li data-key="(\d)" data-digest="(\w{16})">(\w+) 12</li>', found.inner)
        assert [(key, name) for key, _, name in shown] == [("1", "tea"), ("2", "rum")]
        assert fetch(realm, found) == [[None, 1]]
        with app.app_context():
            items.changed()
            db.session.get_one(Item, 2).left = 3
            db.session.commit()
            db.session.delete(db.session.get_one(Item, 1))
            db.session.commit()
        first, second, third = (event.args[0][1] for event in realm.published)
        assert first["order"] == [[key, known] for key, known, _ in shown], "the page knows which rows it has"
        assert list(first["rows"]) == ["1", "2"]
        assert [key for key, _ in second["order"]] == ["2", "1"]
        assert second["rows"] == {"2": '<li data-key="2">rum 3</li>'}
        assert [key for key, _ in third["order"]] == ["2"]
        assert third["rows"] == {}
        ((whole, state), _), *_ = fetch(realm, found)
        assert list(state["rows"]) == ["2"]
        assert fetch(realm, found, have=whole)[0][0] is None


def test_a_row_without_its_key_is_refused(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("bad.html", allow="everyone", row="item")
    def items() -> Any:
        return db.session.query(Item)

    app = make(bad="<li>{{ item.name }}</li>")
    with in_memory(app), pytest.raises(ConfigError, match="data-key"):
        page(app, "{{ fragment('items') }}")


def test_a_fragment_that_nobody_declared_is_named_with_those_that_are(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.fragment("card.html", allow="everyone")
    def card(item: int) -> dict[str, Any]:
        return {"item": db.session.get_one(Item, item)}

    app = make()
    with in_memory(app):
        with pytest.raises(ConfigError, match=r"no fragment 'cart'; declared are: card\."):
            page(app, "{{ fragment('cart', item=1) }}")
        with pytest.raises(TypeError, match="takes item; it was given nothing"):
            page(app, "{{ fragment('card') }}")


def test_declarations_that_cannot_be_are_refused_at_once(wamp: WAMP) -> None:
    def fits(item: str) -> None: ...
    def wants_more(item: str, other: str) -> None: ...

    with pytest.raises(ConfigError, match="who may see it"):
        wamp.value("shop.stock.<item>", allow=())(fits)
    with pytest.raises(ConfigError, match="per='everybody' is not one of"):
        wamp.value("shop.stock.<item>", allow="everyone", per="everybody")(fits)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="can be given item; its arguments are item, other"):
        wamp.value("shop.stock.<item>", allow="everyone")(wants_more)
    with pytest.raises(ConfigError, match="every=0"):
        wamp.value("shop.stock.<item>", allow="everyone", every=0)(fits)
    with pytest.raises(ConfigError, match="lower-case"):
        wamp.fragment("card.html", allow="everyone", name="Not-a-name")(fits)


def test_a_log_answers_what_came_after_and_sends_what_is_stored(wamp: WAMP, make: Callable[..., Flask]) -> None:
    @wamp.log("shop.news.<topic>", allow="everyone")
    def news(topic: str, since: int | None) -> list[dict[str, Any]]:
        found = db.session.query(Item).order_by(Item.id)
        return [{"id": item.id, "name": item.name, "in": topic} for item in found if since is None or item.id > since]

    app = make()
    with in_memory(app) as realm, app.app_context():
        assert [item["id"] for item in realm.invoke("shop.news.all")] == [1, 2]
        assert realm.invoke("shop.news.all", since=1) == [{"id": 2, "name": "rum", "in": "all"}]
        db.session.add(Item(id=3, name="ale"))
        db.session.flush()
        news.append({"id": 3, "name": "ale"}, topic="all")
        assert realm.published == []
        db.session.commit()
        assert [(event.topic, event.args) for event in realm.published] == [
            ("shop.news.all", [{"id": 3, "name": "ale"}])
        ]
