"""Polls over a real router: what a visitor's page hears, may ask for, and may not; and what a log-out ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from flask import Flask

from rig.contracts import declared_by_the_site
from tests.apps.conftest import copy_instance, database_of, make
from tests.apps.visiting import USER, Visitor, ask
from wampflask.apps.extensions import db, wamp
from wampflask.apps.polls import contract
from wampflask.apps.polls.models import Visibility
from wampflask.router.wire import CALL, ERROR, EVENT, GOODBYE, PUBLISH, SUBSCRIBE, SUBSCRIBED, Refused, Wire, WireError
from wampflask.testing import RouterNode

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterNode]:
    """A router whose folder is the site's instance folder, as in a running site."""
    folder = tmp_path_factory.mktemp("node") / "instance"
    copy_instance(prepared, folder)
    with RouterNode(declared_by_the_site(), folder=folder) as node:
        yield node


@pytest.fixture(scope="module")
def site(node: RouterNode) -> Iterator[Flask]:
    """The site, connected."""
    app = make(node.folder, **node.config)
    with app.app_context():
        wamp.connect()
    yield app
    app.extensions["wamp"].stop()
    with app.app_context():
        db.engine.dispose()


class Page:
    """A page that somebody has open: it joins with the ticket that it fetches."""

    def __init__(self, node: RouterNode, visitor: Visitor) -> None:
        self.visitor = visitor
        self.ticket = dict(visitor.get("/wamp/ticket").json or {})
        assert self.ticket["url"] == f"ws://localhost:{node.port}/ws"
        self.wire = Wire(node.ws_url).join(self.ticket["realm"], self.ticket["ticket"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def subscribe(self, topic: str, **options: Any) -> bool:
        """Whether the router lets it."""
        return bool(self.wire.ask(SUBSCRIBE, topic, options=options)[0] == SUBSCRIBED)

    def event(self, timeout: float = 5.0) -> dict[str, Any]:
        """The next event's payload."""
        message = self.wire.receive(timeout)
        assert message[0] == EVENT, message
        return dict(message[4][0])

    def is_ended(self, within: float = 1) -> bool:
        """Whether the router ends the session, within so many seconds."""
        try:
            return bool(self.wire.receive(within)[0] == GOODBYE)
        except WireError:
            return True

    def hears_nothing(self) -> bool:
        try:
            self.wire.receive(0.5)
        except TimeoutError:
            return True
        return False


def test_a_vote_reaches_another_page(site: Flask, node: RouterNode) -> None:
    question, (red, *_) = ask(site)
    voter = Visitor(site)
    with Page(node, Visitor(site)) as watching:
        assert watching.subscribe(contract.update_topic(question))
        before = watching.wire.call(contract.RESULTS, question)
        assert voter.vote(question, red).status_code == 302
        while (heard := watching.event())["version"] <= before["version"]:
            pass  # the question itself may be told first
        assert heard["choices"][0] == {"id": red, "label": "Red", "votes": 1, "percent": 100}
        assert watching.wire.call(contract.RESULTS, question)["version"] == heard["version"]


def test_the_procedure_knows_who_asks(site: Flask, node: RouterNode) -> None:
    question, (red, *_) = ask(site, visibility=Visibility.AFTER_VOTE)
    voter, user = Visitor(site), Visitor(site).log_in(USER)
    voter.vote(question, red)
    user.vote(question, red)
    for visitor, role in ((voter, "visitor"), (user, "user")):
        with Page(node, visitor) as page:
            assert page.ticket["role"] == role
            answer = page.wire.call(contract.RESULTS, question)
            assert answer == visitor.snapshot(question)
            assert answer["voted"] == [red]
    with Page(node, Visitor(site)) as stranger:
        answer = stranger.wire.call(contract.RESULTS, question)
        assert (answer["hidden"], answer["voted"]) == (True, [])
        for wrong, uri in ((99999, "polls.error.not_found"), ("x", "polls.error.invalid")):
            with pytest.raises(Refused) as caught:
                stranger.wire.call(contract.RESULTS, wrong)
            assert caught.value.uri == uri


def test_hidden_counts_are_heard_by_voters_and_nobody_else(site: Flask, node: RouterNode) -> None:
    question, (red, green, _) = ask(site, visibility=Visibility.AFTER_VOTE)
    voter = Visitor(site)
    voter.vote(question, red)
    secret = voter.snapshot(question)["live"]
    with Page(node, voter) as allowed, Page(node, Visitor(site)) as stranger:
        assert allowed.subscribe(secret)
        prefix, _, key = secret.rpartition(".")
        assert not stranger.subscribe(f"{prefix}.", match="wildcard")
        assert not stranger.subscribe("polls.question.live..", match="wildcard")
        assert not stranger.subscribe(f"polls.question.live..{key}x", match="prefix")
        for pattern in (prefix, f"{prefix}.", f"{prefix}.{key[:-1]}", "polls", "polls.question.live"):
            assert not stranger.subscribe(pattern, match="prefix"), pattern
        assert stranger.subscribe(contract.live_topic(question, "0" * 32)), "guessing is possible, and hopeless"
        assert stranger.subscribe("polls.question.update.", match="wildcard"), "the list page hears of all"
        Visitor(site).vote(question, green)
        while (heard := allowed.event())["total_votes"] < 2:
            pass
        assert [choice["votes"] for choice in heard["choices"]] == [1, 1, 0]
        while (told := stranger.event())["question_id"] != question or told["total_votes"] < 2:
            pass
        assert told["hidden"] is True
        assert {choice["votes"] for choice in told["choices"]} == {None}


def test_pages_only_listen(site: Flask, node: RouterNode) -> None:
    question, _ = ask(site)
    with Page(node, Visitor(site)) as page:
        for topic in (contract.update_topic(question), contract.live_topic(question, "a" * 32)):
            answer = page.wire.ask(PUBLISH, topic, [{"forged": True}], options={"acknowledge": True})
            assert answer[0] == ERROR, topic
        assert page.wire.ask(CALL, "wamp.session.list", [])[0] == ERROR


def test_log_out_ends_the_live_session_and_its_tickets(site: Flask, node: RouterNode) -> None:
    user = Visitor(site).log_in(USER)
    with Page(node, user) as page, Page(node, Visitor(site)) as stranger:
        assert user.post("/logout").status_code == 302
        assert page.is_ended()
        with pytest.raises(Refused) as caught, Wire(node.ws_url) as again:
            again.join(page.ticket["realm"], page.ticket["ticket"])
        assert "revoked" in caught.value.uri
        assert stranger.hears_nothing()
    with Page(node, user.log_in(USER)) as back:
        assert back.ticket["role"] == "user"


def test_a_command_ends_live_sessions_and_moves_pages(site: Flask, node: RouterNode) -> None:
    def flask(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        ours = {"INSTANCE": str(node.folder), **database_of(node.folder)}
        return subprocess.Popen(command, env={**os.environ, **ours}, stdout=subprocess.DEVNULL)

    with Page(node, Visitor(site).log_in(USER)) as page, flask("users", "deactivate", USER[0]) as command:
        assert page.is_ended(within=60)  # the command's own start takes its time
        assert command.wait() == 0
    assert flask("users", "activate", USER[0]).wait() == 0
    with Page(node, Visitor(site)) as page:
        assert page.subscribe("polls.question.update.", match="wildcard")
        with flask("polls", "add-questions", "--count", "3", "--seed", "1") as command:
            assert len({page.event(60)["question_id"] for _ in range(3)}) == 3
            assert command.wait() == 0


def test_votes_count_while_the_router_is_away_and_pages_are_told_after(site: Flask, node: RouterNode) -> None:
    question, (red, *_) = ask(site)
    node.kill9()
    for _ in range(3):
        assert Visitor(site).vote(question, red).status_code == 302
    node.start()
    with site.app_context():
        wamp.connect(timeout=20)
    with Page(node, Visitor(site)) as page:
        assert page.wire.call(contract.RESULTS, question)["voters"] == 3
        assert page.subscribe(contract.update_topic(question))
        Visitor(site).vote(question, red)
        while (heard := page.event())["voters"] < 4:
            pass
        assert heard["choices"][0]["votes"] == 4
