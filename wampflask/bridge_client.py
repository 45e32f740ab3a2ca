"""The bridge's client for code without a reactor, and what both of its ends sign with. Standard library only.

One file, which needs nothing else of wampflask: copy it to where a script runs, or import it. ::

    from wampflask.bridge_client import Client

    site = Client("https://shop.example/bridge", key="stock_bot.Zm9vYmFy…")
    site.publish("shop.stock.tea", left=3)
    print(site.call("shop.price.tea"))

A request is signed as Crossbar.io's HTTP bridge does: HMAC-SHA256, with the key's secret, over key, timestamp, sequence
number, nonce and body, in URL-safe base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

__all__ = [
    "BadRequest",
    "BridgeError",
    "CallFailed",
    "Client",
    "Conflict",
    "NoSuchProcedure",
    "NotAuthorized",
    "NotConnected",
    "TooManyRequests",
    "WampTimeout",
    "sign",
    "signature",
    "verify",
]

TIMESTAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
WINDOW = 300.0
"""Seconds that a timestamp may be off, before or after."""
STILL_RUNNING = "wampflask.error.still_running"
"""The error of a request whose idempotency key belongs to one that has no answer yet."""

_NONCE_BITS = 53
_ANSWER_MAX = 16_777_216


class BridgeError(Exception):
    """The bridge did not do it.

    :ivar status: of the HTTP answer; 0 when there was none.
    :ivar uri: the WAMP error.
    :ivar kwargs: of a callee's own error; its ``args`` are the exception's.
    """

    def __init__(self, status: int, uri: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args)
        self.status = status
        self.uri = uri
        self.kwargs = kwargs

    def __str__(self) -> str:
        return f"{self.uri}: {', '.join(map(str, self.args))}" if self.args else self.uri


class BadRequest(BridgeError):
    """What was sent cannot be read, or is too large: 400, 413, 415, 422."""


class NotAuthorized(BridgeError):
    """The key is none, or its role or its URIs do not reach this: 401, 403."""


class NoSuchProcedure(BridgeError):
    """Nobody has registered it at the moment: 404."""


class Conflict(BridgeError):
    """The same request came before, is still running, or nobody knows how it ended: 409; or the procedure is taken."""


class TooManyRequests(BridgeError):
    """More than this key's rate limit: 429."""


class CallFailed(BridgeError):
    """The callee answered with an error of its own: 502."""


class NotConnected(BridgeError):
    """The site, or its router, is away; nothing was done: 503, or no answer at all."""


class WampTimeout(BridgeError):
    """There was no answer in time, and it may have been done: 504."""


_BY_STATUS: dict[int, type[BridgeError]] = {
    400: BadRequest,
    401: NotAuthorized,
    403: NotAuthorized,
    404: NoSuchProcedure,
    409: Conflict,
    413: BadRequest,
    415: BadRequest,
    422: BadRequest,
    429: TooManyRequests,
    502: CallFailed,
    503: NotConnected,
    504: WampTimeout,
}


def signature(secret: str, key: str, timestamp: str, seq: str, nonce: str, body: bytes) -> str:
    """Return the signature of one request."""
    signed = key.encode() + timestamp.encode() + seq.encode() + nonce.encode() + body
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


def sign(key: str, secret: str, body: bytes, seq: int = 1) -> dict[str, str]:
    """Return the query parameters of a request: key, timestamp, seq, nonce and signature.

    :param seq: a number of yours; the nonce is what makes a request unique.
    """
    timestamp = datetime.now(UTC).strftime(TIMESTAMP)
    nonce = str(secrets.randbits(_NONCE_BITS))
    signed = signature(secret, key, timestamp, str(seq), nonce, body)
    return {"key": key, "timestamp": timestamp, "seq": str(seq), "nonce": nonce, "signature": signed}


def verify(key: str, query: str | Mapping[str, str], body: bytes, *, window: float = WINDOW) -> bool:
    """Return whether a callback's request is from the site that gave you ``key``, and not older than ``window``.

    It may come twice; ``seq`` is the same then.

    :param key: whole, ``NAME.SECRET``.
    :param query: of the request, as text or by name.
    :param window: seconds.
    """
    name, _, secret = key.partition(".")
    given = {field: values[0] for field, values in parse_qs(query).items()} if isinstance(query, str) else dict(query)
    said = [given.get(field, "") for field in ("key", "timestamp", "seq", "nonce")]
    expected = signature(secret, said[0], said[1], said[2], said[3], body)
    if not hmac.compare_digest(expected.encode(), given.get("signature", "").encode()) or said[0] != name:
        return False
    try:
        return abs(time.time() - moment(said[1])) <= window
    except ValueError:
        return False


def moment(timestamp: str) -> float:
    """Return a signature's timestamp, in seconds since the epoch.

    :raises ValueError: it is none.
    """
    return datetime.strptime(timestamp, TIMESTAMP).replace(tzinfo=UTC).timestamp()


class Client:
    """Publishes and calls over HTTP. For any thread.

    :param url: of the bridge, such as ``https://shop.example/bridge``.
    :param key: as it was shown when it was made, ``NAME.SECRET``.
    :param timeout: seconds for one request; the site's ``WAMP_CALL_TIMEOUT`` is 10.
    :param retries: how often a request is sent again after a 503 or without an answer. A request is sent with an
        idempotency key, so that nothing is done twice.
    """

    def __init__(self, url: str, key: str, *, timeout: float = 15.0, retries: int = 3) -> None:
        self._url = urlsplit(url.rstrip("/"))
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ValueError(f"{url!r} is not a bridge's address: use https://…/bridge.")
        self._key, _, self._secret = key.partition(".")
        if not self._secret:
            raise ValueError("The key is not whole: use NAME.SECRET, as it was shown when it was made.")
        self._timeout = timeout
        self._retries = retries
        self._numbers = count(1)
        self._lock = threading.Lock()

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> int:
        """Publish an event; return its id.

        :raises BridgeError: one of its subclasses.
        """
        answer = self._post("publish", {"topic": topic, "args": args, "kwargs": kwargs})
        return int(answer["id"])

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure and return its result; ``{"args": …, "kwargs": …}`` when that is several values.

        :raises CallFailed: the callee's error.
        :raises BridgeError: another of its subclasses.
        """
        answer = self._post("call", {"procedure": procedure, "args": args, "kwargs": kwargs})
        values = answer.get("args") or []
        return answer if answer.get("kwargs") or len(values) > 1 else (values or [None])[0]

    def subscribe(self, topic: str, url: str, *, match: str = "exact") -> str:
        """Have the events of a topic posted to ``url``; return the callback's id. Asked again, it is the same one."""
        return str(self._post("subscribe", {"topic": topic, "url": url, "match": match})["id"])

    def register(self, procedure: str, url: str) -> str:
        """Have calls of a procedure posted to ``url``, whose JSON answer is the result; return the callback's id."""
        return str(self._post("register", {"procedure": procedure, "url": url})["id"])

    def unsubscribe(self, callback: str) -> None:
        """Take back a callback of :meth:`subscribe`."""
        self._post("unsubscribe", {"id": callback})

    def unregister(self, callback: str) -> None:
        """Take back a callback of :meth:`register`."""
        self._post("unregister", {"id": callback})

    def ticket(self) -> dict[str, str]:
        """Return a ticket to join the router with once, and where it is: ticket, authid, role, realm, url."""
        return dict(self._post("ticket", {}))

    def _post(self, verb: str, said: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        once = secrets.token_hex(16)
        for attempt in count(1):
            try:
                return self._send(verb, body, once)
            except (NotConnected, Conflict) as error:
                if attempt > self._retries or (isinstance(error, Conflict) and error.uri != STILL_RUNNING):
                    raise
                time.sleep(min(30.0, error.kwargs.get("retry_after") or 0.5 * 2**attempt))
        raise AssertionError

    def _send(self, verb: str, body: bytes, once: str) -> dict[str, Any]:
        with self._lock:
            number = next(self._numbers)
        target = f"{self._url.path}/{verb}?{urlencode(sign(self._key, self._secret, body, number))}"
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=self._timeout)
        try:
            connection.request("POST", target, body, {"Content-Type": "application/json", "Idempotency-Key": once})
            response = connection.getresponse()
            text = response.read(_ANSWER_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise NotConnected(0, "wamp.close.transport_lost", f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        return _read(response.status, response.getheader("Retry-After"), text)


def _read(status: int, retry_after: str | None, text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if 200 <= status <= 299 and isinstance(answer, dict):  # noqa: PLR2004 - HTTP's own numbers
        return answer
    said = answer if isinstance(answer, dict) else {}
    kind = _BY_STATUS.get(status, NotConnected if status in (0, 408) else BridgeError)
    args = said.get("args") or [said.get("message") or f"The bridge answered {status}."]
    kwargs = dict(said.get("kwargs") or {})
    if retry_after and retry_after.isdecimal():
        kwargs["retry_after"] = int(retry_after)
    raise kind(status, str(said.get("error") or "wamp.error.runtime_error"), *args, **kwargs)
