"""Unexpected errors: logged under an id, which is all that people see of them; the last ones of a process are kept.

Kept are the exception's type and where it arose, never its text, in which there may be anything.
"""

from __future__ import annotations

import secrets
import sysconfig
import time
import traceback
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from flask import Flask

__all__ = ["LoggedError", "last_errors", "log_error"]

KEPT = 100
"""Errors that a process keeps."""

_KEY = "wampflask-errors"
_FOREIGN = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


@dataclass(frozen=True, slots=True)
class LoggedError:
    """One unexpected error.

    :param id: what people were shown, and the log has.
    :param at: seconds since the epoch.
    :param what: what went wrong, such as ``in the handler of shop.buy``.
    :param kind: the exception's type, such as ``builtins.KeyError``.
    :param place: where it arose in the app: file, line and function.
    """

    id: str
    at: float
    what: str
    kind: str
    place: str


def log_error(app: Flask, what: str, error: BaseException) -> str:
    """Log an error with its traceback, keep it, and return the new id that stands for it. Any thread."""
    number = secrets.token_hex(4)
    app.logger.error("Error %s %s", number, what, exc_info=error)
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    _kept(app).append(LoggedError(number, time.time(), what, kind, _place(error)))
    return number


def last_errors(app: Flask) -> list[dict[str, Any]]:
    """Return the last errors of this process, newest first, as plain data. Any thread."""
    return [asdict(error) for error in reversed(tuple(_kept(app)))]


def _kept(app: Flask) -> deque[LoggedError]:
    found: deque[LoggedError] = app.extensions.setdefault(_KEY, deque(maxlen=KEPT))
    return found


def _place(error: BaseException) -> str:
    """Return the innermost place that is the app's own, or else the innermost."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_FOREIGN)]
    last = next(reversed(own or frames), None)
    return f"{last.filename}:{last.lineno} ({last.name})" if last else ""
