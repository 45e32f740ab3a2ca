"""The demos: what they do, and that what they show of themselves, and the documents quote, is what runs."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from flask import Flask

from tests.apps.visiting import Visitor
from wampflask import NoSuchProcedure
from wampflask.apps.demo.page import sources
from wampflask.in_memory import MemoryRealm

ROOT = Path(__file__).resolve().parents[3]
PAGES = {"uuid": "/demo/", "ping": "/ping/", "bam": "/bam/"}
FENCE = re.compile(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_a_uuid_is_32_digits_and_never_the_same(realm: MemoryRealm) -> None:
    found = {realm.invoke("demo.uuid") for _ in range(100)}
    assert len(found) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", uuid) for uuid in found)


def test_the_address_is_one_of_this_machines_that_others_reach(realm: MemoryRealm) -> None:
    address = realm.invoke("demo.ip")
    assert address is None or re.fullmatch(r"\d+\.\d+\.\d+\.\d+", address)
    assert address is None or not address.startswith("127.")


def test_there_is_no_other_procedure(realm: MemoryRealm) -> None:
    with pytest.raises(NoSuchProcedure):
        realm.invoke("demo.bam")


@pytest.mark.parametrize("path", PAGES.values())
def test_each_page_pings_once(realm: MemoryRealm, visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status_code == 200
    assert [event.topic for event in realm.published] == ["demo.ping", "demo.pong"]


def test_a_view_calls_the_function_that_pages_call(realm: MemoryRealm, visitor: Visitor) -> None:
    answer = visitor.get("/demo/plain")
    assert re.fullmatch("[0-9a-f]{32}", answer.text)
    assert answer.mimetype == "text/plain"


def test_python_hears_pings(realm: MemoryRealm) -> None:
    realm.deliver("demo.ping")
    assert [event.topic for event in realm.published][-1] == "demo.pong"


def test_other_pages_do_not_ping(realm: MemoryRealm, visitor: Visitor) -> None:
    visitor.get("/polls/")
    assert realm.published == []


@pytest.mark.parametrize("name", PAGES)
def test_a_demo_is_forty_lines_at_most(name: str) -> None:
    assert sum(len(source.text.splitlines()) for source in sources(name)) <= 40


@pytest.mark.parametrize(("name", "path"), PAGES.items())
def test_a_page_shows_its_own_files(app: Flask, visitor: Visitor, name: str, path: str) -> None:
    page = visitor.get(path).text
    shown = [unescape(text) for text in re.findall(r"<code>(.*?)</code>", page, re.DOTALL)]
    assert shown == [(ROOT / source.path).read_text(encoding="utf-8") for source in sources(name)]
    for source in sources(name):
        assert source.path in page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_the_html_that_it_shows(visitor: Visitor, name: str) -> None:
    assert sources(name)[1].text.strip() in visitor.get(PAGES[name]).text


def test_the_document_quotes_every_file_in_full() -> None:
    quoted = dict(FENCE.findall((ROOT / "docs" / "demos.md").read_text(encoding="utf-8")))
    assert quoted == {source.path: source.text for name in PAGES for source in sources(name)}
