"""What chat refuses, as an error in WAMP."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from wampflask import CallFailed
from wampflask.apps.extensions import db

from .errors import ChatError, TooFast

P = ParamSpec("P")
R = TypeVar("R")


def answering(procedure: Callable[P, R]) -> Callable[P, R]:
    """Decorator: a refusal leaves as its error in WAMP, and the transaction is undone."""

    @wraps(procedure)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return procedure(*args, **kwargs)
        except TooFast as error:
            db.session.rollback()
            raise CallFailed(error.uri, str(error), seconds=error.seconds) from None
        except ChatError as error:
            db.session.rollback()
            raise CallFailed(error.uri, str(error)) from None

    return answered
