"""Whatever stands in an address, a form or a body: it is never the site's mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from tests.apps.conftest import copy_instance, make
from tests.apps.visiting import Visitor, ask
from wampflask.in_memory import in_memory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Yielding raw tuples from iter_choices:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Passing SelectField choices as tuples:DeprecationWarning"),
]

NUMBERS = ("9" * 19, "9" * 20, "9" * 30, "9" * 5000, "0" * 30, "-1", "1,2", "٣")
NAMES = ("x" * 256, "x" * 4000, "é" * 200, "%00", "%ff", "..", "[", "9" * 30)


@pytest.fixture(scope="module")
def app(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The site, with one of what can be asked for; an error is an answer, as for everybody."""
    folder = tmp_path_factory.mktemp("incoming") / "instance"
    app = make(copy_instance(prepared, folder), PROPAGATE_EXCEPTIONS=False)
    with in_memory(app):
        ask(app)
        yield app


@pytest.fixture(scope="module", params=["visitor", "admin"])
def person(app: Flask, request: pytest.FixtureRequest) -> Visitor:
    """One who is not logged in, and one who may do everything."""
    return Visitor(app) if request.param == "visitor" else Visitor(app).log_in()


@pytest.fixture(scope="module")
def admin(app: Flask) -> Visitor:
    """One who may do everything."""
    return Visitor(app).log_in()


def rules(app: Flask, *, admin: bool) -> list[Rule]:
    """Every route with an argument, but the files."""
    return [rule for rule in app.url_map.iter_rules() if rule.arguments and rule.rule.startswith("/admin/") == admin]


def address(rule: Rule, value: str) -> str:
    """A route with ``value`` in each of its places."""
    return "".join(f"{value}" if dynamic else text for dynamic, text in rule._trace).lstrip("|")


@cache
def token_of(person: Visitor) -> str:
    """One that is good for the whole log-in."""
    return person.token("/chat/")


def sent(person: Visitor, path: str, methods: set[str], **fields: object) -> list[int]:
    """The statuses of all methods; forms have their token."""
    codes = []
    token = token_of(person)
    for method in sorted(methods & {"GET", "POST"}):
        data = {"csrf_token": token, **fields} if method == "POST" else None
        answer = person.client.open(path, method=method, data=data)
        codes.append(answer.status_code)
        answer.close()
    return codes


def test_arguments(app: Flask, person: Visitor) -> None:
    found = rules(app, admin=False)
    assert len(found) > 20
    broken = [
        (path, codes)
        for rule, value in product(found, (*NUMBERS, *NAMES))
        if max(codes := sent(person, path := address(rule, value), rule.methods or set())) >= 500
    ]
    assert broken == []


def test_no_id_is_beyond_what_a_database_has(app: Flask) -> None:
    person = Visitor(app)
    assert person.get("/polls/1/").status_code == 200
    for number in ("9" * 18, "9" * 19, "9" * 20, "9" * 5000):
        answer = person.get(f"/polls/{number}/")
        assert answer.status_code == 404
        assert "<h1" in answer.text


QUERIES = (
    "page",
    "id",
    "ids",
    "sort",
    "desc",
    "page_size",
    "code",
    "range",
    "before",
    "since",
    "label",
    "next",
    "search",
)


def test_queries(app: Flask, person: Visitor) -> None:
    plain = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or set()) and not rule.arguments and not rule.rule.startswith("/admin/")
    ]
    query = "&".join(f"{name}=%s" for name in QUERIES)
    broken = [
        (path, value, answer.status_code)
        for path, value in product(
            [*plain, "/chat/room/", "/polls/1/"], ("9" * 20, "9" * 5000, "%00", "-1", "x" * 4000)
        )
        if (answer := person.get(f"{path}?{query.replace('%s', value)}")).status_code >= 500
        if path not in ("/player/pairing.json", "/player/live")  # without a router
    ]
    assert broken == []


IDS = [f"id={value}" for value in ("1,2", "9" * 20, "9" * 5000, "-1", "x", "%00")]
LISTS = [
    *(f"page={value}" for value in ("9" * 20, "9" * 5000, "-5")),
    *(f"ids={value}" for value in ("9" * 30, "9" * 5000, "%D9%A3")),
    *(f"{name}={'9' * 20}" for name in ("page_size", "sort", "search")),
]


def test_the_admins_lists(app: Flask, admin: Visitor) -> None:
    pages = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin/") and "static" not in rule.rule]
    broken = []
    for rule in pages:
        path, methods = rule.rule.replace("<export_type>", "csv"), rule.methods or set()
        is_list = rule.endpoint.endswith(("index_view", "bulk", "export"))
        for query in (LISTS if is_list else IDS) if "GET" in methods else ():
            code = admin.get(f"{path}?{query}").status_code
            broken += [(path, query[:40], code)] if code >= 500 else []
        for number in ("9" * 30, "9" * 5000, "1,2") if "POST" in methods else ():
            fields = {"id": number, "rowid": [number], "action": "delete", "list_form_pk": number, "name": number}
            code = sent(admin, f"{path}?id={number}", {"POST"}, **fields)[0]
            broken += [(path, number[:40], code)] if code >= 500 else []
    assert broken == []


def test_the_admins_filters(app: Flask, admin: Visitor) -> None:
    broken = []
    for view in app.extensions["admin"][0]._views:
        for index, _ in enumerate(getattr(view, "_filters", None) or []):
            for value in ("9" * 26, "9" * 5000, "1", "x", "%00", "1 to 2", "9" * 30 + ",1"):
                path = f"{view.url}/?flt0_{index}={value}"
                if (code := admin.get(path).status_code) >= 500:
                    broken.append((path[:60], code))
    assert broken == []


BODIES = ("[" * 3000, "[" * 100 + "]" * 100, "NaN", '"\\ud800"', "9" * 5000, "5", "null", "")


@pytest.mark.parametrize("path", ["/clients/", "/login", "/logout", "/change", "/polls/1/", "/chat/", "/tables/"])
def test_json(person: Visitor, path: str) -> None:
    headers = {"Content-Type": "application/json", "X-CSRFToken": person.token("/chat/")}
    for body in BODIES:
        for text in (body, f'{{"host": {body or 1}, "email": {body or 1}, "name": {body or 1}}}'):
            assert person.client.post(path, data=text, headers=headers).status_code < 500, text[:30]


HEADERS = (
    {"Host": "["},
    {"Host": "[::1"},
    {"Host": "a b"},
    {"Host": "localhost:99999999"},
    {"Host": ""},
    {"Origin": "http://[x"},
    {"Origin": "null"},
    {"Content-Length": "x"},
    {"Cookie": "wampflask_session=%ff; wampflask_visitor=é; wampflask_remember=9|9"},
    {"Range": "bytes=-9999999999999999999999"},
    {"Accept": "text/html;q=x"},
    {"Authorization": "Bearer \u00e9"},
    {"If-Modified-Since": "x"},
)


@pytest.mark.parametrize(
    "path", ["/", "/wamp/ticket", "/polls/1/qr.svg", "/static/css/base.css", "/metrics", "/nothing"]
)
def test_headers(app: Flask, path: str) -> None:
    for headers in HEADERS:
        with app.test_client().get(path, headers=headers) as answer:
            assert answer.status_code < 500, headers


def test_a_referer_that_is_no_address(app: Flask) -> None:
    visitor, base = Visitor(app), "https://localhost"
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', visitor.get("/chat/", base_url=base).text)
    assert found
    form = {"csrf_token": found[1]}
    for referer, code in (("http://[x", 400), (f"{base}/chat/", 302)):
        answer = visitor.client.post("/chat/", data=form, base_url=base, headers={"Referer": referer})
        assert answer.status_code == code
