"""A worker whose router lets everything through: whatever others send, its session stays."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from flask import Flask

from tests.core.double import INTERRUPT, Double
from tests.core.processes.programs import connected, eventually, make_app
from wampflask import WAMP, CallFailed, CallOptions, InvalidPayload, WampError, caller
from wampflask.errors import from_wire
from wampflask.options import CallResult
from wampflask.router import wire

Heard = list[object]

DEEP = b"[" * 900 + b"]" * 900
NAMES = ("self", "fun", "msg", "args", "kwargs", "error", "uri", "callee", "details", "options", "_wampflask_details")
BAD = [DEEP, b"[" * 20_000 + b"]" * 20_000, b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b'"\\u0000x"', b"9" * 400]
BAD_IDS = ["deep", "too deep to be read", "nan", "infinity", "1e999", "surrogate", "binary", "integer"]


class Site:
    """An app that has joined the double."""

    def __init__(self, double: Double, app: Flask, wamp: WAMP) -> None:
        self.double = double
        self.app = app
        self.wamp = wamp
        self.heard: Heard = []
        self.go_on = threading.Event()
        self.session = wamp.status.session
        wamp.register("site.echo")(lambda *args, **kwargs: [args, kwargs])
        wamp.register("site.declared")(lambda value, *, fun=0: [value, fun])
        wamp.register("site.caller")(lambda: caller.uri)
        wamp.register("site.waits")(lambda: self.go_on.wait(10))
        wamp.subscribe("site.event")(lambda *args, **kwargs: self.heard.append([args, kwargs]))
        wamp.subscribe("site.event.strict")(self.heard.append)
        eventually(lambda: wamp.status.ready, "every declaration is confirmed")

    def invocation(self, payload: bytes, request: int = 10**9, uri: str = "site.echo") -> bytes:
        return b"[68,%d,%d,{},%s]" % (request, self.double.registrations[uri], payload)

    def event(self, payload: bytes, uri: str = "site.event") -> bytes:
        return b"[36,%d,5,{},%s]" % (self.double.subscriptions[uri], payload)

    def assert_well(self) -> None:
        """An honest caller is answered, in the session of the beginning."""
        assert self.double.invoke("site.echo", "honest") == [wire.YIELD, anything, {}, [[["honest"], {}]]]
        assert self.wamp.status.session == self.session
        assert self.double.joined == 1


class _Anything:
    def __eq__(self, other: object) -> bool:
        return True


anything = _Anything()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    wamp = WAMP()
    with Double() as double:
        keys: dict[str, Any] = {"WAMP_URL": double.url, "WAMP_TICKET_SECRET": "a secret of enough length"}
        app = make_app(keys, tmp_path_factory.mktemp("site"), wamp)
        with connected(app, wamp):
            yield Site(double, app, wamp)


@pytest.fixture(autouse=True)
def watched(site: Site) -> Iterator[None]:
    site.heard.clear()
    yield
    site.assert_well()


def calling(site: Site) -> tuple[Future[Any], int]:
    """A call of ours in flight, and its number."""
    outcome: Future[Any] = Future()

    def call() -> None:
        try:
            with site.app.app_context():
                outcome.set_result(site.wamp.call("others.procedure", options=CallOptions(timeout=10)))
        except WampError as error:
            outcome.set_exception(error)

    threading.Thread(target=call).start()
    return outcome, site.double.hears(wire.CALL)[1]


# calls of ours


@pytest.mark.parametrize("name", NAMES)
def test_keyword_arguments_of_a_call_may_have_any_name(site: Site, name: str) -> None:
    site.double.send(site.invocation(b'[1],{"%s":2}' % name.encode()))

    assert site.double.hears(wire.YIELD, wire.ERROR) == [wire.YIELD, 10**9, {}, [[[1], {name: 2}]]]


def test_declared_keyword_arguments_arrive(site: Site) -> None:
    site.double.send(site.invocation(b'[1],{"fun":2}', uri="site.declared"))
    assert site.double.hears(wire.YIELD, wire.ERROR)[3] == [[1, 2]]

    site.double.send(site.invocation(b'[1],{"other":2}', uri="site.declared"))
    assert site.double.hears(wire.YIELD, wire.ERROR)[4] == "wamp.error.invalid_argument"

    assert site.double.invoke("site.caller")[3] == ["site.caller"]


@pytest.mark.parametrize("value", BAD, ids=BAD_IDS)
@pytest.mark.parametrize("form", [b"[%s]", b'[],{"value":%s}'], ids=["args", "kwargs"])
def test_a_call_that_is_no_strict_json_is_answered_with_an_error(site: Site, value: bytes, form: bytes) -> None:
    site.double.send(site.invocation(form % value))

    assert site.double.hears(wire.YIELD, wire.ERROR)[:5] == [8, 68, 10**9, {}, "wamp.error.invalid_payload"]


@pytest.mark.parametrize("rest", [b'[],"no dict"', b"17", b"[],{},3,4"])
def test_a_call_that_breaks_wamps_rules_is_answered_with_an_error(site: Site, rest: bytes) -> None:
    site.double.send(site.invocation(rest))

    assert site.double.hears(wire.YIELD, wire.ERROR)[:5] == [8, 68, 10**9, {}, "wamp.error.invalid_payload"]


def test_what_is_encrypted_is_refused(site: Site) -> None:
    """Nobody here can read it; autobahn's own reader fails at an assertion."""
    encrypted = {"enc_algo": "cryptobox", "enc_serializer": "json"}
    site.double.send([wire.INVOCATION, 10**9, site.double.registrations["site.echo"], encrypted, "text"])
    assert site.double.hears(wire.YIELD, wire.ERROR)[:5] == [8, 68, 10**9, {}, "wamp.error.invalid_payload"]

    site.double.send([wire.EVENT, site.double.subscriptions["site.event"], 5, encrypted, "text"])
    outcome, request = calling(site)
    site.double.send([wire.RESULT, request, encrypted, "text"])
    with pytest.raises(InvalidPayload):
        outcome.result(10)


def test_a_call_of_what_was_taken_back(site: Site) -> None:
    site.double.send([wire.INVOCATION, 10**9, 123456, {}])

    assert site.double.hears(wire.YIELD, wire.ERROR)[:5] == [8, 68, 10**9, {}, "wamp.error.no_such_procedure"]


def test_an_interrupted_call_is_answered_once(site: Site) -> None:
    site.go_on.clear()
    site.double.send(site.invocation(b"[]", uri="site.waits"))
    site.double.send([INTERRUPT, 10**9, {}])
    assert site.double.hears(wire.YIELD, wire.ERROR)[:5] == [8, 68, 10**9, {}, "wamp.error.canceled"]

    site.double.send([INTERRUPT, 10**9, {}])
    site.go_on.set()
    assert site.double.invoke("site.echo")[0] == wire.YIELD


# events for us


@pytest.mark.parametrize("name", NAMES)
def test_keyword_arguments_of_an_event_may_have_any_name(site: Site, name: str) -> None:
    site.double.send(site.event(b'[1],{"%s":2}' % name.encode()))

    eventually(lambda: site.heard == [[(1,), {name: 2}]], lambda: f"heard {site.heard}")


@pytest.mark.parametrize("value", BAD, ids=BAD_IDS)
def test_an_event_that_is_no_strict_json_is_left_out(site: Site, value: bytes) -> None:
    site.double.send(site.event(b"[%s]" % value))
    site.double.send(site.event(b'["next"]'))

    eventually(lambda: site.heard == [[("next",), {}]], lambda: f"heard {site.heard}")


def test_an_event_that_its_handler_cannot_take(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The publisher's mistake: a line in the log, no traceback."""
    site.double.send(site.event(b"[1,2,3]", "site.event.strict"))
    site.double.send(site.event(b"[1]", "site.event.strict"))

    def said() -> list[object]:
        return [record.exc_info for record in caplog.records if "site.event.strict" in record.getMessage()]

    eventually(lambda: site.heard == [1] and said() == [None], lambda: f"heard {site.heard}, said {caplog.text}")


def test_an_event_of_what_is_subscribed_to_no_more(site: Site) -> None:
    site.double.send([wire.EVENT, 123456, 5, {}, [1]])


# answers to our calls


@pytest.mark.parametrize("name", NAMES)
def test_keyword_arguments_of_a_result_may_have_any_name(site: Site, name: str) -> None:
    outcome, request = calling(site)
    site.double.send([wire.RESULT, request, {}, [1], {name: 2}])

    assert outcome.result(10) == CallResult([1], {name: 2})


@pytest.mark.parametrize("name", NAMES)
def test_keyword_arguments_of_an_error_may_have_any_name(site: Site, name: str) -> None:
    outcome, request = calling(site)
    site.double.send([wire.ERROR, wire.CALL, request, {}, "others.error.own", [1], {name: 2}])

    with pytest.raises(CallFailed) as raised:
        outcome.result(10)
    assert (raised.value.uri, raised.value.args, raised.value.kwargs) == ("others.error.own", (1,), {name: 2})


@pytest.mark.parametrize("value", BAD, ids=BAD_IDS)
@pytest.mark.parametrize("form", [b"[50,%d,{},[%s]]", b'[8,48,%d,{},"others.error.own",[%s]]'], ids=["result", "error"])
def test_an_answer_that_is_no_strict_json_fails_the_call_at_once(site: Site, form: bytes, value: bytes) -> None:
    outcome, request = calling(site)
    site.double.send(form % (request, value))

    with pytest.raises(InvalidPayload):
        outcome.result(10)


def test_a_progressive_result_that_nobody_asked_for(site: Site) -> None:
    """The call goes on, and gets the result that follows."""
    outcome, request = calling(site)
    site.double.send([wire.RESULT, request, {"progress": True}, ["not yet"]])
    site.double.send([wire.RESULT, request, {}, ["at last"]])

    assert outcome.result(10) == "at last"


@pytest.mark.parametrize(
    "message",
    [
        [wire.RESULT, 10**9, {}, [1]],
        [wire.RESULT, 10**9, {"progress": True}, [1]],
        [wire.ERROR, wire.CALL, 10**9, {}, "others.error.own"],
        [wire.ERROR, wire.PUBLISH, 10**9, {}, "others.error.own"],
        [wire.ERROR, wire.INVOCATION, 10**9, {}, "others.error.own"],
    ],
)
def test_answers_that_nobody_waits_for(site: Site, message: list[Any]) -> None:
    site.double.send(message)


@pytest.mark.parametrize("name", NAMES)
def test_errors_take_any_keyword_argument(name: str) -> None:
    error = from_wire("others.error.own", [1], {name: 2})

    assert isinstance(error, CallFailed)
    assert error.kwargs == {name: 2}


def test_what_the_double_sends_is_what_is_meant() -> None:
    """The bad values are JSON to Python's own reader, or deeper than it goes: none is refused for another reason."""
    for name, value in zip(BAD_IDS, BAD, strict=True):
        if name != "too deep to be read":
            json.loads(value)
