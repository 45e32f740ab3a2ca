"""Every form of the admin: what it declares is there, and saved untouched it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import inspect, select

from tests.apps.admin.forms import Form
from tests.apps.monitor.hosts import FakeHost
from tests.apps.visiting import Visitor, ask
from wampflask.apps.backoffice import SiteModelView
from wampflask.apps.extensions import db
from wampflask.apps.monitor import service
from wampflask.apps.monitor.models import AlertRule, Channel, EnrolToken, Host, Metric
from wampflask.apps.polls.models import Kind, Visibility
from wampflask.apps.tables.models import IntegerValue
from wampflask.in_memory import MemoryRealm

# Flask-Admin 2.2.1 still speaks to WTForms 3.3 as to older ones; the words are WTForms's own.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Yielding raw tuples from iter_choices:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Passing SelectField choices as tuples:DeprecationWarning"),
    # apprise 2.2 imports it for Python 3.11 and 3.12, and there is no newer apprise
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]

MOMENT = datetime(2031, 5, 6, 7, 8, 9, 123456, UTC)


def views(app: Flask) -> dict[str, SiteModelView]:
    return {view.endpoint: view for view in app.extensions["admin"][0]._views if isinstance(view, SiteModelView)}


def make_host(app: Flask) -> None:
    host = FakeHost(app).enrol()
    with app.app_context():
        found = service.get_host(db.session(), host.host)
        found.frequency, found.handover, found.notes, found.labels = 2.5, 0.1 + 0.9, "One\n\n<two>", "db, paris"
        found.show_disk = False
        db.session.commit()


def make_rule(app: Flask) -> None:
    make_host(app)
    with app.app_context():
        hosts = list(db.session.scalars(select(Host)))
        db.session.add(AlertRule(name="Full", metric=Metric.DISK, threshold=87.25, seconds=300, hosts=hosts))
        db.session.commit()


def make_token(app: Flask) -> None:
    with app.app_context():
        service.make_token(db.session(), note="a", reusable=True)[0].expires_at = MOMENT
        db.session.commit()


def make_channel(app: Flask) -> None:
    with app.app_context():
        db.session.add(Channel(name="Hook", address="json://127.0.0.1:9/x", quiet_from="22:00", quiet_to="07:00"))
        db.session.commit()


def make_value(app: Flask) -> None:
    with app.app_context():
        db.session.add(IntegerValue(name="tea", value=-3))
        db.session.commit()


def make_question(app: Flask) -> None:
    ask(app, kind=Kind.MULTIPLE, visibility=Visibility.AFTER_CLOSE, may_change=False)


def nothing(_app: Flask) -> None:
    """There are users and roles from the start."""


ROWS: dict[str, Callable[[Flask], None]] = {
    "questions": make_question, "choices": make_question, "hosts": make_host, "tokens": make_token,
    "alert_rules": make_rule, "alert_channels": make_channel, "integer_values": make_value,
    "user": nothing, "role": nothing,
}  # fmt: skip
"""By the view's endpoint, how a row with awkward values comes to be."""

NEW: dict[str, dict[str, Any]] = {
    "questions": {"text": "New?", "choices__0__label": "A", "choices__0__position": 0, "choices__1__label": "B",
                  "choices__1__position": 1},
    "choices": {"label": "Violet", "position": 9},
    "alert_rules": {"name": "Hot", "metric": "temperature", "threshold": "71.5", "seconds": 7},
    "alert_channels": {"name": "Hook", "address": "json://127.0.0.1:9/x"},
    "integer_values": {"name": "coffee", "value": 12},
    "user": {"email": "new@example.org", "new_password": "a long enough one"},
    "role": {"name": "steward"},
}  # fmt: skip
"""By the view's endpoint, what is filled into the form for a new row."""


def test_every_view_with_a_form_is_tried(app: Flask) -> None:
    assert set(ROWS) == {name for name, view in views(app).items() if view.can_edit}
    assert set(NEW) == {name for name, view in views(app).items() if view.can_create}


def rows(view: SiteModelView) -> dict[tuple[str, int], dict[str, Any]]:
    """Everything the database has of a view's model, and of its inline models: by id."""
    inline = [one.model for one in view.inline_models or ()]
    return {(model.__name__, row.id): columns(row) for model in (view.model, *inline) for row in everything(model)}


def everything(model: Any) -> list[Any]:
    return list(db.session.scalars(select(model).order_by(model.id)))


def columns(row: Any) -> dict[str, Any]:
    mapper = inspect(type(row))
    related = {
        one.key: sorted(other.id for other in getattr(row, one.key)) for one in mapper.relationships if one.uselist
    }
    return {**{one.key: getattr(row, one.key) for one in mapper.column_attrs}, **related}


def has_every_field(view: SiteModelView, form: Form) -> None:
    missing = [name for name in view.form_columns if name not in form.names]
    assert not missing, f"{view.endpoint}: no field for {missing}"
    for inline in view.inline_models or ():
        shown = {name.rpartition("-")[2] for name in form.names if "-" in name}
        assert set(inline.form_columns) <= shown, f"{view.endpoint}: {shown} of {inline.form_columns}"


@pytest.mark.parametrize("endpoint", ROWS)
def test_a_form_saved_untouched_changes_nothing(app: Flask, realm: MemoryRealm, admin: Visitor, endpoint: str) -> None:
    ROWS[endpoint](app)
    view = views(app)[endpoint]
    with app.app_context():
        before = rows(view)
        numbers = [row.id for row in everything(view.model)]
    assert numbers
    for number in numbers:
        path = f"/admin/{endpoint}/edit/?id={number}"
        form = Form(admin.get(path).text)
        has_every_field(view, form)
        answer = admin.client.post(path, data=form.sent)
        assert answer.status_code == 302, answer.text
    with app.app_context():
        assert rows(view) == before


@pytest.mark.parametrize("endpoint", NEW)
def test_a_new_row_is_what_was_filled_in(app: Flask, realm: MemoryRealm, admin: Visitor, endpoint: str) -> None:
    if endpoint == "choices":
        make_question(app)
    view = views(app)[endpoint]
    path = f"/admin/{endpoint}/new/"
    form = Form(admin.get(path).text)
    missing = [name for name in view.form_columns if name not in form.names]
    assert not missing
    with app.app_context():
        before = rows(view)
    answer = admin.client.post(path, data=form.filled(**NEW[endpoint]))
    assert answer.status_code == 302, answer.text
    assert answer.location == f"/admin/{endpoint}/"
    with app.app_context():
        added = [row for key, row in rows(view).items() if key not in before and key[0] == view.model.__name__]
    [row] = added
    shown = {name: str(row[name]) for name in NEW[endpoint] if name in row}
    assert shown == {name: str(value) for name, value in NEW[endpoint].items() if name in row}


def test_choices_of_a_select_are_words(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    form = Form(admin.get("/admin/alert_rules/new/").text)
    assert form.options["metric"] == {
        "offline": "Offline", "cpu": "CPU", "load": "Load", "memory": "Memory", "swap": "Swap", "disk": "Disk",
        "temperature": "Temperature",
    }  # fmt: skip
    form = Form(admin.get("/admin/questions/new/").text)
    assert form.options["visibility"]["after_close"] == "After voting is closed"


def test_lists_show_words(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    make_rule(app)
    make_question(app)
    page = admin.get("/admin/alert_rules/").text
    assert "Disk" in page
    assert "DISK" not in page
    page = admin.get("/admin/questions/").text
    assert "After voting is closed" in page
    assert "AFTER_CLOSE" not in page


def test_lists_show_moments_as_every_page_does(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    make_token(app)
    page = admin.get("/admin/tokens/").text
    assert '<time datetime="2031-05-06T07:08:09.123456+00:00" title="2031-05-06 07:08:09 UTC">' in page
    assert ">06 May 2031, 07:08 UTC</time>" in page


def test_a_moment_is_edited_in_utc(
    app: Flask, realm: MemoryRealm, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(app)
    path = "/admin/tokens/edit/?id=1"
    form = Form(admin.get(path).text)
    assert form.sent["expires_at"] == ["2031-05-06 07:08:09"]
    answer = admin.client.post(path, data=form.filled(expires_at="2032-01-02 03:04:05"))
    assert answer.status_code == 302
    with app.app_context():
        assert db.session.get_one(EnrolToken, 1).expires_at == datetime(2032, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("threshold", ["nan", "inf", "-inf", "1e999", "", "much"])
def test_a_threshold_that_cannot_be(app: Flask, realm: MemoryRealm, admin: Visitor, threshold: str) -> None:
    form = Form(admin.get("/admin/alert_rules/new/").text)
    answer = admin.client.post("/admin/alert_rules/new/", data=form.filled(name="Odd", threshold=threshold))
    assert answer.status_code == 200
    with app.app_context():
        assert everything(AlertRule) == []


@pytest.mark.parametrize("seconds", ["-1", "86401", str(10**30)])
def test_a_rules_seconds_that_cannot_be(app: Flask, realm: MemoryRealm, admin: Visitor, seconds: str) -> None:
    form = Form(admin.get("/admin/alert_rules/new/").text)
    answer = admin.client.post("/admin/alert_rules/new/", data=form.filled(name="Odd", seconds=seconds))
    assert answer.status_code == 200
    with app.app_context():
        assert everything(AlertRule) == []


@pytest.mark.parametrize("path", ["alerts/?flt0_{}=1", "alerts/?flt0_{}=open", "alert_notices/?flt0_{}=x,sent"])
@pytest.mark.parametrize("kind", range(6))
def test_a_filter_with_any_word(app: Flask, realm: MemoryRealm, admin: Visitor, path: str, kind: int) -> None:
    assert admin.get("/admin/" + path.format(kind)).status_code == 200
