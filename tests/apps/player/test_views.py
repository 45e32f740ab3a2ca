"""The player's pages and files, as they are asked for over HTTP; and all that may be asked wrongly."""

from __future__ import annotations

import io
import re
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from tests.apps.conftest import make
from tests.apps.visiting import USER, Visitor
from wampflask import Permission
from wampflask.apps.paths import resource
from wampflask.apps.player import contract, media
from wampflask.apps.player.views import ITEMS_MAX, PIECE
from wampflask.in_memory import MemoryRealm, in_memory
from wampflask.plugin.tickets import Tickets

CLOCK = (resource("static") / "media" / "clock.webm").read_bytes()
HOSTILE = '"><img src=x onerror=alert(1)>.webm'


@pytest.fixture
def folder(app: Flask) -> Path:
    """The media folder, with one film in it."""
    path = Path(app.instance_path) / media.FOLDER
    media.save(path, HOSTILE, io.BytesIO(CLOCK), 10**6)
    return path


class Answer(NamedTuple):
    """A file's answer, read to its end."""

    status: int
    data: bytes
    headers: Headers
    mimetype: str | None


def fetch(who: Visitor, path: str, **headers: str) -> Answer:
    with who.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}) as answer:
        return Answer(answer.status_code, answer.data, answer.headers, answer.mimetype)


def upload(who: Visitor, name: str, content: bytes) -> TestResponse:
    return send(who, who.token("/admin/media/"), name, content)


def send(who: Visitor, token: str, name: str, content: bytes) -> TestResponse:
    """A form as a browser sends it."""
    token_part = b'--form\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n%s\r\n' % token.encode()
    file_part = b'--form\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % name.encode()
    body = token_part + file_part + content + b"\r\n--form--\r\n"
    kind = "multipart/form-data; boundary=form"
    return who.client.post("/admin/media/", data=body, content_type=kind, follow_redirects=True)


# -- the page and its pairing


def test_the_playlist_has_own_media_first_as_text(folder: Path, visitor: Visitor) -> None:
    page = visitor.get("/player/").text
    items = re.findall(r'data-src="([^"]*)" data-type="([^"]*)">(.*?)</button>', page)
    assert [unescape(title) for _, _, title in items] == [HOSTILE.removesuffix(".webm"), "Running clock", "Eight bars"]
    assert "<img src=x" not in page
    for address, kind, _ in items:
        answer = fetch(visitor, unescape(address))
        assert (answer.status, answer.mimetype) == (200, kind)


def test_a_pairing_is_new_each_time_and_never_kept(app: Flask, visitor: Visitor) -> None:
    first, second = (visitor.get("/player/pairing.json") for _ in range(2))
    assert first.headers["Cache-Control"] == "no-store"
    one, two = first.json, second.json
    assert one
    assert two
    assert contract.player_of(contract.procedure(one["player"], contract.STATUS)) == one["player"]
    assert one["player"] != two["player"]
    assert one["url"].endswith(f"/player/control#{one['player']}")
    assert one["qr"].startswith("<svg")
    assert one["player"] not in visitor.get("/player/").text


def test_the_code_leads_phones_to_the_address_that_rpc_tells(instance: Path) -> None:
    """A phone has no use for localhost; ``demo.ip`` knows better, and a public address wins over both."""
    app = make(instance)
    with in_memory(app) as realm:
        url = urlsplit((Visitor(app).get("/player/pairing.json").json or {})["url"])
        assert url.hostname == (realm.invoke("demo.ip") or "localhost")
    app = make(instance, WAMPFLASK_PUBLIC_URL="https://films.example")
    with in_memory(app):
        assert (Visitor(app).get("/player/pairing.json").json or {})["url"].startswith("https://films.example/player/")


def test_without_a_router_there_is_no_pairing_and_a_plain_word(realm: MemoryRealm, visitor: Visitor) -> None:
    realm.disconnect()
    answer = visitor.get("/player/pairing.json")
    assert answer.status_code == 503
    assert "router cannot be reached" in (answer.json or {})["message"]
    assert visitor.get("/player/").status_code == 200


def claims(app: Flask, who: Visitor, proof: str) -> dict[str, str | list[str]]:
    ticket = (who.get("/wamp/ticket", headers={"X-Wamp-Proof": proof}).json or {})["ticket"]
    config = app.extensions["wamp"].config
    return dict(Tickets(config.ticket_secret, config.realm).verify(ticket).claims)


def test_only_who_was_given_the_proof_gets_the_claim(app: Flask, visitor: Visitor) -> None:
    pairing = visitor.get("/player/pairing.json").json or {}
    player, proof = pairing["player"], pairing["proof"]
    assert claims(app, visitor, proof) == {"player": player}
    assert claims(app, visitor, f"nonsense, {proof}") == {"player": player}
    assert claims(app, Visitor(app), proof) == {}, "somebody else"
    assert claims(app, visitor, "") == {}, "another page of the same reader"
    for forged in (player, proof[:-1], proof.split(".")[0], f"{proof}x", "," * 5000):
        assert claims(app, visitor, forged) == {}, forged
    visitor.log_in(USER)
    assert claims(app, visitor, proof) == {}, "another login"


def test_the_pairing_is_asked_for_within_reason(visitor: Visitor) -> None:
    answers = {visitor.get("/player/pairing.json").status_code for _ in range(80)}
    assert answers == {200, 429}


def test_every_action_may_be_registered_by_its_page_alone() -> None:
    for action in contract.ACTIONS:
        assert Permission(f"player.{{player}}.{action}", register=("visitor", "user", "admin")) in contract.PERMISSIONS
    assert all(not rule.register for rule in contract.PERMISSIONS if "{player}" not in rule.uri)
    assert all("<" not in rule.uri or "<!" in rule.uri for rule in contract.PERMISSIONS)


# -- files


def test_a_film_is_served_in_ranges(folder: Path, visitor: Visitor) -> None:
    address = f"/player/media/{quote(HOSTILE)}"
    whole = fetch(visitor, address)
    assert (whole.status, whole.data) == (200, CLOCK)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    part = fetch(visitor, address, range="bytes=1000-1999")
    assert (part.status, part.data) == (206, CLOCK[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(CLOCK)}"
    rest = fetch(visitor, address, range="bytes=222000-")
    assert (rest.status, rest.data) == (206, CLOCK[222000:])
    assert fetch(visitor, address, range="bytes=9999999-").status == 416
    assert fetch(visitor, address, if_none_match=whole.headers["ETag"]).status == 304


def test_a_long_range_is_answered_in_pieces(folder: Path, visitor: Visitor) -> None:
    """So that a paused film holds no thread; browsers ask for the next piece when they want it."""
    film = CLOCK + bytes(5_000_000)
    (folder / "long.webm").write_bytes(film)
    for wanted in ("bytes=0-", "bytes=0-4999999"):
        part = fetch(visitor, "/player/media/long.webm", range=wanted)
        assert (part.status, part.data) == (206, film[:PIECE])
        assert part.headers["Content-Range"] == f"bytes 0-{PIECE - 1}/{len(film)}"
    rest = fetch(visitor, "/player/media/long.webm", range=f"bytes={PIECE * 2}-")
    assert rest.data == film[PIECE * 2 :][:PIECE]
    assert fetch(visitor, "/player/media/long.webm", range="bytes=-100").data == film[-100:]
    assert fetch(visitor, "/player/media/long.webm").data == film


def test_a_playlist_is_bounded(folder: Path, visitor: Visitor) -> None:
    for number in range(ITEMS_MAX + 10):
        (folder / f"{number:04}.webm").write_bytes(CLOCK[:100])
    assert visitor.get("/player/").text.count("data-src=") == ITEMS_MAX + 2


def test_the_samples_are_served_in_ranges(visitor: Visitor) -> None:
    part = fetch(visitor, "/static/media/clock.webm", range="bytes=0-99")
    assert (part.status, part.data, part.mimetype) == (206, CLOCK[:100], "video/webm")


@pytest.mark.parametrize("name", ["nothing.webm", "..%2fsecrets.json", "%2e%2e%2fticket.key", ".hidden", "page.webm"])
def test_nothing_but_media_is_served(folder: Path, visitor: Visitor, name: str) -> None:
    (folder / ".hidden").write_bytes(CLOCK)
    (folder / "page.webm").write_text("<script>alert(1)</script>")
    assert visitor.get(f"/player/media/{name}").status_code == 404


# -- the admin's upload


def test_an_admin_adds_and_deletes_a_film(app: Flask, admin: Visitor) -> None:
    big = CLOCK + b"\0" * 400_000
    assert len(big) > app.config["MAX_CONTENT_LENGTH"], "more than other forms may send"
    page = upload(admin, "../Ferien & <b>Meer</b>.webm", big).text
    assert "Added b&gt;.webm" in page, "names end at a slash"
    assert "b>.webm</a>" not in page
    assert (Path(app.instance_path) / "media" / "b>.webm").read_bytes() == big
    answer = admin.post("/admin/media/delete", {"name": "b>.webm"}, form="/admin/media/", follow_redirects=True)
    assert "File deleted." in answer.text
    assert not (Path(app.instance_path) / "media" / "b>.webm").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("film.webm", b"<script>alert(1)</script>", "Unsupported file type"),
        ("there.webm", CLOCK, "already"),
    ],
)
def test_an_upload_is_refused_plainly(folder: Path, admin: Visitor, name: str, content: bytes, words: str) -> None:
    media.save(folder, "there.webm", io.BytesIO(CLOCK), 10**6)
    page = upload(admin, name, content).text
    assert words in page
    assert "<img src=x" not in page
    assert sorted(path.name for path in folder.iterdir()) == [HOSTILE, "there.webm"]


def test_no_file_chosen_is_said(admin: Visitor) -> None:
    answer = admin.post("/admin/media/", form="/admin/media/")
    assert answer.status_code == 422
    assert "Choose a file first." in answer.text


def test_the_limit_holds(instance: Path) -> None:
    app = make(instance, WAMPFLASK_MEDIA_MAX=100_000)
    with in_memory(app):
        admin = Visitor(app).log_in()
        assert "The file has 223 kB; at most 100 kB are allowed" in upload(admin, "film.webm", CLOCK).text
        assert upload(admin, "film.webm", CLOCK + b"\0" * 2_000_000).status_code == 413
    assert not (Path(app.instance_path) / "media").exists()


def test_only_admins_add_and_delete(app: Flask, folder: Path, visitor: Visitor) -> None:
    for who in (visitor, Visitor(app).log_in(USER)):
        token = who.token()
        send(who, token, "film.webm", CLOCK)
        data = {"csrf_token": token, "name": HOSTILE}
        assert who.client.post("/admin/media/delete", data=data).status_code in (401, 403)
        assert send(who, token, "film.webm", CLOCK * 2).status_code == 413, "no more than any form"
    assert [path.name for path in folder.iterdir()] == [HOSTILE]


def test_a_form_without_its_token_does_nothing(folder: Path, admin: Visitor) -> None:
    assert admin.client.post("/admin/media/delete", data={"name": HOSTILE}).status_code == 400
    assert send(admin, "", "film.webm", CLOCK).status_code == 400
    assert admin.client.post("/player/live").status_code == 400
    assert [path.name for path in folder.iterdir()] == [HOSTILE]
