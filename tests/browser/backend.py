"""A backend for the browser client to talk to, without Flask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from wampflask.router.wire import (
    ERROR,
    INVOCATION,
    PUBLISH,
    REGISTER,
    YIELD,
    WireError,
)
from wampflask.testing import RouterNode


class Backend:
    """A backend session that answers calls in a thread of its own, and publishes from the test's.

    :param procedures: by URI; a tuple is several results, an exception becomes an error answer.
    """

    def __init__(self, node: RouterNode, procedures: dict[str, Callable[..., Any]]) -> None:
        self._publisher = node.backend()
        self._callee = node.backend()
        answers = {self._callee.ask(REGISTER, uri)[2]: function for uri, function in procedures.items()}
        self._thread = threading.Thread(target=self._serve, args=(answers,), name="backend")
        self._thread.start()

    def publish(self, topic: str, *payload: Any) -> None:
        """Publish and wait until the router has taken it."""
        self._publisher.ask(PUBLISH, topic, list(payload), options={"acknowledge": True})

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure of the router, such as one of the meta API."""
        answer = self._publisher.ask(48, procedure, list(args), kwargs)
        assert answer[0] != ERROR, answer
        return answer[3][0] if len(answer) > 3 and answer[3] else None

    def close(self) -> None:
        self._publisher.close()
        with suppress(OSError):
            self._callee._socket.shutdown(2)
        self._thread.join()
        self._callee.close()

    def _serve(self, answers: dict[int, Callable[..., Any]]) -> None:
        with suppress(WireError, OSError):
            while True:
                kind, request, registration, *rest = self._callee.receive(timeout=3600)
                if kind != INVOCATION:
                    continue
                try:
                    args = rest[1] if len(rest) > 1 else []
                    result = answers[registration](*args)
                    self._callee.send([YIELD, request, {}, list(result) if isinstance(result, tuple) else [result]])
                except LookupError as error:
                    self._callee.send([ERROR, INVOCATION, request, {}, "demo.error", [str(error)]])
