"""Router, plugin and worker under messages by chance: nobody but their sender notices.

``FUZZ_SECONDS`` is how long, ``FUZZ_SEED`` repeats the messages of a run that failed.
"""

from __future__ import annotations

import logging
import os
import secrets
import select
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from flask import Flask

from tests.core.processes.programs import at_most, configuration, connected, make_app
from tests.reliability.fuzzing import Fuzzer
from wampflask import WAMP, CallOptions, Permission, WampError
from wampflask.router import wire
from wampflask.router.wire import Wire, WireError
from wampflask.testing import RouterNode

SECONDS = float(os.environ.get("FUZZ_SECONDS") or (60 if os.environ.get("CI") else 20))
SEED = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(2**32))
AT_ONCE = 20
HONEST = "fuzz.honest"
REMOTE = "fuzz.remote.p1.play"
PEOPLE = ("visitor",)
PERMISSIONS = (
    Permission("fuzz.honest", call=PEOPLE),
    Permission("fuzz.echo", call=PEOPLE),
    Permission("fuzz.event", publish=PEOPLE, subscribe=PEOPLE, disclose=True),
    Permission("fuzz.remote.<page>.play", register=PEOPLE, call=PEOPLE),
)
URIS = ("fuzz.echo", "fuzz.echo", "fuzz.event", "fuzz.event", REMOTE, "fuzz.remote.p2.play", "fuzz.none")

Sent = deque[bytes]


@pytest.fixture
def node() -> Iterator[RouterNode]:
    with RouterNode(PERMISSIONS, rate=0) as running:
        yield running


@pytest.fixture
def wamp() -> WAMP:
    wamp = WAMP()
    wamp.register(HONEST)(lambda value: value)
    wamp.register("fuzz.echo")(lambda *args, **kwargs: [args, kwargs])
    wamp.subscribe("fuzz.event")(lambda *_args, **_kwargs: None)
    return wamp


class Calling(threading.Thread):
    """The worker's own calls of what a fuzzing page provides: every outcome is a result or one of our errors."""

    def __init__(self, app: Flask, wamp: WAMP) -> None:
        super().__init__(name="calling")
        self._app = app
        self._wamp = wamp
        self._stopping = threading.Event()
        self.results = 0
        self.wrong: list[BaseException] = []

    def run(self) -> None:
        with self._app.app_context():
            while not self._stopping.wait(0.005):
                try:
                    self._wamp.call(REMOTE, 1, options=CallOptions(timeout=0.2))
                    self.results += 1
                except WampError:
                    pass
                except BaseException as error:  # whatever it is, it is wrong
                    self.wrong.append(error)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()


class Page:
    """A visitor's session that sends what the fuzzer says, and comes again when it was sent away.

    :param speaks: whether it begins, or only answers who calls it.
    """

    def __init__(self, node: RouterNode, seed: int, *, speaks: bool) -> None:
        self._node = node
        self._fuzzer = Fuzzer(seed, URIS)
        self._speaks = speaks
        self._wire: Wire | None = None
        self.sent: Sent = deque(maxlen=100)
        self.count = 0

    def go_on(self) -> None:
        """Some messages, and the answers to what came in."""
        try:
            self._wire = self._wire or self._join()
            if self._speaks:
                self._send(self._wire, [self._fuzzer.message() for _ in range(AT_ONCE)])
            self._read(self._wire)
        except (WireError, TimeoutError):
            self.close()

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = None

    def _join(self) -> Wire:
        session = self._node.session("visitor", "visitor:fuzz")
        if not self._speaks:
            session.send([wire.REGISTER, 1, {}, REMOTE])
        return session

    def _send(self, session: Wire, messages: list[bytes]) -> None:
        self.sent.extend(messages)
        self.count += len(messages)
        session.send_raw(*messages)

    def _read(self, session: Wire) -> None:
        while session._buffer or select.select([session._socket], [], [], 0)[0]:
            message = session.receive()
            self._fuzzer.ids = [*self._fuzzer.ids[-20:], *(part for part in message[1:3] if isinstance(part, int))]
            if message[0] == wire.INVOCATION:
                self._send(session, [self._fuzzer.answer(message[1])])


@pytest.mark.timeout(SECONDS + 150)
def test_only_who_sends_nonsense_notices(
    node: RouterNode, wamp: WAMP, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    app = make_app(configuration(node), tmp_path, wamp)
    speaker, answerer = Page(node, SEED, speaks=True), Page(node, SEED + 1, speaks=False)
    honest_calls = 0
    with (
        connected(app, wamp) as client,
        node.session("visitor", "visitor:honest") as honest,
        Calling(app, wamp) as ours,
    ):
        try:
            session = wamp.status.session
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                speaker.go_on()
                answerer.go_on()
                honest_calls += 1
                began = time.monotonic()
                assert honest.call(HONEST, honest_calls) == honest_calls
                assert time.monotonic() - began < at_most(10)
            assert (wamp.status.session, client.counters["lost"]) == (session, 0)
            assert ours.wrong == []
            assert ours.results > 0
            assert speaker.count > 10 * SECONDS
            assert "could not be handled" not in caplog.text
            assert node.log().partition("INTERNAL ERROR")[2][:3000] == ""
        except BaseException as error:
            error.add_note(f"FUZZ_SEED={SEED}, {honest_calls} honest calls; the last of {speaker.count} messages:")
            error.add_note("\n".join(repr(message[:120]) for page in (speaker, answerer) for message in page.sent))
            raise
        finally:
            speaker.close()
            answerer.close()
