"""The gunicorn worker that serves the site: ``gunicorn --worker-class wampflask.apps.worker.Worker``.

gunicorn's ``gthread`` gives a client one of its few threads from the first byte of a request to the last byte of the
answer, however slowly they go: a dozen clients that drip stop it. Here the worker's loop receives requests and sends
what clients do not take at once, for as many as there are, and a thread has a request only while the app answers
it. Clients that are slower than the pace (``WAMPFLASK_CLIENT_TIMEOUT``, ``WAMPFLASK_CLIENT_RATE``) are dropped, and,
when there are more than ``--worker-connections``, the one that is closest to that.

Everything else is gthread's (threads, keep-alive), or that of :mod:`wampflask.gunicorn`: how it stops.
"""

from __future__ import annotations

import errno
import resource
import socket
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from time import monotonic
from typing import Any

from gunicorn import util
from gunicorn.http import get_parser
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn

from wampflask import gunicorn as library

from .channel import Channel, Pace, Refusal

LINGER = 2.0  # seconds for a client to take the end of an answer
FILES_MAX = 65_536
FILES_EACH = 4  # open files of a connection at most: its socket, a file it sends or is sent, and some for the app

_NOT_NOW = (errno.EAGAIN, errno.ECONNABORTED)
_TOO_MANY = (errno.EMFILE, errno.ENFILE)
_TOO_SLOW = Refusal(408, "Request Timeout", "The request came too slowly.")


class Worker(library.Worker):
    """A gthread worker whose threads do not wait for clients, and which waits for its replacement before it ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: dict[TConn, None] = {}

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what this worker cannot do."""
        if cfg.is_ssl:
            raise SystemExit("wampflask's worker has no TLS: put nginx or Caddy in front, as in docs/deployment.md.")
        super().check_config(cfg, log)

    def init_process(self) -> None:
        """Allow the configured number of connections, and run."""
        self.worker_connections: int = min(self.cfg.worker_connections, _open_files() // FILES_EACH)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the site, and read its limits."""
        super().load_wsgi()
        site = self.wsgi.extensions["site"]
        self._pace = Pace(site.client_timeout, site.client_rate)
        self._body_max = site.body_max

    # a connection's way: request, answer, and the next request or the end

    def accept(self, listener: socket.socket) -> None:
        """Accept a new connection, if necessary in place of the slowest."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in _TOO_MANY:
                self._evict()
            elif error.errno not in _NOT_NOW:
                raise
            return
        channel = Channel(sock, self._pace, self._body_max)
        conn = TConn(self.cfg, channel, client, listener.getsockname())
        conn.parser = get_parser(self.cfg, channel, client)
        conn.initialized = True
        self.nr_conns += 1
        self._wait(conn, EVENT_READ, self._on_request)
        if self.nr_conns >= self.worker_connections:
            self._evict()

    def _on_request(self, conn: TConn) -> None:
        if not conn.sock.receive():
            self._drop(conn)
        elif conn.sock.is_complete:
            self._resume(conn)
            self._answer(conn)

    def _answer(self, conn: TConn) -> None:
        conn.sock.open()
        self.enqueue_req(conn)

    def _refuse(self, conn: TConn, refusal: Refusal) -> None:
        self._resume(conn)
        try:
            util.write_error(conn.sock, *refusal.args)
        except OSError:
            self._close(conn)
        else:
            self._send(conn, keep=False)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Return whether to keep the connection: not with an unread rest of a large body. Runs in a thread."""
        return not conn.sock.is_large and bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: TConn, answered: Future[bool]) -> None:
        """Continue with a connection whose request a thread has answered."""
        failed = answered.cancelled() or answered.exception() is not None
        self._send(conn, keep=not failed and answered.result())

    def _send(self, conn: TConn, *, keep: bool) -> None:
        try:
            if not conn.sock.flush():
                self._wait(conn, EVENT_WRITE, partial(self._on_room, keep=keep))
            elif keep:
                self._expect(conn)
            else:
                conn.sock.finish()
                conn.sock.give(LINGER)
                self._wait(conn, EVENT_READ, self._on_rest)
        except OSError:
            self._close(conn)

    def _on_room(self, conn: TConn, *, keep: bool) -> None:
        if conn.sock.flush():
            self._resume(conn)
            self._send(conn, keep=keep)

    def _expect(self, conn: TConn) -> None:
        channel = conn.sock
        try:
            channel.expect(conn.parser.unreader.take_buffered() + channel.rest())
        except Refusal as refusal:
            self._wait(conn, EVENT_READ, self._on_request)
            self._refuse(conn, refusal)
            return
        if channel.is_complete:
            self._answer(conn)
            return
        if channel.is_idle:
            channel.give(self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
        self._wait(conn, EVENT_READ, self._on_request)

    def _on_rest(self, conn: TConn) -> None:
        if not conn.sock.discard():
            self._drop(conn)

    # waiting

    def _wait(self, conn: TConn, event: int, act: Callable[[TConn], None]) -> None:
        self._waiting[conn] = None
        self.poller.register(conn.sock, event, partial(self._on_ready, conn, act))

    def _on_ready(self, conn: TConn, act: Callable[[TConn], None], _channel: Channel) -> None:
        if conn not in self._waiting:  # evicted since the poller saw it
            return
        try:
            act(conn)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(conn)
        except Refusal as refusal:
            self._refuse(conn, refusal)

    def _resume(self, conn: TConn) -> None:
        del self._waiting[conn]
        self.poller.unregister(conn.sock)

    def _drop(self, conn: TConn) -> None:
        self._resume(conn)
        self._close(conn)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.sock.drop()

    def _evict(self) -> None:
        if self._waiting:
            self._drop(min(self._waiting, key=lambda conn: float(conn.sock.deadline)))

    def murder_keepalived(self, force: bool = False) -> None:
        """End the connections whose time is over; with ``force`` all that wait."""
        now = monotonic()
        for conn in [conn for conn in self._waiting if force or conn.sock.deadline < now]:
            if force or conn.sock.is_idle or conn.sock.is_complete:
                self._drop(conn)
            else:
                self._refuse(conn, _TOO_SLOW)

    def _cap_keepalive(self, _deadline: float) -> None:
        """Leave idle connections little time when the worker stops."""
        for conn in self._waiting:
            if conn.sock.is_idle:
                conn.sock.give(STOP_KEEPALIVE_LINGER)


def _open_files() -> int:
    """Raise this process's limit of open files as far as allowed; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return FILES_MAX if soft == resource.RLIM_INFINITY else soft
