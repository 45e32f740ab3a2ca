"""Turns columns into the admin's form fields and filters, where Flask-Admin's defaults do not fit."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from flask_admin.contrib.sqla.filters import (
    EnumEqualFilter,
    EnumFilterEmpty,
    EnumFilterInList,
    EnumFilterNotEqual,
    EnumFilterNotInList,
    FilterConverter,
)
from flask_admin.contrib.sqla.form import AdminModelConverter
from flask_admin.form import DateTimeField
from flask_admin.model import filters
from flask_admin.model.form import converts
from sqlalchemy import BigInteger
from wtforms import IntegerField, SelectField
from wtforms.validators import NumberRange

from .fields import NumberField

_LARGEST = {"INTEGER": 2**31 - 1, "BIGINT": 2**63 - 1}


def enum_labels(kind: type[StrEnum]) -> dict[str, str]:
    """Return what people read for each value of an enumeration: its ``label``, else its name in words."""
    return {member.value: getattr(member, "label", "") or _words(member.name) for member in kind}


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


class MomentField(DateTimeField):  # type: ignore[misc]
    """A moment in UTC, to the second; one that was not edited keeps its fraction."""

    data: datetime | None

    def process_data(self, value: Any) -> None:
        """Show it in UTC."""
        super().process_data(None if value is None else value.astimezone(UTC))

    def process_formdata(self, valuelist: Any) -> None:
        """:raises ValueError: not a moment."""
        super().process_formdata(valuelist)
        if self.data is None:
            return
        self.data = self.data.replace(tzinfo=UTC)
        before = self.object_data
        if before is not None and before.astimezone(UTC).replace(microsecond=0) == self.data:
            self.data = before


class Converter(AdminModelConverter):  # type: ignore[misc]
    """Fields for all types of the site's columns. A column without one is refused at the start, not left out."""

    def convert(self, model: Any, mapper: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        """:raises TypeError: a column of ``form_columns`` has a type without a field."""
        field = super().convert(model, mapper, name, *args, **kwargs)
        if field is None and name in (getattr(self.view, "form_columns", None) or ()):
            raise TypeError(f"The admin has no form field for {model.__name__}.{name}: add one to {__name__}.")
        return field

    @converts("Float")  # type: ignore[untyped-decorator]
    def convert_float(self, field_args: dict[str, Any], **_more: Any) -> NumberField:
        """Return a field for Float, which since SQLAlchemy 2.1 is not a Numeric, the only one Flask-Admin knows."""
        return NumberField(**field_args)

    @converts("wampflask.apps.db.UTCDateTime")  # type: ignore[untyped-decorator]
    def convert_moment(self, field_args: dict[str, Any], **_more: Any) -> MomentField:
        """Return a field that names its time zone."""
        field_args["description"] = field_args.get("description") or "UTC"
        return MomentField(**field_args)

    @converts("Integer")  # type: ignore[untyped-decorator]
    def handle_integer_types(self, column: Any, field_args: dict[str, Any], **_more: Any) -> IntegerField:
        """Return a field bounded by what the column can hold."""
        most = _LARGEST["BIGINT" if isinstance(column.type, BigInteger) else "INTEGER"]
        field_args["validators"].append(NumberRange(-most, most))
        return IntegerField(**field_args)

    @converts("sqlalchemy.sql.sqltypes.Enum")  # type: ignore[untyped-decorator]
    def convert_enum(self, column: Any, field_args: dict[str, Any], **_more: Any) -> SelectField:
        """Return a field of the members' values, which are stored; Flask-Admin's has their names and selects none."""
        kind = column.type.enum_class
        return SelectField(**{"choices": enum_labels(kind), "coerce": kind, **field_args})


class _ByValue:
    """Reads an enumeration's value in an address; other words are refused."""

    enum_class: Any

    def clean(self, value: Any) -> Any:
        return self.enum_class(value)


class _ByValues(_ByValue):
    def clean(self, value: Any) -> Any:
        return [self.enum_class(one.strip()) for one in value.split(",") if one.strip()]


class _EnumEqual(_ByValue, EnumEqualFilter):  # type: ignore[misc]
    pass


class _EnumNotEqual(_ByValue, EnumFilterNotEqual):  # type: ignore[misc]
    pass


class _EnumInList(_ByValues, EnumFilterInList):  # type: ignore[misc]
    pass


class _EnumNotInList(_ByValues, EnumFilterNotInList):  # type: ignore[misc]
    pass


class Filters(FilterConverter):  # type: ignore[misc]
    """Filters of lists, with labels for enumerations; a value that no row can have is ignored."""

    enum = (_EnumEqual, _EnumNotEqual, EnumFilterEmpty, _EnumInList, _EnumNotInList)

    @filters.convert("enum")  # type: ignore[untyped-decorator]
    def conv_enum(self, column: Any, name: str, options: Any = None, **kwargs: Any) -> list[Any]:
        """Return Flask-Admin's filters, with the enumeration's labels."""
        options = options or list(enum_labels(column.type.enum_class).items())
        return list(super().conv_enum(column, name, options, **kwargs))
