"""Publish, call, subscribe and register over plain HTTP, for shell scripts, PHP and everything that has no session.

::

    wamp.init_app(app)
    wampflask.bridge.init_app(app)

Requests are signed as for Crossbar.io's HTTP bridge, with a key of :mod:`wampflask.keys`; its clients work here. They
may do what the key's role and URIs reach, by the same rules as the router's. Needs SQLAlchemy: nonces, rates and
answers are rows that all workers share (:mod:`wampflask.store`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from . import http_errors, payload, ticket_endpoint, uris
from ._current import KEY, current_client
from .bridge_client import STILL_RUNNING, Client, moment, signature
from .bridge_requests import Outcome, Replayed, Requests, TooFast
from .callbacks import Callbacks, Taken, TooMany
from .caller import Caller
from .errors import INTERNAL, CallFailed, InvalidPayload, NotAuthorized, WampError, WampTimeout
from .keys import Key
from .options import CallResult
from .outgoing import Forbidden, Unreachable
from .permissions import compile_rules
from .plugin.rules import Rules, Session
from .plugin.tickets import TicketBlocked
from .publication import Publication
from .tickets import issuer_of

__all__ = ["Bridge", "Client", "bridge_of", "init_app"]

EXTENSION = "wampflask_bridge"
INVALID = "wamp.error.invalid_argument"
BAD_SIGNATURE = "wampflask.error.bad_signature"
STALE = "wampflask.error.timestamp_expired"
REPLAYED = "wampflask.error.replayed"
UNKNOWN_OUTCOME = "wampflask.error.outcome_unknown"
OTHER_REQUEST = "wampflask.error.other_request"
TOO_LARGE = "wamp.error.payload_size_exceeded"
TOO_FAST = "wampflask.error.too_fast"

SPARE = 5.0
"""Seconds beyond a call's time in which its worker can still give the answer."""

_SIGNED = ("key", "timestamp", "seq", "nonce", "signature")
_NUMBER = re.compile(r"[0-9]{1,20}")
_TOKEN = re.compile(r"[!-~]{1,255}")
_DONE = (200, 502, 504)  # answers after which something may have happened

blueprint = Blueprint("wampflask_bridge", __name__)


class Refusal(Exception):
    """A request that is not done: an HTTP status, the WAMP error, and words for people."""

    def __init__(self, status: int, uri: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.answer = _Answer(status, {"error": uri, "message": message}, headers)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is signed by a key: what it says, and the idempotency key that it may have."""

    key: Key
    said: Mapping[str, Any]
    fingerprint: str
    token: str | None


class Bridge:
    """The bridge of one app, ``bridge_of(app)``."""

    def __init__(self, app: Flask) -> None:
        client = app.extensions[KEY]
        config = client.config
        self.requests = Requests(client.store, config.rate_limit, config.rate_burst)
        self.callbacks = Callbacks(app, client, self.may)
        self.window = config.bridge_window
        self.body_max = config.message_max
        self.patience = config.call_timeout + SPARE

    def may(self, key: Key, action: str, uri: str, options: Mapping[str, Any]) -> bool:
        """Return whether a key reaches a URI: by the rules that the router has, and its own URIs."""
        words = {"authid": (key.authid.replace(":", "_", 1),), "session": ("",)}
        rules = Rules(compile_rules(current_client().permissions()))
        return rules.decide(Session(key.role, words, key.uris), uri, action, options).allow


def init_app(app: Flask, *, url_prefix: str = "/bridge") -> Bridge:
    """Give ``app`` its bridge, after ``wamp.init_app(app)``.

    :raises KeyError: the app has no ``WAMP``.
    """
    bridge = app.extensions[EXTENSION] = Bridge(app)
    app.register_blueprint(blueprint, url_prefix=url_prefix)
    _needs_no_form_token(app)
    app.before_request(lambda: _needs_no_form_token(app))  # before that of a CSRFProtect that is made after us
    return bridge


def bridge_of(app: Flask | None = None) -> Bridge:
    """Return the bridge of ``app``, by default of the current one.

    :raises KeyError: it has none.
    """
    found: Bridge = (app or current_app).extensions[EXTENSION]
    return found


def _needs_no_form_token(app: Flask) -> None:
    """No browser signs a request by itself, so Flask-WTF's protection, where there is some, has nothing to protect."""
    csrf = app.extensions.get("csrf")
    if csrf is not None:
        csrf.exempt(blueprint)


# -- what can be asked


@blueprint.post("/publish")
def publish() -> Response:
    """Publish ``{"topic", "args", "kwargs"}``; the answer is ``{"id"}``."""
    return _done(_publish)


@blueprint.post("/call")
def call() -> Response:
    """Call ``{"procedure", "args", "kwargs"}``; the answer is ``{"args", "kwargs"}``."""
    return _done(_call)


@blueprint.post("/subscribe")
def subscribe() -> Response:
    """Have the events of ``{"topic", "match", "url"}`` posted; the answer is ``{"id"}``."""
    return _done(_subscribe)


@blueprint.post("/register")
def register() -> Response:
    """Have the calls of ``{"procedure", "url"}`` posted; the answer is ``{"id"}``."""
    return _done(_register)


@blueprint.post("/unsubscribe")
def unsubscribe() -> Response:
    """Take back the callback ``{"id"}``."""
    return _done(lambda asked: _take_back(asked, "subscribe"))


@blueprint.post("/unregister")
def unregister() -> Response:
    """Take back the callback ``{"id"}``."""
    return _done(lambda asked: _take_back(asked, "register"))


@blueprint.post("/ticket")
def ticket() -> Response:
    """Answer with a ticket for one connect, as ``/wamp/ticket`` does."""
    asked = _admit()
    return ticket_endpoint.answer(issuer_of(), asked.key.role, asked.key.authid, asked.key.uris, {})


def _publish(asked: _Asked) -> _Answer:
    topic, args, kwargs = _uri(asked, "topic"), _list(asked, "args"), _mapping(asked, "kwargs")
    _check_may(asked.key, "publish", topic, _mapping(asked, "options"))
    clean_args, clean_kwargs = payload.clean(args, kwargs)
    return _Answer(200, {"id": current_client().publish(Publication(topic, clean_args, clean_kwargs))})


def _call(asked: _Asked) -> _Answer:
    procedure, args, kwargs = _uri(asked, "procedure"), _list(asked, "args"), _mapping(asked, "kwargs")
    _check_may(asked.key, "call", procedure, {})
    clean_args, clean_kwargs = payload.clean(args, kwargs)
    caller = Caller(None, asked.key.authid, asked.key.role, procedure)
    result = current_client().call(procedure, clean_args, clean_kwargs, None, caller=caller)
    if not isinstance(result, CallResult):
        return _Answer(200, {"args": [result]})
    said = {"args": result.args, "kwargs": result.kwargs}
    return _Answer(200, {name: value for name, value in said.items() if value})


def _subscribe(asked: _Asked) -> _Answer:
    match = asked.said.get("match") or "exact"
    if match not in ("exact", "wildcard"):
        raise Refusal(400, INVALID, f"match={match!r} is not one of exact, wildcard.")
    topic = _uri(asked, "topic", match)
    _check_may(asked.key, "subscribe", topic, {"match": match})
    return _add(asked, "subscribe", topic, match)


def _register(asked: _Asked) -> _Answer:
    procedure = _uri(asked, "procedure")
    _check_may(asked.key, "register", procedure, {})
    return _add(asked, "register", procedure, "exact")


def _add(asked: _Asked, kind: str, uri: str, match: str) -> _Answer:
    try:
        return _Answer(200, {"id": bridge_of().callbacks.add(asked.key, kind, uri, match, _text(asked, "url"))})
    except (Forbidden, Unreachable) as error:
        raise Refusal(400, INVALID, str(error)) from error
    except Taken as error:
        raise Refusal(409, "wamp.error.procedure_already_exists", str(error)) from error
    except TooMany as error:
        raise Refusal(429, "wampflask.error.busy", str(error)) from error


def _take_back(asked: _Asked, kind: str) -> _Answer:
    if not bridge_of().callbacks.remove(_text(asked, "id"), kind, asked.key.name):
        noun = "subscription" if kind == "subscribe" else "registration"
        raise Refusal(404, f"wamp.error.no_such_{noun}", "This key has no such callback.")
    return _Answer(200, {})


def _check_may(key: Key, action: str, uri: str, options: Mapping[str, Any]) -> None:
    if not bridge_of().may(key, action, uri, options):
        raise NotAuthorized(f"The key {key.name} ({key.role}) is not permitted to {action} {uri}.")


# -- reading


def _admit() -> _Asked:
    """Return what is asked, once it is certain that a key signed it, now, and for the first time."""
    bridge, now = bridge_of(), time.time()
    request.max_content_length = bridge.body_max
    body = request.get_data()
    said = {name: values[0] for name in _SIGNED if len(values := request.args.getlist(name)) == 1}
    key, sent = _signer(said, body)
    if abs(now - sent) > bridge.window:
        raise Refusal(401, STALE, f"The timestamp is more than {bridge.window:g} s off.", **_CHALLENGE)
    if block := issuer_of().block_of(key.authid):
        raise Refusal(403, TicketBlocked.uri, block.reason or "This key is blocked.")
    try:
        bridge.requests.admit(key.name, said["nonce"], sent + bridge.window, now)
    except TooFast as error:
        wait = {"Retry-After": str(max(1, round(error.wait)))}
        raise Refusal(429, TOO_FAST, "This key sends too many requests.", **wait) from None
    except Replayed:
        raise Refusal(409, REPLAYED, "This nonce was used before: choose another for each request.") from None
    token = request.headers.get("Idempotency-Key")
    if token is not None and not _TOKEN.fullmatch(token):
        raise Refusal(400, INVALID, "The Idempotency-Key is not 1 to 255 printable characters.")
    fingerprint = hashlib.sha256(request.path.encode() + b"\0" + body).hexdigest()
    return _Asked(key, _read(body), fingerprint, token)


_CHALLENGE = {"WWW-Authenticate": 'Signature realm="bridge"'}


def _signer(said: Mapping[str, str], body: bytes) -> tuple[Key, float]:
    """Return whose key signed the request, and when; an unknown key takes as long as a wrong signature."""
    if missing := [name for name in _SIGNED if name not in said]:
        raise Refusal(400, INVALID, f"The query needs, once each: {', '.join(missing)}. See docs/bridge.md.")
    try:
        sent = moment(said["timestamp"])
    except ValueError:
        raise Refusal(400, INVALID, "The timestamp is not like 2026-10-14T16:59:51.123Z.") from None
    if not _NUMBER.fullmatch(said["seq"]) or not _NUMBER.fullmatch(said["nonce"]):
        raise Refusal(400, INVALID, "seq and nonce are whole numbers of up to 20 digits.")
    keys = issuer_of().keys
    key = keys.get(said["key"])
    secret = keys.secret_of(key)
    expected = signature(secret, said["key"], said["timestamp"], said["seq"], said["nonce"], body)
    if not hmac.compare_digest(expected.encode(), said["signature"].encode()) or key is None:
        raise Refusal(401, BAD_SIGNATURE, "The key is unknown or the signature is wrong.", **_CHALLENGE)
    return key, sent


def _read(body: bytes) -> Mapping[str, Any]:
    if request.mimetype not in ("", "application/json"):
        raise Refusal(415, INVALID, "Send application/json.")
    if request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise Refusal(415, INVALID, "Send JSON in UTF-8.")
    try:
        said = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise Refusal(400, INVALID, "The body is not JSON in UTF-8.") from None
    if not isinstance(said, dict):
        raise Refusal(400, INVALID, "The body is not a JSON object.")
    return said


def _text(asked: _Asked, name: str) -> str:
    found = asked.said.get(name)
    if not isinstance(found, str) or not found:
        raise Refusal(400, INVALID, f"The body needs {name!r}, a text.")
    return found


def _uri(asked: _Asked, name: str, match: Any = "exact") -> str:
    return uris.check(_text(asked, name), match)


def _list(asked: _Asked, name: str) -> list[Any]:
    found = asked.said.get(name) or []
    if not isinstance(found, list):
        raise Refusal(400, INVALID, f"{name!r} is not a list.")
    return found


def _mapping(asked: _Asked, name: str) -> dict[str, Any]:
    found = asked.said.get(name) or {}
    if not isinstance(found, dict):
        raise Refusal(400, INVALID, f"{name!r} is not an object.")
    return found


# -- answering


def _done(act: Callable[[_Asked], _Answer]) -> Response:
    """Do what is asked, or answer as before where its idempotency key says that it was."""
    asked = _admit()
    if asked.token is None:
        return _respond(_outcome(act, asked))
    bridge, now = bridge_of(), time.time()
    before = bridge.requests.begin(asked.key.name, asked.token, asked.fingerprint, now)
    if before is not None:
        return _repeat(before, asked, bridge.patience, now)
    answer = _outcome(act, asked)
    if answer.status in _DONE:
        bridge.requests.finish(asked.key.name, asked.token, answer.status, answer.text)
    else:
        bridge.requests.forget(asked.key.name, asked.token)
    return _respond(answer)


def _repeat(before: Outcome, asked: _Asked, patience: float, now: float) -> Response:
    if before.fingerprint != asked.fingerprint:
        raise Refusal(422, OTHER_REQUEST, "This Idempotency-Key belongs to another request: choose a new one.")
    if before.status is None and now - before.begun < patience:
        wait = {"Retry-After": "1"}
        raise Refusal(409, STILL_RUNNING, "The request with this Idempotency-Key is still running.", **wait)
    if before.status is None:
        raise Refusal(
            409, UNKNOWN_OUTCOME, "The worker that did this request ended in the middle: it may have been done, or not."
        )
    response = Response(before.body, before.status, mimetype="application/json")
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _outcome(act: Callable[[_Asked], _Answer], asked: _Asked) -> _Answer:
    try:
        return act(asked)
    except Refusal as refusal:
        return refusal.answer
    except WampError as error:
        return _told(error)


def _told(error: WampError) -> _Answer:
    status = http_errors.status_of(error)
    headers = {"Retry-After": str(http_errors.RETRY_AFTER)} if status == 503 else {}  # noqa: PLR2004 - HTTP's own number
    body: dict[str, Any] = {"error": error.uri or INTERNAL}
    if isinstance(error, CallFailed):
        body |= {"args": list(error.args), "kwargs": error.kwargs}
    elif isinstance(error, WampTimeout | NotAuthorized | InvalidPayload) or status < 500:  # noqa: PLR2004
        body["message"] = str(error)
    else:
        current_app.logger.warning("The bridge answered %d: %s", status, error)
        body["message"] = "This is not possible for the moment. Try again soon."
    return _Answer(status, body, headers)


def _respond(answer: _Answer) -> Response:
    return Response(answer.text, answer.status, dict(answer.headers), mimetype="application/json")


@blueprint.errorhandler(Refusal)
def _refused(refusal: Refusal) -> Response:
    return _respond(refusal.answer)


@blueprint.errorhandler(HTTPException)
def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    uri = TOO_LARGE if status == 413 else INVALID  # noqa: PLR2004 - HTTP's own number
    message = f"The body has more than {bridge_of().body_max} bytes." if uri == TOO_LARGE else str(error.description)
    return _respond(_Answer(status, {"error": uri, "message": message}))


@blueprint.errorhandler(OperationalError)
def _database_away(error: OperationalError) -> Response:
    current_app.logger.error("The bridge answered 503: %s", error)
    message = "This is not possible for the moment. Try again soon."
    headers = {"Retry-After": str(http_errors.RETRY_AFTER)}
    return _respond(_Answer(503, {"error": "wampflask.error.busy", "message": message}, headers))


@blueprint.errorhandler(Exception)
def _unexpected(error: Exception) -> Response:
    number = secrets.token_hex(4)
    current_app.logger.error("Error %s in the bridge, %s", number, request.path, exc_info=error)
    return _respond(_Answer(500, {"error": INTERNAL, "args": [number]}))


@blueprint.after_request
def _never_stored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
