"""What ``live_table()`` writes into a page, for whom, on a realm in memory; how it works in a browser is elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template_string, request
from sqlalchemy import DateTime, Engine, Numeric, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from rig.databases import engine_in
from wampflask import WAMP, Caller, Identity
from wampflask.testing import in_memory


class Base(DeclarativeBase):
    """Of these tests."""


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(30))
    body: Mapped[str] = mapped_column(Text, default="")
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    seen: Mapped[bool | None]
    day: Mapped[date | None]
    begun: Mapped[datetime | None]
    ended: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    team: Mapped[int] = mapped_column(default=1)
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


FIELDS = ("title", "body", "price", "seen", "day", "begun", "ended")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = engine_in(tmp_path, "notes")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def is_public(_caller: Caller, note: Note) -> bool:
    return "secret" not in note.title


def may_write(caller: Caller, action: str, note: Note) -> bool:
    return note.team == 1 and (action != "delete" or caller.role == "admin")


@pytest.fixture
def app(tmp_path: Path, engine: Engine) -> Iterator[Flask]:
    """Of ``/?who=role&jinja=…``."""
    app, wamp = Flask("notes", instance_path=str(tmp_path)), WAMP()
    wamp.init_app(app)
    sessions = scoped_session(sessionmaker(engine))
    options: dict[str, Any] = {"fields": FIELDS, "session": sessions, "can_read": is_public}
    bound = {
        "notes": wamp.bind(Note, **options),
        "ruled": wamp.bind(Note, **options, table="ruled", can_write=may_write),
        "staff": wamp.bind(Note, **options, table="staff", readers=("user", "admin"), writers="admin"),
        "teams": wamp.bind(Note, **options, table="teams", group="team", claim="team"),
    }

    @wamp.identify
    def who() -> Identity | None:
        role = request.args.get("who", "visitor")
        return None if role == "visitor" else Identity(role, 1, team=request.args.getlist("team"))

    app.add_url_rule("/", "page", lambda: render_template_string(request.args["jinja"], **bound))
    with in_memory(app):
        yield app
    for each in bound.values():
        each.unwatch()
    sessions.remove()


def put(engine: Engine, *notes: Note) -> None:
    with Session(engine) as session:
        session.add_all(notes)
        session.commit()


def page(app: Flask, jinja: str, **args: Any) -> str:
    return app.test_client().get("/", query_string={"jinja": f"{{{{ {jinja} }}}}", **args}).text


def fields(html: str) -> dict[str, str]:
    """The fields of the first row, by their names."""
    row = html.partition("<tbody")[2].partition("</tr>")[0]
    found = re.findall(r"<(?:input|select|textarea)[^>]*name=\"(\w+)\"[^>]*>", row)
    tags = re.findall(r"<(?:input|select|textarea)[^>]*>", row)
    return dict(zip(found, tags, strict=True))


def test_every_column_has_the_field_of_its_type(app: Flask, engine: Engine) -> None:
    begun = datetime(2026, 1, 31, 12, 0, 1, 500)  # noqa: DTZ001 - a column without a time zone
    put(engine, Note(title='<b>"', body="a\nb", price=Decimal("1.50"), day=begun.date(), begun=begun, seen=True))
    put(engine, Note(title="b", ended=datetime(2026, 1, 31, tzinfo=UTC)))
    html = page(app, "live_table(notes)")
    found = fields(html)
    assert 'type="text"' in found["title"]
    assert 'maxlength="30"' in found["title"]
    assert 'value="&lt;b&gt;&#34;"' in found["title"]
    assert found["body"].startswith("<textarea")
    assert "a\nb</textarea>" in html
    assert ('inputmode="decimal"' in found["price"], 'value="1.50"' in found["price"]) == (True, True)
    assert found["seen"].startswith("<select")
    assert '<option value="true" selected>yes' in html
    assert 'type="date"' in found["day"]
    assert 'type="datetime-local"' in found["begun"]
    assert 'value="2026-01-31T12:00:01"' in found["begun"]
    assert 'type="text"' in found["ended"]  # a field has no time zones
    assert "data-nullable" in found["price"]
    assert "data-nullable" not in found["title"]
    assert "<b>" not in html
    assert not re.search(r"\son\w+=|\sstyle=", html)


def test_who_may_not_read_gets_nothing(app: Flask, engine: Engine) -> None:
    put(engine, Note(title="plain"), Note(title="secret"))
    assert page(app, "live_table(staff)") == ""
    assert "plain" in page(app, "live_table(staff)", who="user")
    html = page(app, "live_table(notes)")
    assert "plain" in html
    assert "secret" not in html
    call = "{% call live_table(staff) %}what is inside{% endcall %}"
    assert app.test_client().get("/", query_string={"jinja": call}).text == ""


def test_who_may_not_write_gets_text(app: Flask, engine: Engine) -> None:
    put(engine, Note(title="plain"))
    html = page(app, "live_table(staff)", who="user")
    assert not re.search("<(input|select|textarea|button|form|dialog)", html)
    assert "<input" in page(app, "live_table(staff)", who="admin")
    assert "<input" not in page(app, "live_table(staff, editable=False)", who="admin")


def test_rights_of_rows_stand_at_the_rows(app: Flask, engine: Engine) -> None:
    put(engine, Note(title="ours"), Note(title="theirs", team=2))
    html = page(app, "live_table(ruled)", who="user")
    assert re.findall(r'data-may="([^"]*)"', html) == ["update", "", ""]  # the last one is of new rows
    assert re.findall(r'data-may="([^"]*)"', page(app, "live_table(ruled)", who="admin"))[0] == "update delete"
    assert 'data-table-part="add"' not in html  # a row without values has no team
    assert 'data-table-part="add"' in page(app, "live_table(ruled, add=True)", who="user")
    assert "data-may" not in page(app, "live_table(notes)")


def test_a_group_is_for_those_who_claim_it(app: Flask, engine: Engine) -> None:
    put(engine, Note(title="of team 1", team=1), Note(title="of team 2", team=2))
    html = page(app, "live_table(teams, group=1)", who="user", team=["1", "3"])
    assert ("of team 1" in html, "of team 2" in html) == (True, False)
    assert 'group="1"' in html
    for who in ({}, {"who": "user"}, {"who": "admin", "team": "1"}):
        assert page(app, "live_table(teams, group=2)", **who) == ""
    assert page(app, "live_table(teams, group=1)", who="visitor", team="1") == ""


@pytest.mark.parametrize(
    ("jinja", "why"),
    [
        ("live_table(notes, columns=['nothing'])", "names 'nothing'; there are title, body"),
        ("live_table(notes, editable=['nothing'])", "names 'nothing'"),
        ("live_table(notes, texts={'nothing': ''})", "names 'nothing'; there are actions, add"),
        ("live_table(notes, group=1)", "the table notes? has no groups"),
        ("live_table(teams)", "has groups: say group="),
    ],
)
def test_what_there_is_not_is_said(app: Flask, jinja: str, why: str) -> None:
    app.testing = True
    with pytest.raises(TypeError, match=why):
        page(app, jinja)


def test_page_by_page(app: Flask, engine: Engine) -> None:
    put(engine, *(Note(title=f"n{number}") for number in range(1, 6)))
    html = page(app, "live_table(notes, limit=2)", q="a&b")
    address = re.search(r'rel="next" href="([^"]+)"', html)
    assert address
    assert "q=a%26b" in address[1]
    assert address[1].endswith("note_after=2")
    assert (re.findall(r'data-row="(\d+)"', html), "First page" in html) == (["1", "2"], False)
    html = page(app, "live_table(notes, limit=2)", note_after=4)
    assert (re.findall(r'data-row="(\d+)"', html), 'rel="next"' in html) == (["5"], False)
    assert ('after="4"' in html, 'limit="2"' in html, "First page" in html) == (True, True, True)
    for wrong in ("x", "-1", "²", "9" * 30):
        assert 'data-row="1"' in page(app, "live_table(notes, limit=2)", note_after=wrong)


def test_markup_of_an_apps_own(app: Flask, engine: Engine) -> None:
    put(engine, Note(title="it's"))
    html = (
        app.test_client()
        .get("/", query_string={"jinja": "{% call live_table(notes) %}<ul>{{ 1 }}</ul>{% endcall %}"})
        .text
    )
    assert html.endswith("<ul>1</ul></live-table>")
    assert "<tbody" not in html
