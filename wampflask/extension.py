"""The blocking face: ``wamp = WAMP()`` beside ``db = SQLAlchemy()``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from flask import Flask
from flask.logging import default_handler

from . import (
    _reactor,
    assets,
    audience,
    commands,
    http_errors,
    impersonal,
    logins,
    origins,
    payload,
    task_pages,
    ticket_endpoint,
    uris,
)
from . import options as _options
from ._client import Client
from ._current import KEY, current_client
from ._declarations import (
    INVOKE_POLICIES,
    Declarations,
    Handler,
    Invoke,
    Procedure,
    Subscription,
    check_handler,
    check_names,
)
from .admission import Admission
from .after_commit import AfterCommit
from .audience import Audience
from .autoconnect import DEVELOPED, connect_when_served, is_loaded_by_command, is_loaded_by_server
from .config import Config, environment
from .error_log import log_error
from .errors import ConfigError, InvalidURI, WampError
from .identity import Identify
from .job_declarations import JobDeclarations
from .live_declarations import LiveDeclarations
from .live_table import live_table
from .locks import Lock
from .meta import Meta
from .moments import Moments
from .options import DEFAULT_CALL, DEFAULT_PUBLISH, CallOptions, PublishOptions
from .patterns import Pattern
from .permissions import BACKEND, EVERYONE, Permission, shape_of
from .plugin.tickets import PEOPLE, PROGRAMS
from .publication import Publication
from .roles import Roles
from .status import Status
from .uris import Match

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session

    from .binding import Binding
    from .caller import Caller
    from .settings import Settings
    from .tasks import Queue

H = TypeVar("H", bound=Handler)
U = TypeVar("U", bound=logins.UserLoader)


class WAMP(LiveDeclarations, JobDeclarations, Moments, Admission):
    """Real time for a Flask app: publish and call as plain functions, handlers by decorator.

    One object may serve several apps; it keeps none of them. Declarations are made on it at any time, before or after
    ``init_app`` and before or after connecting. The functions that send need an app context, as in a view, a command
    or a handler, and may be called from any thread but the reactor's.

    :param app: calls :meth:`init_app` with it.
    :param name: what the URIs begin with that are made of functions' names: with ``name="demo"``,
        ``@wamp.register()`` on ``def ip()`` declares ``demo.ip``.
    :param roles: of people who are logged in, in place of user and admin; people who are not are visitors in any app.
    :param programs: roles of programs that join with tickets.
    :raises ConfigError: for a name that cannot be a role's.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        name: str = "",
        roles: Iterable[str] = PEOPLE,
        programs: Iterable[str] = PROGRAMS,
    ) -> None:
        super().__init__()
        self._name = uris.check(name) if name else ""
        self._declarations = Declarations(Roles.of(roles, programs))
        self._permissions: list[Permission] = []
        self._moments = []
        self._clients: WeakSet[Client] = WeakSet()  # an app has its client, and ends with it
        self._identify: Identify | None = None
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, *, serve: bool | None = None) -> None:
        """Prepare ``app``: read its ``WAMP_*`` configuration, once. Nothing connects yet.

        A worker of gunicorn or ``flask run`` connects as soon as it has loaded the app, anything else at its first
        request, publication or call, or by :meth:`connect`.

        Not every process that loads the app should answer calls: nobody's call should end up in somebody's shell or
        nightly job. Those that do not serve only send: they publish and call, but provide none of the procedures
        and hear none of the events that are declared.

        :param serve: ``True``: this process serves from its first connection on. ``False``: it never does.
            ``None``: workers of web servers do, from loading the app or from their first request on; commands,
            scripts and workers of job queues (Celery, Huey, RQ) only send, unless they call :meth:`connect`.
        :raises ConfigError: naming the key with a wrong value.
        :raises WampError: when the app has a ``WAMP`` already.
        """
        if KEY in app.extensions:
            raise WampError("This app has a WAMP already. Import and use that one, and call init_app() once.")
        config = Config.from_mapping({**environment("WAMP_"), **app.config}, Path(app.instance_path))
        serves = is_loaded_by_server() if serve is None else serve
        client = Client(
            app,
            config,
            self._declarations,
            permissions=lambda: self._permissions,
            serves=serves,
            may_serve=serve is not False,
        )
        app.extensions[KEY] = client
        self._clients.add(client)
        self._schedule(client)
        ticket_endpoint.init_app(
            app,
            tickets=client.tickets,
            port=config.port,
            public_url=config.public_url,
            pages=origins.Pages(Path(app.instance_path), config),
            identify=lambda: self._identify() if self._identify else logins.identify(self._declarations.roles),
        )
        http_errors.init_app(app)
        assets.init_app(app, client_url=config.client_url)
        commands.init_app(app)
        task_pages.init_app(app)
        _show_logs()
        app.jinja_env.globals["fragment"] = self.render_fragment
        app.jinja_env.globals["live_table"] = live_table
        app.before_request(lambda: self._watch_log_outs(app))
        app.before_request(_connect if is_loaded_by_command() else _serve)
        app.teardown_appcontext(_flush)
        connect_when_served(lambda: _served(app, client))

    def _watch_log_outs(self, app: Flask) -> None:
        if self._identify is None:  # otherwise the app alone knows its users' authids
            logins.revoke_at_log_out(app, self.revoke)

    # -- declaring

    def register(
        self,
        uri: str = "",
        *,
        allow: Iterable[str] | str = (),
        match: Match = "exact",
        invoke: Invoke = "roundrobin",
        login_required: bool = False,
        roles: Iterable[str] | str = (),
        rate: str | None = None,
    ) -> Callable[[H], H]:
        """Decorator: make a function a procedure that any session with permission may call.

        ``@wamp.register("shop.stock.<item>", allow="everyone")`` declares the permission, too, and the function's
        argument ``item`` is the component of the URI that was called.

        It runs in a handler thread, in an app context, with :data:`wampflask.caller` set and, where the app has
        Flask-Login, ``current_user``; what it returns must be JSON. Raise :class:`CallFailed` to answer with an error
        of your own. There is no HTTP request: ``request`` and ``session`` have nothing about the caller (Flask-Login
        makes Flask have an empty one).

        :param uri: a strict URI in which components may have names: see :class:`wampflask.patterns.Pattern`;
            or a pattern for ``match`` prefix or wildcard. Without it, the app's name and the function's.
        :param allow: roles that may call, or ``"everyone"``: the permission, declared here in place of
            :meth:`permit`. This app's workers always may.
        :param invoke: which worker the router chooses: single, first, last, roundrobin, random.
        :param login_required: of those with permission, only people who are logged in may call.
        :param roles: of those with permission, only these roles may call.
        :param rate: how often one caller may, such as ``"10/second"``, with ``allow``: :class:`wampflask.Permission`.
        :raises InvalidURI: for a URI that is not strict.
        :raises AlreadyDeclared: when it is declared twice.
        :raises ConfigError: for a role that does not exist, for a handler that is asynchronous or a generator, or that
            does not take the named components.
        """
        if not uri:
            options: Any = {"invoke": invoke, "login_required": login_required, "roles": roles, "match": match}
            return lambda handler: self.register(self._uri_of(handler), allow=allow, rate=rate, **options)(handler)
        pattern = _read_pattern(uri, match)
        if invoke not in INVOKE_POLICIES:
            raise ConfigError(f"invoke={invoke!r} is not one of {', '.join(INVOKE_POLICIES)}.")
        narrowed = self._declarations.roles.read(repr(uri), roles, backend=True)
        allowed = self._declarations.roles.read(repr(uri), allow)
        if allowed and (narrowed or login_required or match != "exact"):
            raise ConfigError(
                f"allow= of {uri!r} says who may call: leave out roles= and login_required=, and name components as "
                "<item> in place of match=."
            )
        if rate is not None and not allowed:
            raise ConfigError(f"rate= of {uri!r} goes with allow=, or into its Permission.")
        who = (*allowed, BACKEND) if allowed else narrowed

        def declare(handler: H) -> H:
            if pattern:
                made = Procedure(pattern.uri, handler, pattern.match, invoke, who, login_required, pattern=pattern)
            else:
                made = Procedure(uri, handler, match, invoke, who, login_required)
            self._declare(made)
            if allowed:
                self.permit(Permission(pattern.permission if pattern else uri, call=allowed, rate=rate))
            return handler

        return declare

    def subscribe(
        self, topic: str, *, match: Match = "exact", single: bool = False, limit_calls: int | None = None
    ) -> Callable[[H], H]:
        """Decorator: run a function for each event of a topic, in a handler thread and an app context.

        :param topic: a strict URI in which components may have names, as in :meth:`register`, or a pattern for
            ``match`` prefix or wildcard; ``caller.uri`` is the event's topic.
        :param single: one worker of all runs it; another takes over within a second when that one ends.
        :param limit_calls: how many times to run it in this process before unsubscribing.
        :raises InvalidURI: for a URI that is not strict.
        :raises ConfigError: for a handler that does not take the named components.
        """
        pattern = _read_pattern(topic, match) if not topic.startswith("wamp.") else None
        if limit_calls is not None and limit_calls < 1:
            raise ConfigError(f"limit_calls={limit_calls} must be 1 or more.")

        def declare(handler: H) -> H:
            if pattern:
                made = Subscription(pattern.uri, handler, pattern.match, single, limit_calls, pattern)
            else:
                made = Subscription(topic, handler, match, single, limit_calls)
            self._declare(made)
            return handler

        return declare

    @cached_property
    def settings(self) -> Settings:
        """The app's live settings: see :mod:`wampflask.settings`. Needs SQLAlchemy."""
        from .settings import Settings

        return Settings(self, self._declare)

    def _uri_of(self, handler: Handler) -> str:
        """Return the URI of a handler that was declared without one."""
        if not self._name:
            raise ConfigError("@wamp.register() without a URI takes the function's name, below that of WAMP(name='…').")
        return uris.check(f"{self._name}.{handler.__name__}")

    def _declare(self, declaration: Procedure | Subscription) -> None:
        check_handler(declaration.handler)
        if declaration.pattern is not None:
            check_names(declaration.handler, declaration.pattern)
        self._declarations.add(declaration)
        for client in tuple(self._clients):
            client.declare(declaration)

    def include(self, other: WAMP) -> None:
        """Take over everything that is declared on another ``WAMP``, such as that of a package with pages of its own.

        The other one needs no app; its ``publish``, ``call`` and ``changed`` work in the app of this one. Like a
        blueprint that is registered, it is complete then: declaring more on it is an error.

        :raises AlreadyDeclared: for a procedure or fragment that is declared on both.
        :raises ConfigError: when the other one has other roles, is included already, or has an app.
        """
        if other.roles != self.roles:
            raise ConfigError(
                f"The WAMP to include has the roles {other.roles.ticketed}, this one {self.roles.ticketed}: make both "
                "with the same roles=."
            )
        if other._clients or other is self:
            raise ConfigError("The WAMP to include has an app of its own, which serves what is declared on it.")
        other._declarations.check_open()
        self._include_live(other)
        for declaration in other._declarations:
            if not declaration.uri.startswith("wampflask."):  # the library's own comes with what it is for
                self._declare(declaration)
        self.permit(*(one for one in other._permissions if one not in self._permissions))
        for job in other._declarations.jobs.values():
            self._add_job(job)
        for moment, handler, _ in other._moments:
            self.on(moment)(handler)
        self._declarations.included += [other._declarations, *other._declarations.included]
        other._declarations.closed = True

    def forget(self, uri: str) -> None:
        """Take back everything that was declared as ``uri``: procedure, subscriptions, live thing, permission.

        Handlers that run already finish. In this process; other workers have their own declarations. So jobs stay: run
        once over all workers, a job would go on in the others. Its function may return at once instead.

        :param uri: as it was declared, such as ``shop.stock.<item>``.
        :raises InvalidURI: nothing is declared so.
        """
        found = self._declarations.remove(uri)
        kept = [permission for permission in self._permissions if permission.shape != shape_of(uri)]
        if not found and len(kept) == len(self._permissions):
            raise InvalidURI(f"Nothing is declared as {uri!r}.")
        self._forget_live(uri)
        self._permissions = kept
        for client in tuple(self._clients):
            client.forget(found)
            client.permissions_changed()

    def permit(self, *permissions: Permission) -> None:
        """Declare who, besides this app's workers, may use which URI; the router enforces it.

        :raises ConfigError: for a role that this app does not have.
        """
        self._declarations.check_open()
        self._permissions.extend(permission.for_roles(self._declarations.roles.read) for permission in permissions)
        for client in tuple(self._clients):
            client.permissions_changed()

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """Everything that was declared with :meth:`permit`, ``allow=`` and ``bind()``."""
        return tuple(self._permissions)

    @property
    def roles(self) -> Roles:
        """The roles of this app."""
        return self._declarations.roles

    def identify(self, who: Identify) -> Identify:
        """Decorator: say who asks for a ticket in the current request; ``None`` for a visitor.

        Without it, a person who is logged in by Flask-Login has the role user and the authid
        :func:`wampflask.user_authid` of their ``get_id()``, and log-out ends their live sessions.

        :param who: returns an :class:`~wampflask.Identity`, or ``None``.
        """
        self._identify = who
        return who

    def user_loader(self, load: U) -> U:
        """Decorator: find the person whom handlers have as Flask-Login's ``current_user``.

        Without it, that is done by Flask-Login's own ``user_loader``.

        :param load: takes what :func:`wampflask.user_authid` was given; returns a user, or ``None`` for nobody.
        """
        self._declarations.user_loader = load
        return load

    # -- sending

    def publish(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """Publish an event and wait until the router has it.

        :raises NotConnected: there is no session.
        :raises NotAuthorized: the role may not.
        :raises WampTimeout: no acknowledgement in time; the event may have gone out.
        :raises InvalidPayload: a value is not JSON.
        :raises InvalidURI: ``topic`` is not strict.
        :raises QueueFull: ``WAMP_IN_FLIGHT_MAX`` others wait already.
        :raises WrongThread: in the reactor's thread.
        :raises TypeError: ``options`` are not :class:`PublishOptions`.
        """
        current_client().publish(Publication.of("publish", topic, args, kwargs, options))

    def publish_later(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """Queue an event and return at once: sent in order, in batches, and kept through an outage.

        Up to ``WAMP_OUTBOX_MAX`` are kept; while the router is away the oldest is dropped and counted. What was on
        its way when the router died is sent again, so an event may arrive twice.

        :raises InvalidPayload: a value is not JSON, or the payload larger than the router takes.
        :raises InvalidURI: ``topic`` is not strict.
        :raises QueueFull: the router is there but took nothing for ``WAMP_PUBLISH_TIMEOUT``.
        """
        _reactor.refuse_reactor_thread("wamp.publish_later()")
        current_client().publish_later(Publication.of("publish_later", topic, args, kwargs, options))

    def publish_latest(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """Queue a value of which only the newest matters, and return at once.

        Each topic has at most one event every ``WAMP_LATEST_INTERVAL`` seconds, whatever the number of calls; the last
        value always arrives, after an outage too.

        :raises InvalidPayload: a value is not JSON, or the payload larger than the router takes.
        :raises InvalidURI: ``topic`` is not strict.
        :raises QueueFull: ``WAMP_LATEST_MAX`` other topics wait.
        """
        current_client().publish_latest(Publication.of("publish_latest", topic, args, kwargs, options))

    def call(self, procedure: str, *args: Any, options: CallOptions = DEFAULT_CALL, **kwargs: Any) -> Any:
        """Call a procedure, wherever it is registered, and wait for its result.

        :returns: what the callee returned; a :class:`CallResult` when that is several values.
        :raises NotConnected: there is no session, or it was lost while waiting.
        :raises NoSuchProcedure: nobody has it.
        :raises NotAuthorized: the role may not.
        :raises WampTimeout: no result in time; the call is cancelled.
        :raises CallFailed: the callee's error.
        :raises InvalidPayload: a value is not JSON.
        :raises QueueFull: ``WAMP_IN_FLIGHT_MAX`` others wait already.
        :raises WrongThread: in the reactor's thread.
        """
        uris.check(procedure)
        given = _options.check(options, CallOptions)
        _options.warn_of_options("call", kwargs, CallOptions, 2)
        clean_args, clean_kwargs = payload.clean(args, kwargs)
        return current_client().call(procedure, clean_args, clean_kwargs, given.timeout, given.on_progress)

    def to(
        self,
        *,
        user: object = None,
        visitor: str | None = None,
        session: int | Iterable[int] | None = None,
        except_user: object = None,
        except_session: int | Iterable[int] | None = None,
    ) -> Audience:
        """Address some: ``wamp.to(user=7).publish("notice", text="Hello")`` reaches every page of that person.

        Their roles must be permitted to subscribe the topic, as for any event. What is given together must all be true.

        :param user: an id, or a Flask-Login user; or a list of them.
        :param visitor: the authid of somebody who is not logged in, such as ``caller.authid``.
        :param session: one page, such as ``caller.session``, or a list of them.
        :param except_user: not to them.
        :param except_session: not to these pages.
        :raises TypeError: nobody is named.
        :raises ValueError: an id that cannot be a user's.
        """
        return audience.audience(self, user, visitor, session, except_user, except_session)

    def after_commit(self, session: Session | scoped_session[Any]) -> AfterCommit:
        """Return the publish functions for a transaction: sent when it commits, dropped when it rolls back."""
        return AfterCommit(session)

    def bind(
        self,
        model: type[Any],
        *,
        fields: Iterable[str],
        can_read: Callable[[Caller, Any], bool] | None = None,
        can_write: Callable[[Caller, str, Any], bool] | None = None,
        table: str | None = None,
        readers: Iterable[str] | str = EVERYONE,
        writers: Iterable[str] | str = EVERYONE,
        session: Callable[[], Any] | None = None,
        group: str = "",
        claim: str | None = "",
    ) -> Binding:
        """Let pages follow and change a model's rows: see :mod:`wampflask.binding`, which needs SQLAlchemy.

        :param readers: roles that may hear of rows at all; ``can_read(caller, row)`` decides about each.
        :param writers: roles that may write at all; ``can_write(caller, action, row)`` decides about each.
        :param group: the attribute that says what group a row is in, such as ``team_id``: a page then hears and asks
            of one group, ``tables.<table>.<group>.…``.
        :param claim: with ``group``: the claim of tickets that names the groups somebody may see; None for every
            group.
        :raises ConfigError: saying what the model lacks.
        """
        from .binding import Binding  # SQLAlchemy is there only where this is used

        read = self._declarations.roles.read
        reading, writing = read("bind(readers=…)", readers), read("bind(writers=…)", writers)
        bound = Binding(
            self,
            model,
            fields=fields,
            can_read=can_read,
            can_write=can_write,
            table=table,
            session=session,
            readers=reading,
            writers=writing,
            group=group,
            claim=claim,
        )
        bound.watch()
        self._permit_asking_again()
        return bound

    def queue(self, name: str) -> Queue:
        """Return the queue of this name, for tasks that ``flask wamp worker`` runs: see :mod:`wampflask.tasks`.

        :raises ConfigError: for a name that is not lower-case letters, digits and ``_``.
        """
        from .tasks import Queues  # Huey and SQLAlchemy are there only where this is used

        return Queues.declare(self, self._declarations, name)

    @property
    def queues(self) -> list[Queue]:
        """The queues that were declared so far."""
        if f"{__package__}.tasks" not in sys.modules:
            return []  # where there is none, Huey need not be installed
        from .tasks import Queues

        return Queues.declared(self._declarations)

    # -- the connection

    def connect(self, timeout: float | None = None) -> None:
        """Connect now, to serve what was declared, and wait until every declaration is confirmed.

        After ``init_app(app, serve=False)`` it only connects.

        :param timeout: seconds, default ``WAMP_CONNECT_TIMEOUT``.
        :raises NotConnected: when that takes longer, with the reason.
        :raises UnsafeProcess: when a reactor cannot run in this process.
        """
        client = current_client()
        client.connect(client.config.connect_timeout if timeout is None else timeout)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the router has everything that :meth:`publish_later` and :meth:`publish_latest` queued.

        A process that does not serve does this by itself at the end of each app context, and any process at its
        orderly end. Call it before ``os._exit``, and where it matters that nothing was lost.

        :param timeout: seconds, default ``WAMP_PUBLISH_TIMEOUT``.
        :raises NotConnected: something still waits then, and there is no session. What waits is kept.
        :raises WampTimeout: something still waits then.
        :raises WrongThread: in the reactor's thread.
        """
        client = current_client()
        client.flush(client.config.publish_timeout if timeout is None else timeout)

    @property
    def status(self) -> Status:
        """The connection of the current app in this process: a snapshot, from any thread."""
        return current_client().status

    @property
    def csp_hash(self) -> str:
        """What ``script-src`` of a Content-Security-Policy needs for ``wamp_head()``'s import map: ``'sha256-…'``.

        Needs a request, as it depends on the app's prefix; a policy with nonces can do without.
        """
        return assets.csp_hash()

    @property
    def meta(self) -> Meta:
        """What is in the realm now: sessions, procedures, topics, workers. See :class:`wampflask.meta.Meta`."""
        return Meta(current_client())

    def log_error(self, what: str, error: BaseException) -> str:
        """Log an unexpected error under a new id, which people may be shown; :meth:`Meta.errors` finds it."""
        return log_error(current_client().app, what, error)

    def lock(self, name: str) -> Lock:
        """Return a lock over all processes of the realm; ``with`` raises :class:`LockTaken` if it is held.

        :param name: a strict URI; it stands below ``wampflask.lock.``.
        """
        return Lock(current_client(), name)


def _served(app: Flask, client: Client) -> None:
    """Connect as soon as a server has loaded the app."""
    if DEVELOPED in os.environ:
        from . import cli

        cli.served(app, client.config)
    client.begin(serve=False)


def _serve() -> None:
    """Serve from the first request on: a process that answers requests is a web server's."""
    current_client().begin(serve=True)


def _connect() -> None:
    """Connect at the first request."""
    current_client().begin(serve=False)


def _flush(_error: BaseException | None) -> None:
    if not impersonal.is_inside():  # a reading, which is itself among what is waited for
        current_client().flush_unserved()


def _show_logs() -> None:
    """Let what Twisted, autobahn and we say be seen where Flask's own log is, unless logging is configured already."""
    import logging

    for name in ("wampflask", "twisted"):
        logger = logging.getLogger(name)
        if not logger.hasHandlers():
            logger.addHandler(default_handler)


def _read_pattern(uri: str, match: Match) -> Pattern | None:
    """Return the pattern of ``uri``; None for a URI without names, which is checked.

    :raises InvalidURI: for one that is not strict, or has both names and ``match``.
    """
    if "<" not in uri and "{" not in uri:
        uris.check_own(uri, match)
        return None
    if match != "exact":
        raise InvalidURI(f"{uri!r} has named components: leave out match={match!r}.")
    pattern = Pattern.parse(uri)
    uris.check_own(pattern.uri, pattern.match)
    return pattern
