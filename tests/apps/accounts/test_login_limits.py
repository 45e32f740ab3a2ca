"""Wrong passwords are limited, however they are sent; and nobody can lock another's account."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps.conftest import make
from tests.apps.visiting import ADMIN, USER, Visitor
from wampflask.apps.accounts.login_limits import BEHIND_ONE_ADDRESS
from wampflask.apps.counts import SharedCounts
from wampflask.in_memory import in_memory

pytestmark = pytest.mark.slow

LIMIT = 2
NEW = "a brand new secret"
HOME, ELSEWHERE = "203.0.113.5", "203.0.113.6"


@pytest.fixture
def app(instance: Path) -> Iterator[Flask]:
    """The site with few attempts."""
    app = make(instance, WAMPFLASK_LOGIN_ATTEMPTS=f"{LIMIT} per hour")
    with in_memory(app):
        yield app


class Guesser(Visitor):
    """Somebody who has a token, and sends guesses in every form there is."""

    def send(self, path: str, fields: dict[str, Any], how: str) -> TestResponse:
        headers = {"X-CSRFToken": self.token("/chat/")}
        if how == "json":
            return self.client.post(path, json=fields, headers=headers)
        if how == "form for json":
            headers["Accept"] = "application/json"
        return self.client.post(path, data=fields, headers=headers)

    def guess(self, password: str = "wrong", how: str = "form", email: str = USER[0]) -> int:
        return self.send("/login", {"email": email, "password": password}, how).status_code


WAYS = ("form", "json", "form for json")


@pytest.mark.parametrize("how", WAYS)
def test_guesses_are_limited_whatever_form_they_have(app: Flask, how: str) -> None:
    guesser = Guesser(app)
    first = [guesser.guess(how=how) for _ in range(LIMIT)]
    assert set(first) <= {200, 400}
    answer = guesser.send("/login", {"email": USER[0], "password": USER[1]}, how)
    assert answer.status_code == 429, "not even the right one is judged any more"
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert "Try again in 60 minutes" in answer.text
    assert {guesser.guess(USER[1], other) for other in WAYS} == {429}, "no way around it"
    assert guesser.get("/login").status_code == 200


@pytest.mark.parametrize("written", ["USER@Example.org", " user@example.org "])
def test_an_account_is_one_however_it_is_written(app: Flask, written: str) -> None:
    guesser = Guesser(app)
    for _ in range(LIMIT):
        guesser.guess()
    assert guesser.guess(how="json", email=written) == 429


def test_nobody_locks_an_account(app: Flask) -> None:
    guesser = Guesser(app, address=HOME)
    while guesser.guess() != 429:
        pass
    Visitor(app, address=ELSEWHERE).log_in(USER)
    Visitor(app, address=HOME).log_in(ADMIN)


def test_right_passwords_are_not_counted(app: Flask) -> None:
    guesser = Guesser(app)
    for _ in range(LIMIT + 1):
        assert guesser.guess() == 200
        Visitor(app).log_in(USER)


def test_an_address_is_limited_over_all_accounts(app: Flask) -> None:
    guesser = Guesser(app)
    codes = [guesser.guess(email=f"{number}@example.org") for number in range(LIMIT * BEHIND_ONE_ADDRESS + 1)]
    assert codes.index(429) == LIMIT * BEHIND_ONE_ADDRESS
    assert Guesser(app, address=ELSEWHERE).guess() == 200


def test_an_ipv6_customer_is_one_address(app: Flask) -> None:
    codes = [Guesser(app, address=f"2001:db8::{number}").guess() for number in range(LIMIT + 1)]
    assert codes == [200] * LIMIT + [429]
    assert Guesser(app, address="2001:db8:0:1::1").guess() == 200
    assert Guesser(app, address="::ffff:203.0.113.9").guess() == 200


@pytest.mark.parametrize("path", ["/change", "/verify"])
@pytest.mark.parametrize("how", WAYS)
def test_guessing_the_password_of_a_log_in_is_limited(app: Flask, path: str, how: str) -> None:
    guesser = Guesser(app)
    guesser.log_in(USER)
    form = {"password": "wrong", "new_password": NEW, "new_password_confirm": NEW}
    codes = [guesser.send(path, form, how).status_code for _ in range(LIMIT + 1)]
    assert 429 not in codes[:LIMIT]
    assert codes[LIMIT] == 429


def test_pages_for_those_logged_in_take_no_guess_back(app: Flask) -> None:
    guesser = Guesser(app)
    for _ in range(LIMIT):
        guesser.guess()
        for path in ("/change", "/verify"):
            assert guesser.send(path, {"email": USER[0]}, "form").status_code in (302, 429)
    assert guesser.guess() == 429


def test_a_stolen_log_in_takes_no_guess_back(app: Flask) -> None:
    guesser = Guesser(app)
    guesser.log_in(USER)
    codes = []
    for _ in range(LIMIT + 1):
        codes.append(guesser.send("/verify", {"password": "wrong"}, "form").status_code)
        guesser.send("/login", {"email": USER[0], "password": "wrong"}, "form")
    assert 429 in codes


@pytest.mark.parametrize(
    "body", ["5", "[]", '"x"', "null", "{", "[" * 100_000, '{"email": ["user@example.org"], "password": "x"}']
)
def test_json_that_is_no_form_is_refused(app: Flask, body: str) -> None:
    guesser = Guesser(app)
    headers = {"X-CSRFToken": guesser.token("/chat/"), "Content-Type": "application/json"}
    assert guesser.client.post("/login", data=body, headers=headers).status_code == 400


# -- where it is counted


def counts(folder: Path) -> SharedCounts:
    return SharedCounts(f"counts://{folder / 'limits.db'}")


def test_workers_count_together(tmp_path: Path) -> None:
    workers = [counts(tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=lambda one=one: [one.incr("key", 60) for _ in range(25)]) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {worker.get("key") for worker in workers} == {100}
    workers[0].clear("key")
    assert workers[1].get("key") == 0


def test_a_window_ends_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr("wampflask.apps.counts.time.time", lambda: clock[0])
    store = counts(tmp_path)
    assert [store.incr("key", 60) for _ in range(3)] == [1, 2, 3]
    assert store.get_expiry("key") == 1_000_060
    clock[0] += 60
    assert store.get("key") == 0
    assert store.incr("other", 60) == 1
    with sqlite3.connect(tmp_path / "limits.db") as connection:
        assert connection.execute("SELECT COUNT(*) FROM counts").fetchone() == (1,)
    connection.close()
    assert store.reset() == 1


def test_what_was_typed_is_not_kept(app: Flask, instance: Path) -> None:
    Guesser(app).guess(email="my secret password")
    assert b"secret" not in (instance / "limits.db").read_bytes()


def test_without_the_file_each_process_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "limits.db").mkdir()
    store = counts(tmp_path)
    assert [store.incr("key", 3600) for _ in range(3)] == [1, 2, 3]
    assert store.get("key") == 3
    assert store.get_expiry("key") > 3000
    assert not store.check()
    assert "each process for itself" in caplog.text
    store.clear("key")
    assert store.get("key") == 0
