"""Values of table columns as JSON and back, for :mod:`wampflask.binding`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

from sqlalchemy import Column
from sqlalchemy.orm import ColumnProperty, Mapper

from .errors import ConfigError
from .payload import MAX_INTEGER

__all__ = ["Field", "key_of", "of"]

MAX_SMALL = 2**31 - 1
"""What every database's INTEGER takes."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column: ``to_json`` never fails on what the column holds; ``from_json`` raises ValueError for people."""

    name: str
    column: Column[Any]
    kind: type[Any]

    @property
    def default(self) -> Any:
        """A new row's value where none is given; None where it is not known beforehand."""
        default: Any = self.column.default
        return default.arg if default is not None and default.is_scalar else None

    def to_json(self, value: Any) -> Any:
        """Return a value as JSON."""
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, UUID):
            return value.hex
        return str(value) if isinstance(value, Decimal) else value

    def from_json(self, value: object) -> Any:
        """Return the value as Python has it.

        :raises ValueError: the value is not for this column.
        """
        if value is None:
            if not self.column.nullable:
                raise ValueError(f"{self.name} must have a value.")
            return None
        read = next(reader for kind, reader in _READERS.items() if issubclass(self.kind, kind))
        found = read(self.kind, value)
        if found is None:
            raise ValueError(f"{self.name} must be {_WORDS.get(self.kind, 'one of the values of its kind')}.")
        longest = getattr(self.column.type, "length", None)
        if isinstance(found, str) and not isinstance(found, Enum) and longest is not None and len(found) > longest:
            raise ValueError(f"{self.name} is too long: {len(found)} characters, at most {longest}.")
        return found


def of(mapper: Mapper[Any], names: Iterable[str]) -> dict[str, Field]:
    """Return the named attributes.

    :raises ConfigError: one is not a column, or of a type that has no JSON form.
    """
    return {name: _field(mapper, name) for name in names}


def key_of(mapper: Mapper[Any]) -> Field:
    """Return the primary key.

    :raises ConfigError: it is several columns, or cannot stand in a URI.
    """
    if len(mapper.primary_key) != 1:
        raise ConfigError(f"{mapper.class_.__name__} has a primary key of several columns; a bound model has one.")
    field = _field(mapper, mapper.get_property_by_column(mapper.primary_key[0]).key)
    if field.kind not in (int, UUID):
        raise ConfigError(f"{mapper.class_.__name__}.{field.name} must be an integer or UUID: it stands in URIs.")
    return field


def _field(mapper: Mapper[Any], name: str) -> Field:
    found = mapper.attrs.get(name)
    if not isinstance(found, ColumnProperty) or not isinstance(found.columns[0], Column):
        raise ConfigError(f"{mapper.class_.__name__}.{name} is not a column: bind columns only.")
    column = found.columns[0]
    try:
        kind = column.type.python_type
    except NotImplementedError:
        kind = object
    if not any(issubclass(kind, known) for known in _READERS):
        raise ConfigError(f"{mapper.class_.__name__}.{name} has no JSON form: bind other columns.")
    return Field(name, column, kind)


def _enum(kind: type[Any], value: object) -> Any:
    return next((member for member in kind if member.value == value), None)


def _bool(_kind: type[Any], value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _int(_kind: type[Any], value: object) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= min(MAX_SMALL, MAX_INTEGER)
    return value if fits else None  # type: ignore[return-value]


def _float(_kind: type[Any], value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _str(_kind: type[Any], value: object) -> str | None:
    return value if isinstance(value, str) and "\0" not in value else None


def _moment(kind: type[Any], value: object) -> Any:
    try:
        return kind.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _decimal(_kind: type[Any], value: object) -> Decimal | None:
    try:
        found = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def _uuid(_kind: type[Any], value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


# In this order: an enum may be text, a bool is an int, a datetime is a date.
_READERS: dict[type[Any], Callable[[type[Any], object], Any]] = {
    Enum: _enum,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    datetime: _moment,
    date: _moment,
    Decimal: _decimal,
    UUID: _uuid,
}
_WORDS: dict[type[Any], str] = {
    bool: "true or false",
    int: f"a whole number between -{MAX_SMALL:,} and {MAX_SMALL:,}",
    float: "a number",
    str: "text",
    datetime: "a moment such as 2026-01-31T12:00:00+00:00",
    date: "a day such as 2026-01-31",
    Decimal: "a number as text, such as 1.50",
    UUID: "32 hex digits",
}
