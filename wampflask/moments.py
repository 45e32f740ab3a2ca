"""Moments of the connection's life: the part of :class:`wampflask.WAMP` that runs functions at them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask

from . import signals
from ._current import KEY
from ._declarations import Declarations, Handler, check_handler, place
from .errors import ConfigError
from .signals import Moment

if TYPE_CHECKING:
    from weakref import WeakSet

    from ._client import Client

H = TypeVar("H", bound=Handler)


class Moments:
    """A part of :class:`wampflask.WAMP`."""

    _declarations: Declarations
    _clients: WeakSet[Client]
    _moments: list[tuple[Moment, Handler, Callable[..., None]]]

    def on(self, moment: Moment) -> Callable[[H], H]:
        """Decorator: run a function at a moment of the connection's life, in a thread of its own and an app context.

        :param moment: ``connected``: a session was joined; ``ready``: everything declared is confirmed, also after each
            reconnect; ``lost``: the session ended though nobody asked for it; ``dropped``: something queued was
            dropped; ``stopping``: this process ends in order, and can still publish and call. The function takes any
            of the keywords of the signal of this name (:mod:`wampflask.signals`), or none.
        :raises ConfigError: for another moment, or a function that is asynchronous or a generator.
        """
        if moment not in signals.MOMENTS:
            raise ConfigError(f"{moment!r} is not a moment of a connection: use {', '.join(signals.MOMENTS)}.")

        def declare(handler: H) -> H:
            check_handler(handler)
            self._declarations.check_open()
            receiver = partial(self._run_at, moment, handler)
            self._moments.append((moment, handler, receiver))
            signals.MOMENTS[moment].connect(receiver)  # for as long as this object lives
            return handler

        return declare

    def _run_at(self, moment: Moment, handler: Handler, app: Flask, **details: Any) -> None:
        """Run a handler at a moment of an app that this object serves; one that fails keeps no other from running."""
        if app.extensions.get(KEY) not in self._clients:
            return
        taken = signature(handler).parameters
        try:
            handler(**{name: value for name, value in details.items() if name in taken})
        except Exception:
            app.logger.exception("%s failed at the moment %r", place(handler), moment)
