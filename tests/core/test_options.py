"""Options of the wrong kind are refused where they are written: none may widen an audience, or get lost."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from wampflask import WAMP, CallOptions, OptionAsPayload, PublishOptions
from wampflask._session import _publish_options
from wampflask.testing import MemoryRealm, in_memory


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def realm(wamp: WAMP, tmp_path: Path) -> Iterator[MemoryRealm]:
    app = Flask("options", instance_path=str(tmp_path))
    wamp.init_app(app)
    with in_memory(app) as realm, app.app_context():
        yield realm


@pytest.mark.parametrize("name", ["eligible_authid", "exclude_authid"])
@pytest.mark.parametrize("value", ["user:1", b"user:1", 7, {"user:1": True}, ["user:1", 2], [None], [""]])
def test_an_audience_that_is_no_list_of_authids_is_refused(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=name):
        PublishOptions(**{name: value})


def test_a_single_authid_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match=r"write \['user:1'\]"):
        PublishOptions(exclude_authid="user:1")


@pytest.mark.parametrize("kind", [PublishOptions, CallOptions])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("2", TypeError),
        (True, TypeError),
        ([1], TypeError),
        (0, ValueError),
        (-1, ValueError),
        (float("nan"), ValueError),
    ],
)
def test_a_time_that_is_none_is_refused(kind: type[Any], value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="seconds"):
        kind(timeout=value)


def test_exclude_me_is_true_or_false() -> None:
    with pytest.raises(TypeError, match="exclude_me"):
        PublishOptions(exclude_me="no")  # type: ignore[arg-type]  # the mistake under test


def test_an_audience_does_not_change_after_it_was_given() -> None:
    members = ["user:1"]
    options = PublishOptions(eligible_authid=members)
    members.append("user:2")
    assert options.receivers == ["user:1"]
    assert PublishOptions(eligible_authid=(f"user:{n}" for n in (1, 2))).receivers == ["user:1", "user:2"]


def test_an_empty_audience_is_nobody() -> None:
    """Crossbar takes an empty list for no list: everybody would get the event."""
    assert PublishOptions(eligible_authid=[]).receivers == ["-"]
    assert _publish_options(PublishOptions(eligible_authid=[]), True).message_attr()["eligible_authid"] == ["-"]
    assert PublishOptions().receivers is None


@pytest.mark.parametrize("options", [{"timeout": 1}, None, 3, CallOptions(timeout=1)])
def test_options_of_another_type_are_refused(wamp: WAMP, realm: MemoryRealm, options: Any) -> None:
    for send in (wamp.publish, wamp.publish_later, wamp.publish_latest):
        with pytest.raises(TypeError, match=r"write options=PublishOptions\("):
            send("demo.a", options=options)
    assert realm.published == []
    if not isinstance(options, CallOptions):
        with pytest.raises(TypeError, match=r"write options=CallOptions\("):
            wamp.call("demo.a", options=options)


def test_a_dict_of_options_is_refused_with_its_own_words(wamp: WAMP, realm: MemoryRealm) -> None:
    with pytest.raises(TypeError, match=r"is a dict: write options=CallOptions\(timeout=…\)"):
        wamp.call("demo.a", options={"timeout": 1})  # type: ignore[arg-type]  # the mistake under test


def test_keywords_that_read_like_options_are_warned_of_where_they_stand(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.register("demo.take")(lambda **kwargs: kwargs)
    with pytest.warns(OptionAsPayload, match=r"CallOptions\(timeout=…\)") as told:
        assert wamp.call("demo.take", timeout=1) == {"timeout": 1}
    assert told[0].filename == __file__
    for name in ("exclude_me", "acknowledge", "eligible"):
        given: Any = {name: True}
        for send in (wamp.publish, wamp.publish_later, wamp.publish_latest):
            with pytest.warns(OptionAsPayload, match=f"{name}.*PublishOptions") as told:
                send("demo.a", **given)
            assert told[0].filename == __file__


def test_the_warning_comes_once_a_place(wamp: WAMP, realm: MemoryRealm) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            wamp.publish("demo.a", timeout=1)
    assert len(told) == 1
