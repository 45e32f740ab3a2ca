"""The port of the load averages: in the page, and again as often as they change."""

import os


def test_the_page_shows_them_in_a_fragment(app, monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.25, 4))
    page = app.test_client().get("/").text
    assert '<live-fragment name="load"' in page
    assert "<td>0.50</td><td>0.25</td><td>4.00</td>" in page
