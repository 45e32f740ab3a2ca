"""A router that says what a test wants: one worker, raw messages, none of the checks of the real one."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import struct
import tempfile
import threading
from itertools import count
from pathlib import Path
from typing import Any, Self

from wampflask.router import wire

SESSION = 4711
INTERRUPT = 69

Message = list[Any]


class Double:
    """Lets a worker join at :attr:`url`, confirms what it declares, and then sends what it is told.

    :attr:`registrations` and :attr:`subscriptions` have the numbers by URI, :attr:`joined` how often a worker came.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wampflask-")
        path = Path(self._folder.name) / "double.sock"
        self.url = f"unix:{path}"
        self.registrations: dict[str, int] = {}
        self.subscriptions: dict[str, int] = {}
        self.joined = 0
        self._numbers = count(1)
        self._heard: queue.Queue[Message] = queue.Queue()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._worker: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, name="double")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in filter(None, (self._server, self._worker)):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()
        self._folder.cleanup()

    def send(self, message: Message | bytes) -> None:
        """A message to the worker, as a list or as the bytes of it."""
        assert self._worker is not None
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self._worker.sendall(struct.pack(">I", len(data)) + data)

    def hears(self, *kinds: int) -> Message:
        """The worker's next message of these types; others are dropped."""
        while (message := self._heard.get(timeout=10))[0] not in kinds:
            pass
        return message

    def invoke(self, uri: str, *args: Any) -> Message:
        """What a call of an honest caller is answered with."""
        request = next(self._numbers)
        self.send([wire.INVOCATION, request, self.registrations[uri], {}, list(args)])
        while (answer := self.hears(wire.YIELD, wire.ERROR))[1 if answer[0] == wire.YIELD else 2] != request:
            pass
        return answer

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._worker, _ = self._server.accept()
                with self._worker, self._worker.makefile("rb") as stream:
                    self._worker.sendall(stream.read(4))
                    while len(header := stream.read(4)) == 4:
                        self._answer(json.loads(stream.read(struct.unpack(">I", header)[0])))

    def _answer(self, message: Message) -> None:
        kind, number = message[0], next(self._numbers)
        if kind == wire.HELLO:
            self.send([wire.CHALLENGE, "ticket", {}])
        elif kind == wire.AUTHENTICATE:
            self.joined += 1
            roles: dict[str, Any] = {"broker": {}, "dealer": {"features": {"call_canceling": True}}}
            details = {"roles": roles, "realm": "wampflask", "authid": "backend", "authrole": "backend"}
            self.send([wire.WELCOME, SESSION + self.joined, details])
        elif kind == wire.REGISTER:
            self.registrations[message[3]] = number
            self.send([wire.REGISTERED, message[1], number])
        elif kind == wire.SUBSCRIBE:
            self.subscriptions[message[3]] = number
            self.send([wire.SUBSCRIBED, message[1], number])
        elif kind == wire.UNREGISTER:
            self.send([wire.UNREGISTERED, message[1]])
        elif kind == wire.CALL and message[3].startswith("wampflask."):  # what only our plugin answers
            self.send([wire.ERROR, wire.CALL, message[1], {}, "wamp.error.no_such_procedure"])
        elif kind == wire.GOODBYE:
            self.send([wire.GOODBYE, {}, "wamp.close.goodbye_and_out"])
        else:
            self._heard.put(message)
