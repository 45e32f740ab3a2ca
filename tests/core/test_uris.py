"""Strict WAMP URIs."""

from __future__ import annotations

import pytest

from wampflask import InvalidURI, uris
from wampflask.uris import Match


@pytest.mark.parametrize("uri", ["a", "demo.ping", "polls.question.update.17", "a_b.c0", "x" * 255])
def test_strict_uris_pass(uri: str) -> None:
    assert uris.check(uri) == uri


@pytest.mark.parametrize(
    "uri", ["", ".", "a.", ".a", "a..b", "Demo.ping", "demo-ping", "a b", "ä", "a.b\n", "user:1", "x" * 256]
)
def test_others_are_refused_and_named(uri: str) -> None:
    with pytest.raises(InvalidURI, match="not a strict WAMP URI"):
        uris.check(uri)


@pytest.mark.parametrize(
    ("uri", "match"), [("demo.", "prefix"), ("demo.pi", "prefix"), ("a..b", "wildcard"), ("..", "wildcard")]
)
def test_patterns_may_have_open_components(uri: str, match: Match) -> None:
    assert uris.check(uri, match) == uri


@pytest.mark.parametrize("uri", ["wamp.session.count", "crossbar.x", "wampflask.lock.a", "wamp"])
def test_reserved_roots_are_refused_to_applications(uri: str) -> None:
    assert uris.check(uri) == uri
    with pytest.raises(InvalidURI, match="reserved"):
        uris.check_own(uri)


def test_an_unknown_match_policy_is_refused() -> None:
    with pytest.raises(InvalidURI, match="regex"):
        uris.check("a", "regex")  # type: ignore[arg-type]  # the mistake under test
