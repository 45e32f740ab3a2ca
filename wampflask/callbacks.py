"""Callbacks: URLs to which the bridge posts a topic's events, or a procedure's calls.

They are rows, which all workers share, and so are the deliveries that wait. Each worker declares all of them as
``single``, so that one has the events and the calls, and another takes over when it ends. A callback's deliveries are
posted in order, by one worker at a time: see :mod:`wampflask.deliveries`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from weakref import ref

from flask import Flask
from sqlalchemy import (
    Connection,
    Row,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from . import payload, signals
from ._client import Client
from ._declarations import Declaration, Procedure, Subscription
from ._incoming import Incoming
from .bridge_client import sign
from .caller import caller
from .deliveries import CALLBACKS, DELIVERIES, Deliverer, count_dropped
from .errors import CallFailed, InvalidPayload, InvalidURI, QueueFull, WampError
from .keys import Key
from .outgoing import Allowed, Forbidden, Outgoing, Unreachable
from .publication import Publication
from .status import State
from .store import Store
from .tickets import issuer_of
from .uris import check_own

__all__ = ["Callback", "Callbacks", "Taken", "TooMany"]

CHANGED = "wampflask.bridge.changed"
"""Topic, for workers alone: the rows of callbacks have changed."""
FAILED = "wampflask.error.callback_failed"

PER_KEY = 100
"""Callbacks of one key."""
QUEUE = 1000
"""Deliveries of one callback that wait; then the oldest is dropped, and counted."""
TIMEOUT = 10.0
"""Seconds for one try, or for one call."""
AT_ONCE = 4
"""Calls of one callback at the same time, in one worker."""

May = Callable[[Key, str, str, Mapping[str, Any]], bool]


class Taken(Exception):
    """Another callback, or somebody else, has this procedure already."""


class TooMany(Exception):
    """The key has :data:`PER_KEY` callbacks."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback, for people to see.

    :param waiting: deliveries that wait.
    :param dropped: deliveries that were given up, or dropped from a full queue.
    :param note: what went wrong last; "" for nothing.
    :param noted: when, in seconds since the epoch.
    """

    id: str
    key: str
    kind: str
    uri: str
    url: str
    made: float
    waiting: int
    dropped: int
    note: str
    noted: float | None


class Callbacks:
    """The callbacks of one app. For any thread.

    :param may: whether a key reaches a URI.
    """

    def __init__(self, app: Flask, client: Client, may: May) -> None:
        self._app = ref(app)
        self._client = client
        self._may = may
        self._outgoing = Outgoing(Allowed.parse(client.config.bridge_allow), min(TIMEOUT, client.config.call_timeout))
        self._declared: dict[tuple[str, str, str], Declaration] = {}
        self._lock = threading.Lock()
        self._deliverer: Deliverer | None = None
        client.declare_own(Subscription(CHANGED, self.refresh, direct=lambda _: self._wake()))
        signals.ready.connect(self._begin, app)

    @property
    def _store(self) -> Store:
        return self._client.store

    # -- what keys ask for

    def add(self, key: Key, kind: str, uri: str, match: str, url: str) -> str:
        """Keep a callback, have it served by the workers, and return its id; the same again has the same one.

        :param kind: subscribe or register.
        :raises Forbidden: ``url`` may not be reached.
        :raises Unreachable: its host has no address.
        :raises Taken: somebody has the procedure.
        :raises TooMany: the key has too many.
        :raises NotConnected: the router is away; the callback is kept, and served when it is back.
        """
        self._outgoing.check(url)
        number = hashlib.sha256(f"{key.name}\n{kind}\n{uri}\n{match}\n{url}".encode()).hexdigest()[:32]
        if not self._is_there(number):
            if kind == "register":
                self._check_free(uri)
            self._insert(number, key, kind, uri, match, url)
        self.refresh()
        self._client.connect(self._client.config.connect_timeout)
        self._tell()
        return number

    def _is_there(self, number: str) -> bool:
        with self._store.transaction() as connection:
            return connection.scalar(select(CALLBACKS.c.id).where(CALLBACKS.c.id == number)) is not None

    def _check_free(self, uri: str) -> None:
        if self._client.call("wamp.registration.lookup", [uri], {}, None) is not None:
            raise Taken(f"Somebody has registered {uri} already.")

    def _insert(self, number: str, key: Key, kind: str, uri: str, match: str, url: str) -> None:
        given = {"id": number, "key": key.name, "kind": kind, "uri": uri, "match": match, "url": url}
        registered = uri if kind == "register" else None
        try:
            with self._store.transaction() as connection:
                mine = select(func.count()).select_from(CALLBACKS).where(CALLBACKS.c.key == key.name)
                if (connection.scalar(mine) or 0) >= PER_KEY:
                    raise TooMany(f"The key {key.name} has {PER_KEY} callbacks: take some back.")
                connection.execute(insert(CALLBACKS).values(**given, registered=registered, made=time.time()))
        except IntegrityError:
            if not self._is_there(number):
                raise Taken(f"Another callback has {uri} already.") from None

    def remove(self, number: str, kind: str | None = None, key: str | None = None) -> bool:
        """Forget a callback and what waits for it; return whether it was there.

        :param kind: only one of this kind.
        :param key: only one of this key.
        """
        wanted = [CALLBACKS.c.id == number]
        wanted += [column == value for column, value in ((CALLBACKS.c.kind, kind), (CALLBACKS.c.key, key)) if value]
        with self._store.transaction() as connection:
            found = connection.execute(delete(CALLBACKS).where(*wanted)).rowcount
            if found:
                connection.execute(delete(DELIVERIES).where(DELIVERIES.c.callback == number))
        if found:
            self.refresh()
            self._tell()
        return bool(found)

    def all(self) -> list[Callback]:
        """Return all of them, by key and URI."""
        waiting = select(DELIVERIES.c.callback, func.count().label("waiting")).group_by(DELIVERIES.c.callback)
        counted = waiting.subquery()
        query = select(CALLBACKS, func.coalesce(counted.c.waiting, 0).label("waiting"))
        query = query.outerjoin(counted, counted.c.callback == CALLBACKS.c.id)
        with self._store.transaction() as connection:
            rows = connection.execute(query.order_by(CALLBACKS.c.key, CALLBACKS.c.uri)).all()
        return [Callback(**{name: getattr(row, name) for name in Callback.__slots__}) for row in rows]

    def _tell(self) -> None:
        """Have the other workers look; those that do not hear it look by themselves a little later."""
        with contextlib.suppress(WampError):
            self._client.publish_later(Publication(CHANGED, []))

    # -- serving

    def _begin(self, app: Flask, **_: Any) -> None:
        """Serve, in a worker that has joined the router."""
        if self._deliverer is None or self._deliverer.has_stopped:
            self._deliverer = Deliverer(
                app, self._store, self.post, self.refresh, is_over=self._is_over, has_left=self._has_left
            )
        self.refresh()

    def _is_over(self) -> bool:
        return self._client.status.state in (State.STOPPING, State.STOPPED)

    def _has_left(self) -> bool:
        return self._client.status.session is None

    def _wake(self) -> None:
        deliverer = self._deliverer
        if deliverer is not None:
            deliverer.look()

    def refresh(self) -> None:
        """Declare what the rows say, of keys that there are and as far as they may; needs an app context."""
        with self._lock:
            self._forget_orphans()
            with self._store.transaction() as connection:
                rows = connection.execute(select(CALLBACKS)).all()
            wanted = {(row.kind, row.uri, row.match) for row in rows if self._is_allowed(row)}
            for about in self._declared.keys() - wanted:
                self._client.forget_own(self._declared.pop(about))
            for about in wanted - self._declared.keys():
                self._declared[about] = declared = self._declaration(*about)
                self._client.declare_own(declared)

    def _forget_orphans(self) -> None:
        keys = issuer_of().keys
        with self._store.transaction() as connection:
            for name in connection.scalars(select(CALLBACKS.c.key).distinct()).all():
                if keys.get(name) is None:
                    gone = select(CALLBACKS.c.id).where(CALLBACKS.c.key == name)
                    connection.execute(delete(DELIVERIES).where(DELIVERIES.c.callback.in_(gone)))
                    connection.execute(delete(CALLBACKS).where(CALLBACKS.c.key == name))

    def _is_allowed(self, row: Row[Any]) -> bool:
        key = issuer_of().keys.get(row.key)
        options = {"match": row.match} if row.kind == "subscribe" else {}
        return key is not None and self._may(key, row.kind, row.uri, options)

    def _declaration(self, kind: str, uri: str, match: Any) -> Declaration:
        if kind == "register":
            free = threading.BoundedSemaphore(AT_ONCE)
            return Procedure(uri, lambda *args, **kwargs: self._call(uri, free, args, kwargs), invoke="single")
        return Subscription(uri, self.refresh, match, single=True, direct=lambda event: self._heard(uri, match, event))

    def _app_now(self) -> Flask:
        app = self._app()
        if app is None:
            raise RuntimeError("The Flask app of these callbacks is gone.")
        return app

    # -- events

    def _heard(self, uri: str, match: str, event: Incoming) -> None:
        """Queue an event for its callbacks, in order. Reactor thread."""
        deliverer = self._deliverer
        if deliverer is not None:
            deliverer.keep(lambda: self._keep(uri, match, event))

    def _keep(self, uri: str, match: str, event: Incoming) -> None:
        try:
            args, kwargs = payload.clean(event.args, event.kwargs)
            said = {"topic": event.caller.uri or uri, "args": args, "kwargs": kwargs}
            with self._store.transaction() as connection:
                meant = (CALLBACKS.c.kind == "subscribe") & (CALLBACKS.c.uri == uri) & (CALLBACKS.c.match == match)
                for number in connection.scalars(select(CALLBACKS.c.id).where(meant).with_for_update()).all():
                    self._make_room(connection, number)
                    body = json.dumps({"id": number, **said}, ensure_ascii=False, separators=(",", ":"))
                    connection.execute(insert(DELIVERIES).values(callback=number, body=body, made=time.time()))
        except (InvalidPayload, SQLAlchemyError) as error:
            self._client.on_dropped(1, f"a callback could not keep it: {type(error).__name__}", uri)

    def _make_room(self, connection: Connection, number: str) -> None:
        mine = DELIVERIES.c.callback == number
        waiting = connection.scalar(select(func.count()).select_from(DELIVERIES).where(mine)) or 0
        if waiting >= QUEUE:
            oldest = connection.scalar(select(func.min(DELIVERIES.c.number)).where(mine))
            connection.execute(delete(DELIVERIES).where(DELIVERIES.c.number == oldest))
            count_dropped(connection, number, f"{QUEUE} deliveries wait: the oldest was dropped")

    def post(self, row: Row[Any], body: str, seq: int) -> tuple[int, bytes]:
        """Post to a callback, signed with its key; return status and answer.

        :raises Forbidden: the address may not be reached.
        :raises Unreachable: there is no answer, or no key.
        """
        with self._app_now().app_context():
            keys = issuer_of().keys
            key = keys.get(row.key)
        if key is None:
            raise Unreachable("the key is revoked or has expired")
        data = body.encode()
        answer = self._outgoing.post(row.url, data, urlencode(sign(key.name, keys.secret_of(key), data, seq)))
        return answer.status, answer.body

    # -- calls

    def _call(self, uri: str, free: threading.BoundedSemaphore, args: Any, kwargs: Any) -> Any:
        """Post a call and return the answer. In a handler's thread."""
        with self._store.transaction() as connection:
            row = connection.execute(select(CALLBACKS).where(CALLBACKS.c.registered == uri)).one_or_none()
        if row is None:
            raise CallFailed("wamp.error.no_such_procedure", f"{uri} was just taken back.")
        asker = {"authid": caller.authid, "role": caller.role}
        said = {"id": row.id, "procedure": uri, "args": args, "kwargs": kwargs, "caller": asker}
        if not free.acquire(blocking=False):
            raise CallFailed(str(QueueFull.uri), f"{AT_ONCE} calls of {uri} run already.")
        try:
            status, text = self.post(row, json.dumps(said, ensure_ascii=False), secrets.randbits(53))
        except (Forbidden, Unreachable) as error:
            self._note(row.id, str(error))
            raise CallFailed(FAILED, "The program that answers this call could not be reached.") from error
        finally:
            free.release()
        return self._answer(row.id, status, text)

    def _answer(self, number: str, status: int, text: bytes) -> Any:
        try:
            said = payload.clean_value(json.loads(text or b"null"))
        except (ValueError, RecursionError):
            self._note(number, f"answered {status}, and not JSON")
            raise CallFailed(FAILED, "The program that answers this call did not answer with JSON.") from None
        if 200 <= status <= 299:  # noqa: PLR2004 - HTTP's own numbers
            return said
        self._note(number, f"answered {status}")
        raise _error_of(said)

    def _note(self, number: str, text: str) -> None:
        with self._store.transaction() as connection:
            mine = CALLBACKS.c.id == number
            connection.execute(update(CALLBACKS).where(mine).values(note=text, noted=time.time()))


def _error_of(said: Any) -> CallFailed:
    """Return the error of a program that answered with a status of failure: its own, where it says one."""
    uri = said.get("error") if isinstance(said, dict) else None
    args = said.get("args") if isinstance(said, dict) else None
    try:
        return CallFailed(check_own(str(uri)), *(args if isinstance(args, list) else ()))
    except InvalidURI:
        return CallFailed(FAILED, "The program that answers this call failed.")
