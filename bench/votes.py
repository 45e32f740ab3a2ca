"""(e): votes a second through the real view and its commit, with 200 pages watching; and how old a page is."""

from __future__ import annotations

import json
import tempfile
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from rig.delivery import MissingDeliveryError
from rig.live_site import LiveSite, live_site_in
from rig.swarm import Swarm
from rig.voters import Voters
from wampflask.apps.polls.contract import update_topic

VOTERS = 1500
PAGES = 200


def measure() -> list[str]:
    """One run; the counts of database, page and answers must agree."""
    with tempfile.TemporaryDirectory(prefix="wampflask-") as folder, live_site_in(Path(folder)) as site:
        question, choices = _question(site)
        ticket = site.node.tickets().mint("visitor", "visitor:bench")
        topic = update_topic(question)
        with (
            Swarm(site.node.ws_url, site.node.realm, ticket, topic, PAGES, keep=True) as pages,
            Voters(f"{site.url}/polls/{question}/", choices, VOTERS) as voters,
        ):
            voters.begin()
            begin, answered = voters.finish()
            shown = _applied(pages.take(None)["first"])
        return _report(begin, answered, shown, _counted(site, question))


def _applied(events: list[tuple[float, Any]]) -> list[tuple[float, int]]:
    """When the page showed how many votes: of two workers' events it applies those with a newer version."""
    shown, version = [], 0
    for moment, ((state, *_), *_) in events:
        if state["version"] > version:
            version = state["version"]
            shown.append((moment, state["total_votes"]))
    return shown


def _report(begin: float, answered: list[float], shown: list[tuple[float, int]], counted: int) -> list[str]:
    if not len(answered) == counted == shown[-1][1] == VOTERS:
        raise MissingDeliveryError(f"{len(answered)} answers, {counted} in the database, {shown[-1][1]} on the page.")
    rate = len(answered) / (answered[-1] - begin)
    ages = sorted(_ages(answered, shown))
    worst, middle = ages[-1] * 1000, ages[len(ages) // 2] * 1000
    return [
        f"(e) votes through the view, committed, {PAGES} pages watching       {rate:>9,.0f}/s  in {len(shown)} events",
        f"(e) from a vote's answer to the page that shows it           {middle:>6.0f} ms median, {worst:.0f} ms worst",
    ]


def _ages(answered: list[float], shown: list[tuple[float, int]]) -> list[float]:
    """For the n-th answer, the seconds until the page showed n votes."""
    ages, place = [], 0
    for moment, number in zip(answered, count(1)):
        while shown[place][1] < number:
            place += 1
        ages.append(max(0.0, shown[place][0] - moment))
    return ages


def _question(site: LiveSite) -> tuple[int, list[int]]:
    question = 1
    choices = _snapshot(site, question)["choices"]
    return question, [choice["id"] for choice in choices]


def _counted(site: LiveSite, question: int) -> int:
    return int(_snapshot(site, question)["total_votes"])


def _snapshot(site: LiveSite, question: int) -> dict[str, Any]:
    with urlopen(f"{site.url}/polls/{question}/snapshot.json", timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found
