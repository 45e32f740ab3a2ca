"""The tutorial's pages without a router."""

from pathlib import Path

import pytest

from wampflask import NotAuthorized


def test_a_page_and_a_view_call_python(app, wamp_memory):
    assert len(wamp_memory.page().call("demo.uuid")) == 32
    first, second = (app.test_client().get("/").text for _ in range(2))
    assert first != second


def test_a_view_pings_pages_and_python(app, wamp_memory):
    page = wamp_memory.page()
    page.subscribe("demo.ping")
    for _ in range(3):
        app.test_client().get("/ping")
    assert len(page.heard) == 3
    assert Path(app.root_path, "pings.txt").read_text() == "ping\n" * 3


def test_pages_talk_to_pages(wamp_memory):
    one, other = wamp_memory.page(), wamp_memory.page()
    other.subscribe("demo.bam")
    one.publish("demo.bam")
    assert [event.topic for event in other.heard] == ["demo.bam"]


def test_a_film_is_controlled_by_anyone_who_knows_its_number(wamp_memory):
    film, remote = wamp_memory.page(film="f1"), wamp_memory.page()
    film.register("film.f1.pause", lambda: {"playing": False})
    assert remote.call("film.f1.pause") == {"playing": False}
    remote.subscribe("film.f1.state")
    film.publish("film.f1.state", {"playing": False})
    assert len(remote.heard) == 1


def test_nobody_else_answers_for_a_film_or_listens_to_all(wamp_memory):
    other = wamp_memory.page(film="f2")
    with pytest.raises(NotAuthorized):
        other.register("film.f1.pause", lambda: None)
    with pytest.raises(NotAuthorized):
        other.publish("film.f1.state", {})
    with pytest.raises(NotAuthorized):
        other.subscribe("film..state")
