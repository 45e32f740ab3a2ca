"""Log-in, log-out, passwords; and that live sessions end with what they rest on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask_security import current_user

from tests.apps.visiting import ADMIN, USER, Visitor
from wampflask import Caller, CallFailed, NotAuthorized
from wampflask.apps.accounts import service
from wampflask.apps.accounts.models import User
from wampflask.apps.extensions import db, wamp
from wampflask.in_memory import MemoryRealm

NEW = "a brand new secret"


def account(app: Flask, who: tuple[str, str] = USER) -> str:
    with app.app_context():
        return service.user_with(db.session(), who[0]).authid


def change(app: Flask, action: Callable[[User], object], who: tuple[str, str] = USER) -> None:
    with app.app_context():
        action(service.user_with(db.session(), who[0]))
        db.session.commit()


def deactivate(user: User) -> None:
    service.set_active(db.session(), user, active=False)


def is_logged_in(visitor: Visitor) -> bool:
    return visitor.get("/change").status_code == 200


def ticket(visitor: Visitor) -> dict[str, str]:
    return dict(visitor.get("/wamp/ticket").json or {})


def test_log_in_and_out(app: Flask, realm: MemoryRealm) -> None:
    visitor = Visitor(app)
    before = ticket(visitor)
    assert before["role"] == "visitor"
    visitor.log_in(USER)
    assert ticket(visitor)["authid"] == account(app)
    assert ticket(visitor)["role"] == "user"
    assert visitor.post("/logout").status_code == 302
    assert not is_logged_in(visitor)
    assert realm.revoked == [account(app)]
    assert ticket(visitor)["authid"] == before["authid"], "the same visitor as before"


@pytest.mark.parametrize("remember", [False, True])
def test_a_copied_cookie_is_worthless_after_the_log_out(app: Flask, realm: MemoryRealm, remember: bool) -> None:
    visitor = Visitor(app)
    visitor.post("/login", {"email": ADMIN[0], "password": ADMIN[1], **({"remember": "y"} if remember else {})})
    taken = [cookie for cookie in visitor.cookies() if not remember or cookie.key == "wampflask_remember"]
    thief = Visitor(app)
    for cookie in taken:
        thief.client.set_cookie(cookie.key, cookie.value)
    assert thief.get("/dashboard/").status_code == 200, "the cookies alone let in"
    other_device = Visitor(app).log_in(ADMIN)
    assert visitor.post("/logout").status_code == 302
    assert realm.revoked == [account(app, ADMIN)]
    for cookie in taken:
        thief.client.set_cookie(cookie.key, cookie.value)
    assert ticket(thief)["role"] == "visitor"
    for someone in (thief, other_device):
        assert someone.get("/dashboard/").status_code == 302
        assert someone.get("/admin/").status_code == 302
        assert not is_logged_in(someone)
    assert is_logged_in(Visitor(app).log_in(ADMIN))


def test_a_browser_is_remembered_for_a_month(app: Flask, visitor: Visitor) -> None:
    visitor.post("/login", {"email": USER[0], "password": USER[1], "remember": "y"})
    (cookie,) = (cookie for cookie in visitor.cookies() if cookie.key == "wampflask_remember")
    assert cookie.expires is not None
    assert 29 <= (cookie.expires - datetime.now(UTC)).days <= 30


def test_an_admins_ticket(app: Flask, admin: Visitor) -> None:
    assert (ticket(admin)["role"], ticket(admin)["authid"]) == ("admin", account(app, ADMIN))


def test_log_out_needs_its_token(visitor: Visitor) -> None:
    visitor.log_in(USER)
    assert visitor.client.post("/logout").status_code == 400
    assert is_logged_in(visitor)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (USER[0], "wrong"),
        (USER[0], ""),
        ("nobody@example.org", USER[1]),
        ("", ""),
        ("no address", USER[1]),
        ("x" * 100_000, "y" * 100_000),
        ("' OR 1=1 --@example.org", "x"),
    ],
)
def test_refusals_do_not_tell_who_has_an_account(app: Flask, visitor: Visitor, email: str, password: str) -> None:
    answer = visitor.post("/login", {"email": email, "password": password})
    assert answer.status_code == 200
    assert not is_logged_in(visitor)
    assert "does not exist" not in answer.text
    assert "Invalid password" not in answer.text


def test_nobody_can_register_or_ask_for_a_reset(visitor: Visitor) -> None:
    for path in ("/register", "/reset", "/confirm"):
        assert visitor.get(path).status_code == 404


def test_after_the_log_in_one_is_where_one_was_going_but_never_elsewhere(app: Flask, realm: MemoryRealm) -> None:
    form = {"email": ADMIN[0], "password": ADMIN[1]}
    assert Visitor(app).post("/login?next=/polls/new", form).location == "/polls/new"
    for evil in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        answer = Visitor(app).post("/login", {**form, "next": evil})
        parts = urlsplit(answer.location or "")
        assert (parts.scheme, parts.netloc) == ("", ""), evil
        assert not (answer.location or "").startswith(("//", "/\\")), evil


def test_a_changed_password_ends_all_other_log_ins_and_live_sessions(app: Flask, realm: MemoryRealm) -> None:
    here, elsewhere = Visitor(app).log_in(USER), Visitor(app).log_in(USER)
    form = {"password": USER[1], "new_password": NEW, "new_password_confirm": NEW}
    answer = here.post("/change", form)
    assert answer.status_code == 302
    assert is_logged_in(here)
    assert not is_logged_in(elsewhere)
    assert realm.revoked == [account(app)]
    Visitor(app).log_in((USER[0], NEW))


@pytest.mark.parametrize("new", ["short", "", USER[1]])
def test_a_new_password_must_be_one(app: Flask, realm: MemoryRealm, new: str) -> None:
    visitor = Visitor(app).log_in(USER)
    answer = visitor.post("/change", {"password": USER[1], "new_password": new, "new_password_confirm": new})
    assert answer.status_code == 200
    assert realm.revoked == []
    Visitor(app).log_in(USER)


def test_deactivation_ends_everything(app: Flask, realm: MemoryRealm) -> None:
    visitor = Visitor(app).log_in(USER)
    change(app, deactivate)
    assert realm.revoked == [account(app)]
    assert not is_logged_in(visitor)
    assert ticket(visitor)["role"] == "visitor"
    assert visitor.post("/login", {"email": USER[0], "password": USER[1]}).status_code == 200
    assert not is_logged_in(visitor)


def test_other_losses_of_trust_end_live_sessions(app: Flask, realm: MemoryRealm) -> None:
    who = account(app)
    change(app, lambda user: service.add_role(db.session(), user, "admin"))
    change(app, lambda user: service.remove_role(db.session(), user, "admin"))
    assert realm.revoked == [who, who]
    change(app, lambda user: setattr(user, "email", "renamed@example.org"))
    assert realm.revoked == [who, who], "a new address takes no trust away"
    change(app, db.session.delete, ("renamed@example.org", ""))
    assert realm.revoked == [who, who, who]


def test_nothing_is_revoked_by_what_is_rolled_back(app: Flask, realm: MemoryRealm) -> None:
    with app.app_context():
        deactivate(service.user_with(db.session(), USER[0]))
        db.session.flush()
        db.session.rollback()
        db.session.commit()
    assert realm.revoked == []


def test_log_out_works_while_the_router_is_away_and_the_tickets_are_refused(app: Flask, realm: MemoryRealm) -> None:
    visitor = Visitor(app).log_in(USER)
    realm.disconnect()
    assert visitor.post("/logout").status_code == 302
    assert not is_logged_in(visitor)
    assert account(app) in (Path(app.instance_path) / "revoked").read_text(encoding="utf-8")


def test_log_out_works_when_revoking_fails(
    app: Flask, realm: MemoryRealm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_authid: str) -> None:
        raise OSError("No space left on device")

    visitor = Visitor(app).log_in(USER)
    monkeypatch.setattr(wamp, "revoke", fail)
    assert visitor.post("/logout").status_code == 302
    assert not is_logged_in(visitor)
    assert "were not ended" in caplog.text


def test_tickets_are_for_our_own_pages(visitor: Visitor) -> None:
    assert visitor.get("/wamp/ticket", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert visitor.get("/wamp/ticket", headers={"Origin": "https://evil.example"}).status_code == 403


def test_current_user_in_a_handler_is_the_caller(app: Flask, realm: MemoryRealm) -> None:
    @wamp.register("accounts.test.whoami")
    def whoami() -> str | None:
        return current_user.email if current_user.is_authenticated else None

    @wamp.register("accounts.test.members", login_required=True)
    def members() -> str:
        return str(current_user.email)

    def ask(procedure: str, authid: str, role: str) -> object:
        return realm.invoke(f"accounts.test.{procedure}", caller=Caller(5, authid, role))

    user, admin = account(app), account(app, ADMIN)
    assert ask("whoami", user, "user") == USER[0]
    assert ask("whoami", admin, "admin") == ADMIN[0]
    assert ask("members", user, "user") == USER[0]
    assert ask("whoami", "visitor:abc", "visitor") is None
    for odd in ("user:", "user:x", "user:-1", "user:99999", f"xuser:{user}", ""):
        assert ask("whoami", odd, "visitor") is None, odd
    with pytest.raises(NotAuthorized):
        ask("members", "visitor:abc", "visitor")
    change(app, deactivate)
    assert ask("whoami", user, "user") is None, "a ticket outlives its user"
    with pytest.raises(CallFailed):
        ask("members", user, "user")
