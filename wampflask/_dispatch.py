"""Runs a handler in a pool thread, in the app's context: the one boundary between handlers and the wire.

What a handler raises leaves as itself only where it is meant for the caller (:class:`CallFailed`,
:class:`NotAuthorized`); anything else is logged with an id, and the caller gets that id alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any, TypeVar

from flask import Flask

from . import payload
from ._declarations import Declaration, Declarations, Job, Procedure, Subscription, arrange, place
from ._incoming import Incoming, Invocation
from ._pool import Pool
from .caller import AskClaims, Caller, ask_claims, current_caller
from .error_log import log_error
from .errors import INTERNAL, CallFailed, Cancelled, InvalidPayload, NotAuthorized, WampError
from .logins import has_logins, user_context
from .options import CallResult
from .permissions import BACKEND
from .progress import current_reporter

Done = TypeVar("Done")

INVALID_ARGUMENT = "wamp.error.invalid_argument"


class Dispatcher:
    """Hands invocations and events of one app to its handlers.

    :meth:`invoke` and :meth:`deliver` may be called in any thread and return at once.

    :param declarations: whose declarations they are; its ``user_loader`` is the app's own way to find a user.
    :param claims: asks the router what a session's ticket claims.
    """

    def __init__(self, app: Flask, pool: Pool, declarations: Declarations, claims: AskClaims) -> None:
        self._claims = claims
        self._app = app
        self._pool = pool
        self._declarations = declarations
        self._roles = declarations.roles

    def invoke(self, procedure: Procedure, invocation: Invocation) -> None:
        """Run a procedure's handler, and answer or refuse the invocation, in any thread."""
        caller = invocation.caller

        def task() -> None:
            if invocation.cancelled.is_set:
                return
            try:
                result = self.run_procedure(procedure, invocation)
            except WampError as error:
                invocation.refuse(error)
            else:
                invocation.answer(result)

        try:
            # Of pages' calls none goes first: they cannot be what a handler waits for.
            self._pool.submit(task, caller.uri if caller.role == BACKEND else None)
        except WampError as error:
            invocation.refuse(error)

    def run_procedure(self, procedure: Procedure, call: Incoming) -> Any:
        """Run the handler in this thread and return its cleaned result.

        :raises WampError: what the caller is to get; :class:`InvalidPayload` for arguments that are not JSON.
        """
        self._authorize(procedure, call.caller)
        args, kwargs = _arguments(procedure, call)
        try:
            with self._handler_context(call.caller), _reporting(call):
                return _clean_result(procedure.handler(*args, **kwargs))
        except (CallFailed, Cancelled, NotAuthorized):
            raise
        except Exception as error:
            raise self.internal(procedure.uri, procedure.handler, error) from error

    def deliver(self, subscription: Subscription, event: Incoming) -> None:
        """Run a subscription's handler.

        :raises QueueFull: when the pool is full; the event is not handled then.
        """
        self._pool.submit(lambda: self.run_subscription(subscription, event))

    def run_subscription(self, subscription: Subscription, event: Incoming) -> None:
        """Run the handler in this thread; what it raises is logged."""
        try:
            args, kwargs = _arguments(subscription, event)
        except (InvalidPayload, CallFailed) as error:
            self._app.logger.warning("An event of %s was not handled: %s", event.caller.uri, error)
            return
        try:
            with self._handler_context(event.caller):
                subscription.handler(*args, **kwargs)
        except Exception as error:
            self.internal(subscription.uri, subscription.handler, error)

    def run_for(self, caller: Caller, function: Callable[[], Done], done: Callable[[Done | None], None]) -> None:
        """Run something of the library's own for a caller, in the pool; ``done(result)`` follows, None if it failed."""
        try:
            self._pool.submit(lambda: self.run_for_here(caller, function, done))
        except WampError:
            done(None)

    def run_for_here(self, caller: Caller, function: Callable[[], Done], done: Callable[[Done | None], None]) -> None:
        """Do what :meth:`run_for` does, in this thread."""
        try:
            with self._handler_context(caller):
                result = function()
        except Exception:
            self._app.logger.exception("What %s asked for could not be read", caller.uri)
            done(None)
        else:
            done(result)

    def run(self, function: Callable[[], Any]) -> None:
        """Run something of the library's own, such as signal receivers, in the pool and in an app context."""

        def task() -> None:
            try:
                with self._app.app_context():
                    function()
            except Exception:
                self._app.logger.exception("A receiver of a wampflask signal failed")

        try:
            self._pool.submit(task)
        except WampError as error:
            self._app.logger.warning("A signal was not sent: %s", error)

    @contextmanager
    def _handler_context(self, caller: Caller) -> Iterator[None]:
        """Enter the app's context with :data:`wampflask.caller` set, and ``current_user`` if there is Flask-Login."""
        app, loader = self._app, self._declarations.user_loader
        token, claims_token = current_caller.set(caller), ask_claims.set(self._claims)
        try:
            with user_context(app, caller, loader) if has_logins(app) else app.app_context():
                yield
        finally:
            ask_claims.reset(claims_token)
            current_caller.reset(token)

    def _authorize(self, procedure: Procedure, caller: Caller) -> None:
        if procedure.login_required and caller.role not in self._roles.people:
            raise NotAuthorized(f"{procedure.uri} is for people who are logged in.")
        if procedure.roles and caller.role not in procedure.roles:
            raise NotAuthorized(f"{procedure.uri} is for the roles {', '.join(procedure.roles)}.")

    def internal(self, uri: str, handler: Callable[..., Any], error: Exception) -> CallFailed:
        """Log an error that nobody expected; what its caller gets."""
        return CallFailed(INTERNAL, log_error(self._app, f"in the handler of {uri}, {place(handler)}", error))


def run_job(app: Flask, job: Job) -> str:
    """Run a job in this thread and in an app context; the id of its error in the log, or ""."""
    try:
        with app.app_context():
            job.handler()
    except (Exception, SystemExit) as error:
        return log_error(app, f"in the job {job.name}, {place(job.handler)}", error)
    return ""


class _Parts:
    """Sends what a handler reports to its caller."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def check(self) -> None:
        if self._invocation.cancelled.is_set:
            raise Cancelled(f"Nobody waits for {self._invocation.caller.uri} any more.")

    def report(self, *values: Any) -> None:
        if self._invocation.report is not None:
            args, _ = payload.clean(values, {})
            self._invocation.report(args)


@contextmanager
def _reporting(call: Incoming) -> Iterator[None]:
    """Let :func:`wampflask.progress` reach the caller."""
    if not isinstance(call, Invocation):
        yield
        return
    token = current_reporter.set(_Parts(call))
    try:
        yield
    finally:
        current_reporter.reset(token)


def _clean_result(result: Any) -> Any:
    if isinstance(result, CallResult):
        return CallResult(*payload.clean(result.args, result.kwargs))
    return payload.clean_value(result)


def _arguments(declared: Declaration, incoming: Incoming) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return what the handler is called with. Wrong arguments are the caller's mistake: they are not logged as errors.

    :raises InvalidPayload: WAMP's JSON can carry bytes and NaN, and untrusted clients can send them: handlers get only
        what they may send themselves.
    :raises CallFailed: the handler does not take these arguments.
    """
    args, kwargs = payload.clean(incoming.args, incoming.kwargs)
    try:
        if declared.pattern is not None:
            found = arrange(declared.handler, declared.pattern, incoming.caller.uri or declared.uri, args, kwargs)
            if found is None:
                raise CallFailed(INVALID_ARGUMENT, f"{declared.pattern.text} has no such argument.")
            args, kwargs = found
        signature(declared.handler).bind(*args, **kwargs)
    except TypeError as error:
        raise CallFailed(INVALID_ARGUMENT, str(error)) from None
    return args, kwargs
