"""A real router for tests: Crossbar on free ports in a folder of its own.

::

    with RouterNode(permissions=PERMISSIONS) as node:
        app.config.update(node.config)

``wampflask.pytest_plugin`` has it as fixtures. Starting takes about three seconds, so share it where you can.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from flask import Flask

from .in_memory import MemoryPage, MemoryRealm, in_memory
from .page import Event, Page, RouterPage, Visit
from .permissions import BACKEND, Permission
from .plugin.tickets import Tickets
from .roles import Roles
from .router.node import Process, RouterError, check_port, forget_killed, is_free, write_config
from .router.render import Node, Realm
from .router.wire import Refused, Wire, WireError, wait_until

__all__ = [
    "Event",
    "MemoryPage",
    "MemoryRealm",
    "Page",
    "Refused",
    "RouterError",
    "RouterNode",
    "RouterPage",
    "Wire",
    "WireError",
    "free_port",
    "in_memory",
    "run_tasks",
]

REALM = "wampflask"

_PORTS = range(15_000, 32_000)  # below those that Linux takes for outgoing connections
_TRIES = 100


def free_port() -> int:
    """Return a TCP port that nobody listens on now, of those that no outgoing connection is given in between.

    :raises OSError: of a hundred none was free.
    """
    for _ in range(_TRIES):
        port = secrets.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return port
    raise OSError(f"No port from {_PORTS[0]} to {_PORTS[-1]} is free.")


def run_tasks(app: Flask, *queues: str) -> int:
    """Run the tasks that wait, in this thread, and those that they append; return how many that were.

    :param queues: names; none means every queue of the app.
    """
    from .worker import TaskWorker  # Huey and SQLAlchemy are there only where this is used

    return TaskWorker(app, queues).run_waiting()


class RouterNode:
    """A Crossbar node that can be started, stopped, killed and started again. For one thread at a time.

    :param permissions: what roles other than backend may do in the realm ``wampflask``; or a mapping from
        realms' names to their permissions, for several realms in one node (they share ``secret``).
    :param folder: to work in; by default a temporary one that goes with :meth:`close`. It is laid out like an
        instance folder: ``ticket.key``, ``revoked``, ``crossbar/``.
    :param roles: those of the app.
    :param follow_workers: workers may change the permissions, as in a real instance.
    :param options: further fields of :class:`wampflask.router.render.Node`, such as ``origins``.
    """

    def __init__(
        self,
        permissions: Iterable[Permission] | Mapping[str, Iterable[Permission]] = (),
        *,
        folder: Path | None = None,
        secret: str | None = None,
        ticket_lifetime: float = 60.0,
        loglevel: str = "info",
        follow_workers: bool = False,
        roles: Roles = Roles(),  # noqa: B008 - it is frozen
        **options: Any,
    ) -> None:
        realms = permissions if isinstance(permissions, Mapping) else {REALM: permissions}
        self._temporary = None if folder else Path(tempfile.mkdtemp(prefix="wampflask-"))
        self.folder = folder or self._temporary or Path()
        self.secret = secret or secrets.token_hex(32)
        self.lifetime = ticket_lifetime
        self.realm = next(iter(realms))
        self._roles = roles
        self.port = options.pop("port", None) or free_port()
        self.spec = Node(
            realms=tuple(
                Realm(
                    name=name,
                    permissions=tuple(permission.for_roles(roles.read) for permission in declared),
                    ticket_lifetime=ticket_lifetime,
                    roles=roles.ticketed,
                    follow_workers=follow_workers,
                )
                for name, declared in realms.items()
            ),
            port=self.port,
            interface="127.0.0.1",
            **{"origins": ("http://*:*",), **options},
        )
        self._loglevel = loglevel
        self._process: Process | None = None
        self.write()

    @property
    def node_folder(self) -> Path:
        """Crossbar's own folder."""
        return self.folder / "crossbar"

    @property
    def url(self) -> str:
        """The ``WAMP_URL`` of Flask workers."""
        return f"unix:{self.node_folder / self.spec.socket}"

    @property
    def ws_url(self) -> str:
        """The address of browsers and agents."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def config(self) -> dict[str, Any]:
        """The ``WAMP_*`` keys of an app that uses this node."""
        return {
            "WAMP_URL": self.url,
            "WAMP_REALM": self.realm,
            "WAMP_PORT": self.port,
            "WAMP_TICKET_SECRET": self.secret,
            "WAMP_TICKET_LIFETIME": self.lifetime,
        }

    @property
    def log_file(self) -> Path:
        """What Crossbar logged, of all runs."""
        return self.folder / "crossbar.log"

    @property
    def pid(self) -> int | None:
        """Of the running node."""
        return self._process.pid if self._process else None

    def write(self) -> None:
        """Write the folder again: key and configuration."""
        self.folder.chmod(0o700)
        key = self.folder / "ticket.key"
        key.touch(mode=0o600)
        key.write_text(self.secret + "\n", encoding="utf-8")
        write_config(self.node_folder, self.spec)

    def permit(self, permissions: Iterable[Permission]) -> None:
        """Replace the permissions of the first realm; valid from the next start."""
        first, *others = self.spec.realms
        changed = dataclasses.replace(first, permissions=tuple(permissions))
        self.spec = dataclasses.replace(self.spec, realms=(changed, *others))
        self.write()

    def tickets(self, realm: str | None = None) -> Tickets:
        """To mint tickets with."""
        return Tickets(self.secret, realm or self.realm, self.lifetime, roles=self._roles.ticketed)

    def start(self, timeout: float = 60.0) -> Self:
        """Start and wait until a backend can join.

        :raises RouterError: when Crossbar is not installed, or does not start; with the end of its log.
        """
        if self._process is not None:
            raise RouterError("This node runs already: stop or kill it first.")
        forget_killed(self.node_folder)
        check_port(self.port, self.spec.interface)
        with self.log_file.open("a", encoding="utf-8") as log:
            self._process = Process(self.node_folder, log, loglevel=self._loglevel)
        try:
            self._process.wait_ready(self.joinable, timeout)
        except BaseException as error:
            self.kill9()
            if isinstance(error, RouterError):
                raise RouterError(f"{error}\n{self.log()[-3000:]}") from None
            raise
        return self

    def joinable(self) -> bool:
        """Return whether a backend can join, and browsers can connect, at this moment."""
        with contextlib.suppress(OSError, WireError), self.backend(), Wire(self.ws_url):
            return True
        return False

    def backend(self, realm: str | None = None) -> Wire:
        """Return a joined session of the role backend, on the wire. Close it."""
        return self.session(BACKEND, BACKEND, realm=realm)

    def session(self, role: str, authid: str, *, realm: str | None = None, **claims: object) -> Wire:
        """Return a joined session of any role, on the wire: backend by the socket, others as browsers. Close it."""
        ticket = self.tickets(realm).mint(role, authid, **claims)
        wire = Wire(self.url if role == BACKEND else self.ws_url)
        try:
            return wire.join(realm or self.realm, ticket)
        except BaseException:
            wire.close()
            raise

    def page(
        self, *, user: object = None, role: str | None = None, authid: str | None = None, **claims: Any
    ) -> RouterPage:
        """Return a person's page, as :meth:`MemoryRealm.page`, on this router. Leave it, or use it in a ``with``.

        :param user: the id of a person who is logged in, or a Flask-Login user; without it, a visitor.
        :param role: theirs, if it is not ``user``.
        :param authid: of somebody else, such as ``agent:web1``.
        :param claims: what their ticket says besides, such as ``team=1`` or ``team=[1, 2]``.
        :raises ValueError: for what cannot stand in a ticket.
        """
        visit = Visit.of(self._roles, user, role, authid)
        return RouterPage(self.session(visit.role, visit.authid, realm=None, **claims))

    def stop(self) -> None:
        """End it in order; nothing when it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill9(self) -> None:
        """Kill -9 the node with its workers; nothing when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process = None
            wait_until(lambda: is_free(self.port, self.spec.interface), 5)  # its workers die on their own time

    def restart(self) -> Self:
        """Stop and start, on the same port, socket and secret."""
        self.stop()
        return self.start()

    def log(self) -> str:
        """Return what Crossbar has logged so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def has_logged(self, text: str, timeout: float = 10.0) -> bool:
        """Return whether Crossbar logs ``text`` within ``timeout`` seconds: its processes write a little later."""
        return wait_until(lambda: text in self.log(), timeout)

    def close(self) -> None:
        """Stop, and remove the temporary folder."""
        self.stop()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()
