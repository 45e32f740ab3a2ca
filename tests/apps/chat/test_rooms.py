"""Rooms through their procedures and pages: numbers, names, limits, moderation; on a realm in memory."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.apps.visiting import ADMIN, USER, Visitor
from wampflask import CallFailed
from wampflask.apps.accounts.models import User
from wampflask.apps.chat import contract, service, validation
from wampflask.apps.chat.links import pieces
from wampflask.apps.chat.models import Person, Room
from wampflask.apps.db import now
from wampflask.apps.extensions import db, wamp
from wampflask.caller import Caller
from wampflask.in_memory import MemoryRealm
from wampflask.options import CallResult

HOSTILE = '<img src=x onerror="alert(1)"> </script><script>alert(2)</script> {{ 7 * 7 }}'


def message_topic(key: str) -> str:
    return f"chat.room.den.message.{key}"


class Talker:
    """Somebody with a live session."""

    def __init__(self, realm: MemoryRealm, authid: str, role: str = "visitor", session: int = 7) -> None:
        self._realm = realm
        self.caller = Caller(session=session, authid=authid, role=role)

    def __call__(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        found = self._realm.invoke(procedure, *args, caller=replace(self.caller, uri=procedure), **kwargs)
        return found.args[0] if isinstance(found, CallResult) else found  # a live thing's state, without its number

    def missed(self, key: str, since: int | None) -> list[Any]:
        """What the log of the room's messages has after ``since``."""
        found: list[Any] = self(message_topic(key), since=since)
        return found

    def refused(self, procedure: str, *args: Any, **kwargs: Any) -> CallFailed:
        with pytest.raises(CallFailed) as refusal:
            self(procedure, *args, **kwargs)
        return refusal.value


@pytest.fixture
def room(app: Flask, visitor: Visitor) -> str:
    assert visitor.get("/chat/den/").status_code == 200
    return "den"


@pytest.fixture
def anna(realm: MemoryRealm, room: str) -> Talker:
    return Talker(realm, "visitor:anna", session=11)


@pytest.fixture
def ben(realm: MemoryRealm, room: str) -> Talker:
    return Talker(realm, "visitor:ben", session=12)


def user(app: Flask, realm: MemoryRealm, address: str, session: int = 20) -> Talker:
    with app.app_context():
        found = db.session.scalars(db.select(User).where(User.email == address)).one()
        return Talker(realm, found.authid, "admin" if address == ADMIN[0] else "user", session)


# -- rooms


def test_a_new_room_has_a_readable_name(visitor: Visitor) -> None:
    answer = visitor.post("/chat/", form="/chat/")
    assert re.fullmatch(r"/chat/[a-z]+-[a-z]+-\d{4}/", answer.location)
    assert visitor.get(answer.location).status_code == 200


def test_the_first_visit_makes_a_room_and_the_second_finds_it(app: Flask, visitor: Visitor) -> None:
    for _ in range(2):
        assert visitor.get("/chat/tea-time/").status_code == 200
    with app.app_context():
        assert db.session.scalars(db.select(Room.label)).all() == ["tea-time"]


@pytest.mark.parametrize(("typed", "label"), [("Tea Time", "tea-time"), ("tea_time", "tea-time"), ("Ümläut", "umlaut")])
def test_a_label_is_made_plain(visitor: Visitor, typed: str, label: str) -> None:
    assert visitor.get("/chat/go", query_string={"name": typed}).location == f"/chat/{label}/"
    assert visitor.get(f"/chat/{typed}/").location == f"/chat/{label}/"


def test_what_is_no_label_is_no_room(visitor: Visitor, anna: Talker) -> None:
    assert visitor.get("/chat/%21%21/").status_code == 404
    assert anna.refused(contract.ENTER, "no_such").uri == "chat.error.invalid"
    assert anna.refused(contract.ENTER, "nowhere").uri == "chat.error.not_found"
    assert anna.refused(contract.SAY, ["den"], "x").uri == "chat.error.invalid"


# -- messages


def test_messages_count_from_one_and_are_told_after_the_commit(realm: MemoryRealm, anna: Talker, ben: Talker) -> None:
    key = anna(contract.ENTER, "den")["key"]
    first = anna(contract.SAY, "den", " Hello\r\n\r\n\r\n\r\nthere \x07\u202e", "token-0001")
    second = ben(contract.SAY, "den", HOSTILE, None)
    assert (first["id"], second["id"]) == (1, 2)
    assert first["text"] == "Hello\n\nthere"
    assert second["text"] == HOSTILE
    assert [event.args[0] for event in realm.published if event.topic == message_topic(key)] == [first, second]


def test_what_is_sent_twice_is_said_once(realm: MemoryRealm, anna: Talker, ben: Talker) -> None:
    first = anna(contract.SAY, "den", "once", "token-0001")
    count = len(realm.published)
    assert anna(contract.SAY, "den", "once", "token-0001") == first
    assert len(realm.published) == count
    assert ben(contract.SAY, "den", "once", "token-0001")["id"] == 2  # a token is its sender's own


@pytest.mark.parametrize("text", ["", "  \n ", "\u200b", None, 3, "x" * 2001, "a\n" * 100])
def test_what_is_no_message_is_refused(anna: Talker, text: Any) -> None:
    assert anna.refused(contract.SAY, "den", text).uri == "chat.error.invalid"
    assert anna(contract.HISTORY, "den")["messages"] == []


def test_history_goes_back_in_pages_and_forward_by_changes(app: Flask, anna: Talker) -> None:
    app.config["WAMPFLASK_CHAT_RATE"] = "1000 per minute"
    for number in range(1, 121):
        anna(contract.SAY, "den", f"m{number}")
    last = anna(contract.HISTORY, "den")
    assert [m["id"] for m in last["messages"]] == list(range(71, 121))
    assert last["more"]
    older = anna(contract.HISTORY, "den", 71)
    assert [m["id"] for m in older["messages"]] == list(range(21, 71))
    oldest = anna(contract.HISTORY, "den", 21)
    assert ([m["id"] for m in oldest["messages"]], oldest["more"]) == (list(range(1, 21)), False)
    anna(contract.EDIT, "den", 3, "changed")
    anna(contract.DELETE, "den", 5)
    changed = anna(contract.HISTORY, "den", None, 120)
    assert [(m["id"], m["version"], m["text"]) for m in changed["messages"]] == [(3, 121, "changed"), (5, 122, "")]
    assert changed["version"] == 122
    everything: list[int] = []
    since, more = 0, True
    while more:
        page = anna(contract.HISTORY, "den", None, since)
        everything += [m["id"] for m in page["messages"]]
        since, more = page["version"], page["more"]
    assert sorted(everything) == list(range(1, 121))


def test_the_log_has_what_changed_since_and_no_more_than_a_page(app: Flask, anna: Talker, monkeypatch: Any) -> None:
    monkeypatch.setattr(service, "CATCH_UP", 2)
    key = anna(contract.ENTER, "den")["key"]
    for text in ("one", "two", "three"):
        anna(contract.SAY, "den", text)
    anna(contract.EDIT, "den", 1, "one, changed")
    pages, since = [], 0
    while page := anna.missed(key, since):
        pages.append([(m["version"], m["text"]) for m in page])
        since = page[-1]["version"]
    assert pages == [[(2, "two"), (3, "three")], [(4, "one, changed")]]
    assert [m["version"] for m in anna.missed(key, None)] == [2, 3, 4]
    assert anna.refused(message_topic(key), since="x").uri == "chat.error.invalid"
    assert anna.refused(message_topic("0" * 32), since=0).uri == "chat.error.moved"


def test_only_the_author_edits_and_deletes(anna: Talker, ben: Talker) -> None:
    anna(contract.SAY, "den", "mine")
    assert ben.refused(contract.EDIT, "den", 1, "yours").uri == "chat.error.not_yours"
    assert ben.refused(contract.DELETE, "den", 1).uri == "chat.error.not_yours"
    edited = anna(contract.EDIT, "den", 1, "mine, really")
    assert (edited["text"], edited["edited"], edited["version"]) == ("mine, really", True, 2)
    assert anna(contract.DELETE, "den", 1)["text"] == ""
    assert anna.refused(contract.EDIT, "den", 1, "again").uri == "chat.error.not_found"
    assert anna.refused(contract.DELETE, "den", "1").uri == "chat.error.invalid"


def test_the_rate_is_one_persons_and_says_how_long_to_wait(app: Flask, anna: Talker, ben: Talker) -> None:
    app.config["WAMPFLASK_CHAT_RATE"] = "3 per minute"
    for number in range(3):
        anna(contract.SAY, "den", str(number))
    refusal = anna.refused(contract.SAY, "den", "too much")
    assert refusal.uri == "chat.error.too_fast"
    assert 1 <= refusal.kwargs["seconds"] <= 21
    assert f"Wait {refusal.kwargs['seconds']} second" in refusal.args[0]
    assert ben(contract.SAY, "den", "still free")["id"] == 4


# -- names


def test_one_name_for_one_person(anna: Talker, ben: Talker) -> None:
    assert anna(contract.RENAME, "den", "  Anna  B ")["name"] == "Anna B"
    for taken in ("Anna B", "anna-b", "АnnaВ", "ÀNNA b"):
        assert ben.refused(contract.RENAME, "den", taken).uri == "chat.error.name_taken"
    assert anna(contract.RENAME, "den", "ANNA B")["name"] == "ANNA B"
    for wrong in ("", "  ", "!!!", "admin", "Mоderаtor", "x" * 31, 7, "\u202eevil" * 9):
        assert anna.refused(contract.RENAME, "den", wrong).uri == "chat.error.invalid"


def test_a_visitor_cannot_take_the_name_of_an_account(app: Flask, realm: MemoryRealm, anna: Talker) -> None:
    assert anna.refused(contract.RENAME, "den", "User").uri == "chat.error.name_taken"  # user@… was never in a room
    known = user(app, realm, USER[0])
    me = known(contract.ENTER, "den")["me"]
    assert (me["name"], me["guest"], me["moderator"]) == ("user", False, False)
    known(contract.RENAME, "den", "Ursula")
    assert anna.refused(contract.RENAME, "den", "ursula").uri == "chat.error.name_taken"


def test_a_refused_name_does_not_tell_whose_it_is(app: Flask, realm: MemoryRealm, anna: Talker, ben: Talker) -> None:
    """Or accounts' addresses could be found by trying validation."""
    ben(contract.RENAME, "den", "Benno")
    answers = [anna.refused(contract.RENAME, "den", name).args[0] for name in ("user", "benno")]
    assert answers[0] == answers[1].replace("benno", "user")
    assert "account" not in answers[0]


def test_an_account_gets_its_name_from_a_guest(app: Flask, realm: MemoryRealm, anna: Talker) -> None:
    anna(contract.ENTER, "den")
    anna(contract.RENAME, "den", "Ursula")
    assert user(app, realm, USER[0])(contract.RENAME, "den", "Ursula")["name"] == "Ursula"
    assert anna(contract.ENTER, "den")["me"]["name"] != "Ursula"


def test_fold_takes_lookalikes_for_the_same() -> None:
    assert validation.fold("Pаypаl") == validation.fold("paypal") == validation.fold("PAYPAI")
    assert validation.fold("Ann") != validation.fold("Bob")


def test_calls_may_name_their_arguments(app: Flask, realm: MemoryRealm, anna: Talker) -> None:
    me = anna(contract.ENTER, label="den")["me"]
    message = anna(contract.SAY, label="den", text="one", token="abcdefgh")
    assert anna(contract.SAY, "den", token="abcdefgh", text="twice")["id"] == message["id"]
    assert anna(contract.EDIT, label="den", number=message["id"], text="two")["text"] == "two"
    assert [found["text"] for found in anna(contract.HISTORY, label="den", since=1)["messages"]] == ["two"]
    assert anna(contract.TYPING, label="den") is None
    assert anna(contract.RENAME, label="den", name="Anna")["name"] == "Anna"
    assert anna(contract.DELETE, label="den", number=message["id"])["deleted"]
    moderator = user(app, realm, ADMIN[0])
    found = moderator(contract.MODERATE, label="den", person=me["id"], action="mute", minutes=5)
    assert moderator(contract.SANCTIONS, label="den") == found
    assert anna.refused(contract.SAY, room="den", text="x").uri == "wamp.error.invalid_argument"


# -- moderation


def test_a_ban_moves_the_room_and_shuts_out(app: Flask, realm: MemoryRealm, anna: Talker, ben: Talker) -> None:
    moderator = user(app, realm, ADMIN[0])
    key = anna(contract.ENTER, "den")["key"]
    victim = ben(contract.ENTER, "den")["me"]["id"]
    assert anna.refused(contract.MODERATE, "den", victim, "ban").uri == "chat.error.not_yours"
    assert moderator(contract.MODERATE, "den", victim, "ban")[0]["banned"]
    assert realm.published[-1].args[0] is None
    assert realm.published[-1].topic == message_topic(key)
    for procedure, *args in ((contract.ENTER,), (contract.HISTORY,), (contract.SAY, "x"), (contract.TYPING,)):
        assert ben.refused(procedure, "den", *args).uri == "chat.error.banned"
    assert ben.refused(message_topic(key), since=0).uri == "chat.error.banned"
    assert anna.refused(message_topic(key), since=0).uri == "chat.error.moved"
    fresh = anna(contract.ENTER, "den")["key"]
    assert fresh != key
    assert ben.refused(message_topic(fresh), since=0).uri == "chat.error.banned"
    realm.published.clear()
    anna(contract.SAY, "den", "he is gone")
    topics = {event.topic for event in realm.published}
    assert message_topic(fresh) in topics
    assert not any(key in topic for topic in topics)
    moderator(contract.MODERATE, "den", victim, "unban")
    assert ben(contract.ENTER, "den")["key"] == fresh


def test_a_banned_visitor_sees_no_page(app: Flask, realm: MemoryRealm, room: str, visitor: Visitor) -> None:
    visitor.post("/chat/den/", {"text": "spam", "token": "abcdefgh"}, form="/chat/den/")
    with app.app_context():
        person = db.session.scalars(db.select(Person.id)).one()
    user(app, realm, ADMIN[0])(contract.MODERATE, "den", person, "ban")
    for answer in (visitor.get("/chat/den/"), visitor.post("/chat/den/", {"text": "more"})):
        assert answer.status_code == 403
        assert "banned" in answer.text
        assert "spam" not in answer.text


def test_the_muted_read_and_do_not_write(app: Flask, realm: MemoryRealm, anna: Talker) -> None:
    moderator = user(app, realm, ADMIN[0])
    person = anna(contract.ENTER, "den")["me"]["id"]
    moderator(contract.MODERATE, "den", person, "mute", 5)
    assert "5 minutes" in anna.refused(contract.SAY, "den", "x").args[0]
    assert anna(contract.HISTORY, "den")["messages"] == []
    moderator(contract.MODERATE, "den", person, "unmute")
    anna(contract.SAY, "den", "x")
    moderator(contract.DELETE, "den", 1)
    for wrong in ((person, "kill"), (person, "mute", 0), (person, "mute", "5"), (True, "ban")):
        assert moderator.refused(contract.MODERATE, "den", *wrong).uri == "chat.error.invalid"
    own = moderator(contract.ENTER, "den")["me"]["id"]
    assert moderator.refused(contract.MODERATE, "den", own, "ban").uri == "chat.error.not_yours"
    assert anna.refused(contract.SANCTIONS, "den").uri == "chat.error.not_yours"


def test_pages_of_the_muted_hear_of_it(app: Flask, realm: MemoryRealm, anna: Talker) -> None:
    moderator = user(app, realm, ADMIN[0])
    person = anna(contract.ENTER, "den")["me"]["id"]
    topic = "chat.room.den.muted.visitor_anna"
    assert anna(topic) == {"seconds": 0}
    moderator(contract.MODERATE, "den", person, "mute", 5)
    told = realm.published[-1]
    assert told.topic == topic
    for seconds in (told.args[0]["seconds"], anna(topic)["seconds"]):
        assert 290 < seconds <= 300
    moderator(contract.MODERATE, "den", person, "unmute")
    assert realm.published[-1].args[0] == {"seconds": 0}
    assert anna("chat.room.nowhere.muted.nobody") == {"seconds": 0}


def test_a_deleted_sanction_is_lifted_at_once(app: Flask, realm: MemoryRealm, admin: Visitor, anna: Talker) -> None:
    person = anna(contract.ENTER, "den")["me"]["id"]
    user(app, realm, ADMIN[0])(contract.MODERATE, "den", person, "mute", 5)
    admin.post("/admin/chat_sanctions/delete/", {"id": "1"}, form="/admin/chat_sanctions/")
    assert realm.published[-1].topic == "chat.room.den.muted.visitor_anna"
    assert realm.published[-1].args[0] == {"seconds": 0}


def test_the_muted_see_so_without_javascript(app: Flask, realm: MemoryRealm, room: str, visitor: Visitor) -> None:
    visitor.post("/chat/den/", {"text": "noise", "token": "abcdefgh"}, form="/chat/den/")
    assert "You are muted" not in visitor.get("/chat/den/").text
    with app.app_context():
        person = db.session.scalars(db.select(Person.id)).one()
    user(app, realm, ADMIN[0])(contract.MODERATE, "den", person, "mute", 5)
    page = visitor.get("/chat/den/").text
    assert "You are muted here for another 5 minutes." in page
    assert re.search(r'<textarea[^>]* id="text"[^>]* disabled', page)


# -- who is here


def here(key: str, room: str = "den") -> str:
    return f"chat.room.{room}.presence.{key}.here"


def test_who_is_here_is_shown_by_name(app: Flask, realm: MemoryRealm, anna: Talker, ben: Talker) -> None:
    key = anna(contract.ENTER, "den")["key"]
    me = ben(contract.ENTER, "den")["me"]
    entries = [[authid, "visitor", 1, 1.0] for authid in ("visitor:anna", "visitor:ben", "visitor:nobody")]
    realm.people[here(key)] = entries
    shown = anna(here(key))
    assert set(shown) == {"visitor:anna", "visitor:ben"}  # nobody is who never entered
    assert shown["visitor:ben"] == {**me, "role": "visitor", "since": 1.0}
    realm.people[here("0" * 32)] = entries
    assert anna(here("0" * 32)) is None


def test_a_new_name_is_shown_wherever_somebody_is(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    topics = []
    anna = Talker(realm, "visitor:anna")
    for room in ("den", "attic", "cellar"):
        visitor.get(f"/chat/{room}/")
        topics.append(here(anna(contract.ENTER, room)["key"], room))
    realm.people = {topic: [["visitor:anna", "visitor", 1, 1.0]] for topic in topics[:2]}
    realm.published.clear()
    anna(contract.RENAME, "den", "Anna")
    assert [event.topic for event in realm.published] == topics[:2]
    for event in realm.published:
        assert event.args[0]["rows"]["visitor:anna"]["name"] == "Anna"


def test_the_page_says_who_is_here_and_does_without_a_router(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    visitor.get("/chat/den/")
    ben = Talker(realm, "visitor:ben")
    entered = ben(contract.ENTER, "den")
    realm.people[here(entered["key"])] = [["visitor:ben", "visitor", 1, 1.0]]
    page = visitor.get("/chat/den/").text
    assert 'Here now (<span data-part="total">1</span>)' in page
    assert f'<li data-person="{entered["me"]["id"]}">' in page
    realm.disconnect()
    assert 'Here now (<span data-part="total">0</span>)' in visitor.get("/chat/den/").text


# -- pages


def test_a_room_can_be_read_and_spoken_in_without_javascript(visitor: Visitor) -> None:
    visitor.get("/chat/plain/")
    answer = visitor.post("/chat/plain/", {"text": HOSTILE, "token": "abcdefgh"}, form="/chat/plain/")
    assert answer.location.endswith("/chat/plain/#say")
    visitor.post("/chat/plain/", {"text": HOSTILE, "token": "abcdefgh"}, form="/chat/plain/")
    visitor.post("/chat/plain/name", {"name": "Anna"}, form="/chat/plain/")
    page = visitor.get("/chat/plain/").text
    assert page.count("&lt;img src=x onerror=") == 1
    assert "<img src=x" not in page
    assert "Name saved." in page
    assert "plain" in visitor.get("/chat/").text
    empty = visitor.post("/chat/plain/", {"text": " "}, form="/chat/plain/")
    assert empty.status_code == 422
    assert "Write something first." in empty.text


def test_what_was_refused_without_javascript_stays_and_has_the_focus(visitor: Visitor, room: str) -> None:
    answer = visitor.post("/chat/den/", {"text": "x" * 3000, "token": "abcdefgh"}, form="/chat/den/")
    assert answer.status_code == 422
    assert "too long" in answer.text
    field = re.search(r"<textarea[^>]*>([^<]*)", answer.text)
    assert field
    assert field[1] == "x" * 3000
    assert 'aria-invalid="true" aria-describedby="trouble" autofocus' in field[0]


def test_links_are_links_and_the_rest_is_text() -> None:
    text = 'see https://example.org/a_(b)?x="2", (http://example.org/c). javascript:alert(1) https:// www.example.org'
    links = [piece for piece, is_link in pieces(text) if is_link]
    assert links == ["https://example.org/a_(b)?x=", "http://example.org/c"]
    assert "".join(piece for piece, _ in pieces(text)) == text


def test_admin_pages_show_chat(admin: Visitor, anna: Talker) -> None:
    anna(contract.SAY, "den", HOSTILE)
    for page in ("chat_rooms", "chat_messages", "chat_people", "chat_sanctions"):
        answer = admin.get(f"/admin/{page}/")
        assert answer.status_code == 200
        assert "<img src=x" not in answer.text


def test_your_rooms_are_fragments_of_yours(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    visitor.post("/chat/den/", {"text": "mine", "token": "abcdefgh"}, form="/chat/den/")
    page = visitor.get("/chat/").text
    assert '<span data-room="den" data-last="1">' in page
    assert '<a href="/chat/den/">den</a>' in page
    args = [html.unescape(found) for found in re.search(r'name="(.*?)" args="(.*?)" key="(.*?)"', page).groups()]  # type: ignore[union-attr]
    with app.app_context():
        authid = db.session.scalars(db.select(Person.authid)).one()
    own = Talker(realm, authid)
    realm.published.clear()
    own(contract.SAY, "den", "more")
    topic = f"wampflask.fragments.room_card.{args[2]}"
    assert [event.args[0] for event in realm.published if event.topic == topic] == [None]
    asked = [args[0], json.loads(args[1]), args[2], ""]
    ((state, _),) = own("wampflask.live.fetch", [asked])
    assert 'data-last="2"' in state[1]
    with app.app_context():
        person = db.session.scalars(db.select(Person.id)).one()
    user(app, realm, ADMIN[0])(contract.MODERATE, "den", person, "ban")
    assert own("wampflask.live.fetch", [asked]) == [0]
    assert 'data-room="den"' not in visitor.get("/chat/").text


def test_commands(app: Flask, realm: MemoryRealm, anna: Talker, visitor: Visitor) -> None:
    anna(contract.SAY, "den", "kept")
    for label in ("empty", "silent"):
        visitor.get(f"/chat/{label}/")
    key = anna(contract.ENTER, "silent")["key"]
    realm.people[here(key, "silent")] = [["visitor:anna", "visitor", 1, 1.0]]
    runner = app.test_cli_runner()
    listed = runner.invoke(args=["chat", "rooms"]).output.splitlines()
    assert [(line.split()[0], line.split()[3]) for line in listed] == [("silent", "1"), ("empty", "0"), ("den", "0")]
    assert runner.invoke(args=["chat", "prune", "--days", "0"]).output == "Deleted 1 empty rooms.\n"
    visitor.get("/chat/old/")
    visitor.get("/chat/young/")
    with app.app_context():
        long_ago = now() - timedelta(days=31)
        db.session.execute(db.update(Room).where(Room.label == "old").values(created_at=long_ago))
        db.session.commit()
        assert wamp.run_job("chat.rooms").outcome == "done"
        assert set(db.session.scalars(db.select(Room.label))) == {"den", "silent", "young"}
    realm.disconnect()
    for command in (["rooms"], ["prune", "--days", "0"]):
        answer = runner.invoke(args=["chat", *command])
        assert answer.exit_code == 1
        assert "Start the router" in answer.output
