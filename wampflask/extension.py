"""The blocking face: ``wamp = WAMP()`` beside ``db = SQLAlchemy()``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, current_app
from flask.logging import default_handler
from markupsafe import Markup

from . import _reactor, assets, cli, live_calls, payload, tickets, uris
from ._client import Client
from ._current import KEY, current_client
from ._registry import INVOKE_POLICIES, Handler, Invoke, Procedure, Registry, Subscription
from .config import Config
from .errors import AlreadyDeclared, ConfigError, InvalidURI, WampError
from .fragments import FETCH, Fragment, ListFragment
from .live import WORKER_LOST, Addressed, LiveThing, Log, P, Per, R, Rows, Value
from .locks import Lock
from .options import DEFAULT_CALL, DEFAULT_PUBLISH, CallOptions, PublishOptions
from .outbox import Message
from .patterns import Pattern
from .permissions import EVERYONE, PAGES, Permission
from .presence import Describe, Person, Presence, online
from .router.plugin.roster import CHANGED as PEOPLE_CHANGED
from .router.plugin.roster import LAST
from .servers import connect_when_served, is_loaded_by_command
from .status import Status
from .tickets import Identify
from .uris import Match

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session

    from .binding import Binding
    from .caller import Caller
    from .changes import Of

H = TypeVar("H", bound=Handler)


class WAMP:
    """Real time for a Flask app: publish and call as plain functions, handlers by decorator.

    One object may serve several apps; it keeps none of them. Declarations are made on it at any time, before or after
    ``init_app`` and before or after connecting. The functions that send need an app context, as in a view, a command
    or a handler, and may be called from any thread but the reactor's.

    :param app: calls :meth:`init_app` with it.
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._registry = Registry()
        self._permissions: list[Permission] = []
        self._live: list[LiveThing[..., Any]] = []
        self._fragments: dict[str, Fragment[..., Any]] = {}
        self._clients: list[Client] = []
        self._identify: Identify | None = None
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Prepare ``app``: read its ``WAMP_*`` configuration, once. Nothing connects yet.

        A worker of gunicorn or ``flask run`` connects as soon as it has loaded the app, anything else at its first
        request, publication or call, or by :meth:`connect`. A command of ``flask`` provides none of the procedures
        and hears none of the events that are declared, unless it calls :meth:`connect`: nobody's call should end up
        in somebody's shell.

        :raises ConfigError: naming the key with a wrong value.
        :raises WampError: when the app has a ``WAMP`` already.
        """
        if KEY in app.extensions:
            raise WampError("This app has a WAMP already. Import and use that one, and call init_app() once.")
        config = Config.from_mapping(app.config, Path(app.instance_path))
        client = Client(app, config, self._registry, serves=not is_loaded_by_command())
        app.extensions[KEY] = client
        self._clients.append(client)
        tickets.init_app(
            app,
            tickets=client.tickets,
            port=client.config.port,
            public_url=client.config.public_url,
            identify=lambda: self._identify() if self._identify else None,
        )
        assets.init_app(app, client_url=client.config.client_url)
        cli.init_app(app, lambda: self.permissions)
        _show_logs()
        app.jinja_env.globals["fragment"] = self.render_fragment
        app.before_request(_start)
        connect_when_served(client.start)

    # -- declaring

    def register(
        self,
        uri: str,
        *,
        match: Match = "exact",
        invoke: Invoke = "roundrobin",
        login_required: bool = False,
        roles: tuple[str, ...] = (),
    ) -> Callable[[H], H]:
        """Decorator: make a function a procedure that any session with permission may call.

        It runs in a handler thread, in an app context, with :data:`wampflask.caller` and ``current_user`` set; what
        it returns must be JSON. Raise :class:`CallFailed` to answer with an error of your own.

        :param uri: a strict URI, or a pattern for ``match`` prefix or wildcard.
        :param invoke: which worker the router chooses: single, first, last, roundrobin, random.
        :param login_required: only people who are logged in (role user or admin) may call.
        :param roles: only these roles may call.
        :raises InvalidURI: for a URI that is not strict. :raises AlreadyDeclared: when it is declared twice.
        """
        uris.check_own(uri, match)
        if invoke not in INVOKE_POLICIES:
            raise ConfigError(f"invoke={invoke!r} is not one of {', '.join(INVOKE_POLICIES)}.")

        def declare(handler: H) -> H:
            self._declare(Procedure(uri, handler, match, invoke, tuple(roles), login_required))
            return handler

        return declare

    def subscribe(
        self, topic: str, *, match: Match = "exact", single: bool = False, limit_calls: int | None = None
    ) -> Callable[[H], H]:
        """Decorator: run a function for each event of a topic, in a handler thread and an app context.

        :param topic: a strict URI, or a pattern for ``match`` prefix or wildcard; ``caller.uri`` is the event's topic.
        :param single: one worker of all runs it; another takes over within a second when that one ends.
        :param limit_calls: run it so many times in this process, then unsubscribe.
        :raises InvalidURI: for a URI that is not strict.
        """
        if not topic.startswith("wamp."):
            uris.check_own(topic, match)
        if limit_calls is not None and limit_calls < 1:
            raise ConfigError(f"limit_calls={limit_calls} must be 1 or more.")

        def declare(handler: H) -> H:
            self._declare(Subscription(topic, handler, match, single, limit_calls))
            return handler

        return declare

    def _declare(self, declaration: Procedure | Subscription) -> None:
        self._registry.add(declaration)
        for client in self._clients:
            client.declare(declaration)

    def permit(self, *permissions: Permission) -> None:
        """Declare who, besides this app's workers, may use which URI; the router enforces it."""
        self._permissions.extend(permissions)

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """Everything :meth:`permit` was told."""
        return tuple(self._permissions)

    def identify(self, who: Identify) -> Identify:
        """Decorator: say who asks for a ticket in the current request; ``None`` for a visitor.

        :param who: returns an :class:`~wampflask.tickets.Identity`, or ``None``.
        """
        self._identify = who
        return who

    # -- sending

    def publish(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """Publish an event and wait until the router has it.

        :raises NotConnected: there is no session. :raises NotAuthorized: the role may not.
        :raises WampTimeout: no acknowledgement in time; the event may have gone out.
        :raises InvalidPayload: a value is not JSON. :raises InvalidURI: ``topic`` is not strict.
        :raises QueueFull: ``WAMP_IN_FLIGHT_MAX`` others wait already. :raises WrongThread: in the reactor's thread.
        """
        current_client().publish(_message(topic, args, kwargs, options))

    def publish_later(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """Queue an event and return at once: sent in order, in batches, and kept through an outage.

        Up to ``WAMP_OUTBOX_MAX`` are kept; while the router is away the oldest is dropped and counted. What was on
        its way when the router died is sent again, so an event may arrive twice.

        :raises InvalidPayload: a value is not JSON. :raises InvalidURI: ``topic`` is not strict.
        :raises QueueFull: the router is there but took nothing for ``WAMP_PUBLISH_TIMEOUT``.
        """
        _reactor.refuse_reactor_thread("wamp.publish_later()")
        current_client().publish_later(_message(topic, args, kwargs, options))

    def publish_latest(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """Queue a value of which only the newest matters, and return at once.

        Each topic has at most one event every ``WAMP_LATEST_INTERVAL`` seconds, whatever the number of calls; the last
        value always arrives, after an outage too.

        :raises InvalidPayload: a value is not JSON. :raises InvalidURI: ``topic`` is not strict.
        :raises QueueFull: ``WAMP_LATEST_MAX`` other topics wait.
        """
        current_client().publish_latest(_message(topic, args, kwargs, options))

    def call(self, procedure: str, *args: Any, options: CallOptions = DEFAULT_CALL, **kwargs: Any) -> Any:
        """Call a procedure, wherever it is registered, and wait for its result.

        :returns: what the callee returned; a :class:`CallResult` when that is several values.
        :raises NotConnected: there is no session, or it was lost while waiting. :raises NoSuchProcedure: nobody has it.
        :raises NotAuthorized: the role may not. :raises WampTimeout: no result in time; the call is cancelled.
        :raises CallFailed: the callee's error. :raises InvalidPayload: a value is not JSON.
        :raises QueueFull: ``WAMP_IN_FLIGHT_MAX`` others wait already. :raises WrongThread: in the reactor's thread.
        """
        uris.check(procedure)
        clean_args, clean_kwargs = payload.clean(args, kwargs)
        return current_client().call(procedure, clean_args, clean_kwargs, options.timeout)

    # -- live things

    def value(
        self,
        uri: str,
        *,
        allow: Iterable[str] | str,
        per: Per = "all",
        every: float | None = None,
        procedure: str | None = None,
    ) -> Callable[[Callable[P, R]], Value[P, R]]:
        """Decorator: make a function's result live: pages that show it are right, and become right again.

        :param uri: such as ``shop.stock.<item>``; the names are the function's arguments.
        :param allow: the roles that may see it, or ``"everyone"``.
        :param per: ``all``, ``role`` or ``person``: see :class:`wampflask.live.LiveThing`.
        :param every: seconds between readings while somebody listens; for what changes without ``changed``.
        :param procedure: another procedure that answers with the state, taking the names as positional arguments.
        :raises ConfigError: when the function cannot be called with these names, or nobody may see it.
        :raises InvalidURI: for a URI that is not strict.
        """

        def declare(read: Callable[P, R]) -> Value[P, R]:
            thing = Value(_pattern(uri), read, allow=self._roles(allow), per=per, every=every)
            self._declare_live(thing, procedure)
            return thing

        return declare

    def rows(
        self, uri: str, *, allow: Iterable[str] | str, key: str = "id", per: Per = "all", every: float | None = None
    ) -> Callable[[Callable[P, R]], Rows[P, R]]:
        """Decorator: like :meth:`value`, for a keyed set of rows that appear, change and go.

        :param key: the name of a row's key in it.
        """

        def declare(read: Callable[P, R]) -> Rows[P, R]:
            thing = Rows(_pattern(uri), read, key=key, allow=self._roles(allow), per=per, every=every)
            self._declare_live(thing, None)
            return thing

        return declare

    def log(self, uri: str, *, allow: Iterable[str] | str) -> Callable[[Callable[P, R]], Log[P, R]]:
        """Decorator: make what is numbered and only grows live: each item once, in order, also after an outage.

        The function returns the stored items after ``since``; the result's ``append(item)`` sends a new one.

        :param uri: such as ``chat.room.<label>.message``.
        :param allow: the roles that may see it, or ``"everyone"``.
        """

        def declare(read: Callable[P, R]) -> Log[P, R]:
            thing = Log(_pattern(uri), read, allow=self._roles(allow))
            self._announce_live(thing)
            self._declare(live_calls.history(thing))
            return thing

        return declare

    def fragment(
        self,
        template: str,
        *,
        allow: Iterable[str] | str,
        of: Of | None = None,
        per: Per = "all",
        row: str | None = None,
        key: str = "id",
        name: str | None = None,
        every: float | None = None,
    ) -> Callable[[Callable[P, R]], Fragment[P, R]]:
        """Decorator: make a template a piece of a page that stays true.

        Templates show it by ``{{ fragment(name, …) }}``. The function returns the template's variables; its arguments
        are the fragment's.

        :param allow: the roles that may see it, or ``"everyone"``.
        :param of: models whose rows it shows, with Flask-SQLAlchemy: a model, whose primary key is the only argument,
            or a mapping from models to functions from a row to the arguments. Without it: ``changed()``.
        :param per: ``all``, ``role`` or ``person``: see :class:`wampflask.live.LiveThing`.
        :param row: the fragment is a list: the function returns rows, and the template renders one, by this name.
        :param key: a row's attribute that tells it from the others.
        :param name: what templates call it; by default the function's name.
        :raises ConfigError: when nobody may see it, or the function cannot be called so.
        """

        def declare(read: Callable[P, R]) -> Fragment[P, R]:
            options: dict[str, Any] = {"allow": self._roles(allow), "per": per, "every": every}
            options["name"] = name or getattr(read, "__name__", "")
            made: Fragment[P, R] = (
                Fragment(template, read, **options)
                if row is None
                else ListFragment(template, read, row=row, key=key, **options)
            )
            self._declare_fragment(made)
            if of is not None:
                from .changes import follow  # SQLAlchemy is there only where this is used

                follow(self._registry, made, of)
            return made

        return declare

    def _declare_fragment(self, fragment: Fragment[..., Any]) -> None:
        if fragment.name in self._fragments:
            raise AlreadyDeclared(f"Two fragments are called {fragment.name!r}: give one of them another name=.")
        if not self._fragments:
            self._declare(live_calls.fetch_procedure(self._fragments))
            self.permit(Permission.of_library(FETCH, call=PAGES))
        self._fragments[fragment.name] = fragment
        self._announce_live(fragment)

    def render_fragment(self, name: str, /, **args: Any) -> Markup:
        """``{{ fragment(name, …) }}`` of templates.

        :raises ConfigError: when there is no such fragment.
        """
        found = self._fragments.get(name)
        if found is None:
            known = ", ".join(sorted(self._fragments)) or "none"
            raise ConfigError(f"There is no fragment {name!r}; declared are: {known}.")
        return found.render(**args)

    def presence(self, uri: str, *, allow: Iterable[str] | str) -> Callable[[Describe], Presence]:
        """Decorator: make known who is here; the function describes a person to the others.

        :param uri: what pages follow, such as ``todo.team.{team}``.
        :param allow: the roles that may be here, and see who is.
        :raises InvalidURI: for a URI that is not strict.
        """

        def declare(describe: Describe) -> Presence:
            _pattern(uri)
            presence = Presence(uri, describe, allow=self._roles(allow))
            if not any(isinstance(thing, Presence) for thing in self._live):
                self._declare(Procedure(PEOPLE_CHANGED, self._people_changed))
            self._declare_live(presence, None)
            return presence

        return declare

    def _people_changed(self, news: list[tuple[str, list[str], list[str]]]) -> None:
        for topic, came, left in news:
            for thing in self._live:
                if isinstance(thing, Presence):
                    thing.people_changed(topic, came, left)

    def online(self, uri: str) -> list[Person]:
        """Who is here, such as in ``todo.team.7``; needs an app context.

        :raises NotConnected: there is no session. :raises WampTimeout: the router did not answer.
        """
        return online(f"{uris.check(uri)}.{LAST}")

    def _announce_live(self, thing: LiveThing[..., Any]) -> None:
        if not self._live:
            self.permit(Permission.of_library(WORKER_LOST, subscribe=PAGES))
        self._live.append(thing)
        self.permit(*thing.permissions())

    def _declare_live(self, thing: Addressed[..., Any], procedure: str | None) -> None:
        self._announce_live(thing)
        for declaration in live_calls.procedures(thing, procedure):
            self._declare(declaration)
        if procedure is not None:
            self.permit(Permission(procedure, call=thing.allow))

    def _roles(self, allow: Iterable[str] | str) -> tuple[str, ...]:
        if isinstance(allow, str):
            return PAGES if allow == EVERYONE else (allow,)
        return tuple(allow)

    def changed(self, uri: str, *keys: str | int) -> None:
        """Say that a live thing has changed: it is read and sent soon; in a transaction, after its end.

        Costs nothing while nobody listens. Any thread but the reactor's; needs an app context.

        :param uri: the full URI, such as ``shop.stock.tea``.
        :param keys: of rows that have changed; none means any.
        :raises InvalidURI: when no live thing has this URI.
        """
        for thing in self._live:
            if isinstance(thing, Addressed) and (args := thing.pattern.read(uri)) is not None:
                thing.mark(args, keys)
                return
        raise InvalidURI(f"No live thing has the URI {uri!r}: declare it with @wamp.value or @wamp.rows.")

    def after_commit(self, session: Session | scoped_session[Any]) -> AfterCommit:
        """The three publish functions for a transaction: sent when it commits, dropped when it rolls back."""
        return AfterCommit(session)

    def bind(
        self,
        model: type[Any],
        *,
        fields: Iterable[str],
        can_read: Callable[[Caller, Any], bool] | None = None,
        can_write: Callable[[Caller, str, Any], bool] | None = None,
        table: str | None = None,
        readers: Iterable[str] = PAGES,
        writers: Iterable[str] = PAGES,
        session: Callable[[], Any] | None = None,
    ) -> Binding:
        """Let pages follow and change a model's rows: see :mod:`wampflask.binding`, which needs SQLAlchemy.

        :param readers: roles that may hear of rows at all; ``can_read(caller, row)`` decides about each.
        :param writers: roles that may write at all; ``can_write(caller, action, row)`` decides about each.
        :raises ConfigError: saying what the model lacks.
        """
        from .binding import Binding, permissions_for  # SQLAlchemy is there only where this is used

        bound = Binding(
            self, model, fields=fields, can_read=can_read, can_write=can_write, table=table, session=session
        )
        bound.watch()
        self.permit(*permissions_for(bound.table, readers=readers, writers=writers))
        return bound

    # -- the connection

    def connect(self, timeout: float | None = None) -> None:
        """Connect now, to serve what was declared, and wait until every declaration is confirmed.

        :param timeout: seconds, default ``WAMP_CONNECT_TIMEOUT``.
        :raises NotConnected: when that takes longer, with the reason.
        :raises UnsafeProcess: when a reactor cannot run in this process.
        """
        client = current_client()
        client.connect(client.config.connect_timeout if timeout is None else timeout)

    @property
    def status(self) -> Status:
        """The connection of the current app in this process: a snapshot, from any thread."""
        return current_client().status

    @property
    def csp_hash(self) -> str:
        """What ``script-src`` of a Content-Security-Policy needs for :func:`wamp_head`'s import map: ``'sha256-…'``.

        Needs a request, as it depends on the app's prefix; a policy with nonces can do without.
        """
        return assets.csp_hash()

    def revoke(self, authid: str) -> None:
        """End a login's live sessions and refuse the tickets it was given so far: for log-out, password change, ban.

        Never fails because the router is away: its tickets are refused when it is back, and sessions are ended then.

        :param authid: such as ``user:17``.
        """
        client = current_client()
        file = Path(current_app.instance_path) / tickets.REVOKED_FILE
        tickets.revoke(file, authid, lifetime=client.config.ticket_lifetime)
        client.kill_sessions(authid)

    def lock(self, name: str) -> Lock:
        """A lock over all processes of the realm; use it with ``with``, which raises :class:`LockTaken` if it is held.

        :param name: a strict URI; it stands below ``wampflask.lock.``.
        """
        return Lock(current_client(), name)


class AfterCommit:
    """What :meth:`WAMP.after_commit` returns. A payload that is not JSON is refused at once, before the commit."""

    def __init__(self, session: Session | scoped_session[Any]) -> None:
        self._session = session

    def publish(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """:meth:`WAMP.publish` when the transaction commits; what it raises then is logged."""
        self._when_committed(current_client().publish, _message(topic, args, kwargs, options))

    def publish_later(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """:meth:`WAMP.publish_later` when the transaction commits."""
        self._when_committed(current_client().publish_later, _message(topic, args, kwargs, options))

    def publish_latest(self, topic: str, *args: Any, options: PublishOptions = DEFAULT_PUBLISH, **kwargs: Any) -> None:
        """:meth:`WAMP.publish_latest` when the transaction commits."""
        self._when_committed(current_client().publish_latest, _message(topic, args, kwargs, options))

    def changed(self, thing: LiveThing[..., Any], *keys: str | int, **args: Any) -> None:
        """What the thing's own ``changed`` does, when the transaction commits."""
        from .transactions import when_committed

        client, topic = current_client(), thing.topic(args)
        names = tuple(map(str, keys))
        client.expect_change()
        when_committed(self._session, lambda: client.changed(thing, topic, args, names))

    def _when_committed(self, send: Callable[[Message], None], message: Message) -> None:
        from .transactions import when_committed  # SQLAlchemy is there only where this is used

        when_committed(self._session, lambda: send(message))


def _pattern(uri: str) -> Pattern:
    pattern = Pattern.parse(uri)
    uris.check_own(pattern.uri, pattern.match)
    return pattern


def _start() -> None:
    """Connect with the first request where no server did so before."""
    current_client().start()


def _message(topic: str, args: tuple[Any, ...], kwargs: dict[str, Any], options: PublishOptions) -> Message:
    uris.check_own(topic)
    return Message(topic, *payload.clean(args, kwargs), options)


def _show_logs() -> None:
    """Let what Twisted, autobahn and we say be seen where Flask's own log is, unless logging is configured already."""
    import logging

    for name in ("wampflask", "twisted"):
        logger = logging.getLogger(name)
        if not logger.hasHandlers():
            logger.addHandler(default_handler)
