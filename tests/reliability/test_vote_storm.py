"""The whole site under a storm of votes while parts of it are killed: every count agrees exactly afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from sqlalchemy import Connection, create_engine, text

from rig.live_site import LiveSite, live_site_in
from rig.swarm import Swarm
from rig.voters import Voters
from wampflask.apps.polls.contract import update_topic
from wampflask.router.wire import wait_until

VOTERS = 2000
POSTERS = 16
QUESTION = 1
WORKERS = 3  # two at a time, and the one that took the killed one's place
INTERVAL = 0.1


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LiveSite]:
    with live_site_in(tmp_path) as running:
        yield running


def test_counts_agree_after_a_storm_in_which_the_router_and_a_worker_are_killed(site: LiveSite) -> None:
    page = f"{site.url}/polls/{QUESTION}/"
    choices = [choice["id"] for choice in snapshot(site)["choices"]]
    with Voters(page, choices, VOTERS, at_once=POSTERS) as voters:
        voters.begin()
        wait_for_votes(site, VOTERS // 5)
        site.node.kill9()
        wait_for_votes(site, 2 * VOTERS // 5)
        site.node.start()
        wait_for_votes(site, 3 * VOTERS // 5)
        os.kill(a_worker_of(site), signal.SIGKILL)
        _, answered = voters.finish()
    assert len(answered) == VOTERS, "not every voter was told that the vote is counted"
    assert in_database(site) == {"votes": VOTERS, "voters": VOTERS, "sum": VOTERS}
    assert snapshot(site)["total_votes"] == VOTERS


def test_a_page_that_was_open_all_the_time_shows_the_last_count(site: LiveSite) -> None:
    ticket = site.node.tickets().mint("visitor", "visitor:page")
    topic = update_topic(QUESTION)
    choices = [choice["id"] for choice in snapshot(site)["choices"]]
    with (
        Swarm(site.node.ws_url, site.node.realm, ticket, topic, 1, keep=True) as pages,
        Voters(f"{site.url}/polls/{QUESTION}/", choices, 300, at_once=POSTERS) as voters,
    ):
        voters.begin()
        wait_for_votes(site, 100)
        os.kill(a_worker_of(site), signal.SIGKILL)
        _, answered = voters.finish()
        shown: list[Any] = []

        def totals() -> list[int]:
            shown.extend(pages.take(None)["first"])
            return [event[0][0]["total_votes"] for _, event in shown]

        assert wait_until(lambda: max(totals(), default=0) == 300, 60), "the page that was open misses votes"
    events = [event[0][0] for _, event in shown]
    assert len(answered) == 300
    newest = max(events, key=lambda event: event["version"])
    assert newest["total_votes"] == 300 == snapshot(site)["total_votes"]
    seconds = shown[-1][0] - shown[0][0]
    assert len(events) <= WORKERS * (seconds / INTERVAL + 2), "more than an event each 0.1 s and worker"


def snapshot(site: LiveSite) -> dict[str, Any]:
    with urlopen(f"{site.url}/polls/{QUESTION}/snapshot.json", timeout=20) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def wait_for_votes(site: LiveSite, votes: int) -> None:
    assert wait_until(lambda: in_database(site)["votes"] >= votes, 60), f"{in_database(site)} after 60 s"


def in_database(site: LiveSite) -> dict[str, int]:
    """Read beside the site: rows, the question's counter, and the sum of the choices' counters."""
    engine = create_engine(site.database)
    with engine.connect() as database:
        found = {
            "votes": one(database, "SELECT count(*) FROM vote WHERE question_id = :id"),
            "voters": one(database, "SELECT voters FROM question WHERE id = :id"),
            "sum": one(database, "SELECT sum(votes) FROM choice WHERE question_id = :id"),
        }
    engine.dispose()
    return found


def one(database: Connection, query: str) -> int:
    return int(database.scalar(text(query), {"id": QUESTION}) or 0)


def a_worker_of(site: LiveSite) -> int:
    assert site._web is not None
    children = subprocess.run(["pgrep", "-P", str(site._web.pid)], capture_output=True, text=True, check=True)
    return int(children.stdout.split()[0])
