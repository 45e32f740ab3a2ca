"""What the site refuses, as one tree of errors.

Each carries a message for the person who asked. ``error_pages`` turns one into a page, ``answering`` into a WAMP error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SiteError(Exception):
    """A request that cannot be carried out.

    ``status`` is its HTTP status. ``code`` is the last component of its URI in WAMP, ``<app>.error.<code>``.
    ``details`` are keyword arguments of the WAMP error, for programs.
    """

    status = 422
    code = "invalid"
    details: Mapping[str, Any] = {}


class Invalid(SiteError, ValueError):
    """A value that is not allowed."""


class NotFound(SiteError):
    """Something that does not exist, or no longer does."""

    status = 404
    code = "not_found"


class Conflict(SiteError):
    """Not possible in the present state: closed, taken, changed by someone else."""

    status = 409
    code = "conflict"
