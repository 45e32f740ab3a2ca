"""Refuses what no view can use: numbers too great for an id, names too long for a file, bad JSON."""

from __future__ import annotations

from typing import Any

from flask import Flask, abort, g, request
from flask.json.provider import DefaultJSONProvider
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.routing import IntegerConverter, PathConverter, UnicodeConverter, ValidationError

from wampflask import InvalidPayload
from wampflask.payload import clean_value

ID_MAX = 2**63 - 1
"""The greatest integer of SQLite and PostgreSQL."""
NAME_MAX = 255
"""Bytes of a name in an address: what file systems take."""


def init_app(app: Flask) -> None:
    """Bound ``<name>``, ``<int:name>`` and ``<path:name>`` in every route; call it before any is added."""
    app.url_map.converters.update({"default": Name, "string": Name, "int": Id, "path": Path})
    app.json_provider_class = JSON
    app.json = JSON(app)
    app.before_request(_check_query)


def _check_query() -> None:
    """Refuse a NUL in a query: PostgreSQL has no text with one."""
    if any("\0" in value for value in request.args.values()):
        abort(400, "The address has a character that is not text.")


class Id(IntegerConverter):
    """A whole number that a database can look for."""

    regex = rf"[0-9]{{1,{len(str(ID_MAX))}}}"

    def to_python(self, value: str) -> int:
        """:raises ValidationError: it is too great."""
        number = int(super().to_python(value))
        if number > ID_MAX:
            raise ValidationError
        return number


class Name(UnicodeConverter):
    """Text that can be a key, or a file's name."""

    def to_python(self, value: str) -> str:
        """:raises ValidationError: it is too long, or has a NUL."""
        return str(super().to_python(_checked(value)))


class Path(PathConverter):
    """Names with slashes between them."""

    def to_python(self, value: str) -> str:
        """:raises ValidationError: one is too long, or has a NUL."""
        for name in value.split("/"):
            _checked(name)
        return str(super().to_python(value))


def _checked(name: str) -> str:
    if "\0" in name or len(name.encode()) > NAME_MAX:
        raise ValidationError
    return name


class JSON(DefaultJSONProvider):
    """Reads JSON as strictly as WAMP's payloads are: of bounded depth, with finite numbers and valid text."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """:raises ValueError: it is not such JSON; Flask answers 400."""
        try:
            return clean_value(super().loads(s, **kwargs), "body")
        except (RecursionError, InvalidPayload) as error:
            raise ValueError(str(error)) from None


class Forms(CSRFProtect):  # type: ignore[misc]
    """The CSRF check of every form; one sent as JSON must be an object of texts."""

    def protect(self, *args: Any, **kwargs: Any) -> None:
        """:raises werkzeug.exceptions.BadRequest: the token, or the JSON, is wrong."""
        try:
            super().protect(*args, **kwargs)
        except ValueError as error:  # a Referer that is not an address
            raise CSRFError(str(error)) from None
        if g.get("csrf_valid") and request.is_json and not _is_form(request.get_json()):
            abort(400, "Send an object whose values are texts.")


def _is_form(sent: object) -> bool:
    return isinstance(sent, dict) and all(isinstance(value, str) for value in sent.values())
