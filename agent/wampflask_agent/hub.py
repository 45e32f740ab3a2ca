"""Enrolment: ask the hub over HTTP for this host's configuration and for a ticket to the router."""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from . import __version__
from .config import Config
from .fields import FieldError, text
from .sampler import Values
from .state import State
from .text import clean, describe, short

HTTP_TIMEOUT = 10.0
REFUSED_DELAY = 60.0
MAX_SKEW = 30.0
"""Seconds that this machine's clock and the hub's may differ without a warning."""


class HubError(Exception):
    """The hub could not be reached, or its answer makes no sense; it is asked again."""


class Refused(HubError):
    """The hub refuses this host until somebody does something.

    :param code: the hub's code for the reason.
    :param wait: seconds until it may be asked again.
    """

    def __init__(self, code: str, reason: str, wait: float = REFUSED_DELAY) -> None:
        super().__init__(reason)
        self.code = code
        self.wait = wait


class Enrolled(NamedTuple):
    """The hub's answer.

    ``ip``: the address by which this machine reaches the hub.
    ``skew``: seconds that the hub's clock is ahead, None when it does not say.
    """

    config: Config
    ticket: str
    url: str
    realm: str
    ip: str
    skew: float | None


class Hub:
    """The hub over HTTP. Its calls block: not for the event loop.

    :param server: the hub's address, normalised.
    :param token: only sent to a hub that does not know this host.
    :param name: of this host, for people.
    :param state: keeps id and key.
    """

    MAX_ANSWER = 1024 * 1024

    def __init__(self, server: str, token: str, name: str, state: State) -> None:
        self._server = server
        self._token = token
        self._name = name
        self._state = state

    def enrol(self) -> Enrolled:
        """Identify this host to the hub and return its answer.

        :raises Refused: when the hub refuses this host.
        :raises HubError: when it could not be reached, or its answer makes no sense.
        """
        first = self._state.read_config() is None
        try:
            return self._ask(self._token if first else "")
        except Refused as refusal:
            if refusal.code != "token_missing" or first or not self._token:
                raise
        return self._ask(self._token)  # the hub has forgotten this host

    def _ask(self, token: str) -> Enrolled:
        body = {
            "host": self._state.host(),
            "key": self._state.key(),
            "name": self._name,
            "agent": __version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "system": _system(),
            **({"token": token} if token else {}),
        }
        try:
            status, headers, content, ip = self._post(body)
        except OSError as error:
            raise HubError(f"cannot reach {self._server}: {network_problem(error)}") from None
        if status in (301, 302, 303, 307, 308):
            raise HubError(f"{self._server} redirects to {headers.get('Location')}: use that address as --server")
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise HubError(f"{self._server} answered {status}, which is not a hub's answer: is --server right?")
        if status >= 500:  # noqa: PLR2004
            raise HubError(f"{self._server} answered {status}: {_reason(answer)}")
        if status >= 400:  # noqa: PLR2004
            wait = headers.get("Retry-After") or ""
            raise Refused(
                str(answer.get("error", status)),
                _reason(answer),
                max(float(wait), 1.0) if wait.isdigit() else REFUSED_DELAY,
            )
        return self._understand(answer, ip, headers)

    def _post(self, body: Values) -> tuple[int, Mapping[str, str], bytes, str]:
        from http.client import HTTPConnection, HTTPException

        parts = urlsplit(self._server)
        secure = parts.scheme == "https"
        host = parts.hostname or ""
        connection = HTTPConnection(host, parts.port or (443 if secure else 80), timeout=HTTP_TIMEOUT)
        try:
            connection.connect()
            if secure:
                connection.sock = tls_context().wrap_socket(connection.sock, server_hostname=host)
            ip = str(connection.sock.getsockname()[0])
            headers = {"Content-Type": "application/json", "User-Agent": f"wampflask-agent/{__version__}"}
            connection.request("POST", f"{parts.path}/clients/", json.dumps({**body, "ip": ip}), headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read(self.MAX_ANSWER), ip
        except HTTPException as error:
            raise HubError(f"{self._server} does not speak HTTP: {describe(error)}") from None
        finally:
            connection.close()

    def _understand(self, answer: Values, ip: str, headers: Mapping[str, str]) -> Enrolled:
        try:
            url, ticket, realm = (text(answer, name) for name in ("url", "ticket", "realm"))
            _check_url(url)
            return Enrolled(Config.parse(answer), ticket, url, realm, ip, _skew(headers.get("Date")))
        except FieldError as error:
            raise HubError(f"{self._server} sent an answer that this agent cannot use: {error}") from None


def _check_url(url: str) -> None:
    if urlsplit(url).scheme not in ("ws", "wss") or not urlsplit(url).hostname:
        raise FieldError(f"url is {short(url)}; it must begin with ws:// or wss://")


def _reason(answer: Mapping[str, Any]) -> str:
    return clean(str(answer.get("reason") or answer.get("error") or "no reason given"), 300)


def _skew(date: str | None) -> float | None:
    from email.utils import parsedate_to_datetime

    with suppress(TypeError, ValueError):
        return parsedate_to_datetime(date or "").timestamp() + 0.5 - time.time()  # it has whole seconds
    return None


def _system() -> str:
    uname = os.uname() if hasattr(os, "uname") else None
    return clean(f"{uname.sysname} {uname.release} {uname.machine}" if uname else sys.platform)


def network_problem(error: OSError) -> str:
    """Return what a person reads of a connection that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "for a private certificate authority, set SSL_CERT_FILE"
        return f"its certificate cannot be trusted ({error.verify_message or error}); {hint}"
    if isinstance(error, ssl.SSLError):
        return f"no secure connection ({error.reason or error})"
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved ({error.strerror})"
    if isinstance(error, (TimeoutError, socket.timeout)):  # two before Python 3.10
        return f"no answer within {HTTP_TIMEOUT:g} s"
    return os.strerror(error.errno) if error.errno else describe(error)


def tls_context() -> ssl.SSLContext:
    """Return a context that trusts the system's certificates, or those of ``SSL_CERT_FILE``."""
    return ssl.create_default_context()
