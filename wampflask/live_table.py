"""``{{ live_table(values) }}``: a bound table in a page, editable and live, without any JavaScript of the app's.

It is rendered in place, so that it can be read without JavaScript; then cells are fields for people who may write, rows
can be added and deleted, what others change shows at once, and of a conflict both sides are shown.

An app that wants markup of its own writes it between ``{% call live_table(values) %}`` and ``{% endcall %}``; the parts
are found by their attributes (docs/binding.md), of which ``values.attributes(row)`` writes those of a row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from . import assets
from ._current import current_client

if TYPE_CHECKING:
    from .binding import Binding
    from .caller import Caller
    from .columns import Field

__all__ = ["live_table"]

TEXTS = {
    "actions": "Actions",
    "add": "Add",
    "adding": "Add a row",
    "cancel": "Cancel",
    "conflict": "Someone else changed this row while you were writing:",
    "delete": "Delete",
    "deleting": "Delete this row?",
    "empty": "No rows yet.",
    "first": "First page",
    "gone": "Someone else deleted this row. What you wrote is still here to copy.",
    "lost": "That did not get through. What you wrote is still here: try again.",
    "mine": "Keep mine",
    "next": "Next page",
    "no": "no",
    "theirs": "Take theirs",
    "yes": "yes",
}
"""What it says, in English."""

PAGE = 500
"""Rows that are rendered; the page fetches the others."""

_SECONDS = len("2026-01-31T12:00:00")


def live_table(
    values: Binding,
    *,
    columns: Iterable[str] | None = None,
    labels: Mapping[str, str] | None = None,
    editable: bool | Collection[str] = True,
    add: bool | None = None,
    caption: str = "",
    group: object = None,
    limit: int | None = None,
    texts: Mapping[str, str] | None = None,
    caller: Callable[[], str] | None = None,
) -> Markup:
    """Return the table for the page that is being rendered; nothing for people who may not read it.

    :param values: what ``wamp.bind`` returned.
    :param columns: the fields to show, in this order; by default all.
    :param labels: what columns are called; by default their names.
    :param editable: False, or the columns that can be edited, where not all are.
    :param add: whether there is a form for new rows; by default where ``can_write`` allows a row without values.
    :param caption: the table's heading.
    :param group: whose rows are shown, where the table has groups: a value of the group's column.
    :param limit: rows of a page, where the table is shown page by page: the address ends with ``?<table>_after=…``.
    :param texts: instead of some of :data:`TEXTS`.
    :param caller: the markup between ``{% call %}`` and ``{% endcall %}``.
    :raises TypeError: for a column or text that there is not; for a group where there are none, or the other way
        round.
    """
    shown = tuple(values.fields if columns is None else columns)
    fixed = () if editable is True else tuple(name for name in shown if not editable or name not in editable)
    _check("columns", [*shown, *(labels or ()), *([] if isinstance(editable, bool) else editable)], values.fields)
    _check("texts", texts or (), TEXTS)
    word = _word(values, group)
    viewer = current_client().viewer()
    if not values.may_see(viewer, word):
        return Markup()
    wording = {**TEXTS, **(texts or {})}
    after = _after(values) if limit else None
    attributes = {
        "class": "live-table",
        "name": values.table,
        "group": word or None,
        "numbered": values.key.kind is int,
        "after": after,
        "limit": limit,
        **{name: wording[name] for name in ("gone", "lost", "yes", "no")},
    }
    if caller is not None:
        return _element(attributes, Markup(caller()))  # noqa: S704 - a template's output, escaped there
    writes = bool(editable) and viewer.role in values.writers
    attributes["asks"] = writes and values.differs
    cells = [
        Column.of(values.columns[name], labels or {}, wording, editable=writes and name not in fixed) for name in shown
    ]
    found, last = values.page(values.session(), viewer, _key(values, after), word, limit or PAGE)
    inner = _template().render(
        columns=cells,
        rows=[SimpleNamespace(row=row, values=values.describe(row)["values"]) for row in found],
        first=_address(values, None) if after is not None else None,
        next=_address(values, last) if limit and last is not None else None,
        values=values,
        writes=writes,
        may=(lambda row: values.may(viewer, row)) if writes and values.differs else None,
        new=_new(values, viewer, word, add) if writes else None,
        caption=caption,
        texts=wording,
    )
    return _element(attributes, Markup(inner))  # noqa: S704 - a template's output, escaped there


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is shown.

    :param kind: what the page makes of it: see ``browser/table/fields.js``.
    :param options: of a choice: JSON, and what it is called.
    """

    name: str
    label: str
    kind: str
    editable: bool
    nullable: bool
    longest: int | None
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, field: Field, labels: Mapping[str, str], texts: Mapping[str, str], *, editable: bool) -> Column:
        """Of a field of the model."""
        label = labels.get(field.name, field.name.replace("_", " ").capitalize())
        nullable = bool(field.column.nullable)
        longest = getattr(field.column.type, "length", None)
        return cls(field.name, label, _kind(field), editable, nullable, longest, _options(field, texts))

    def said(self, value: Any) -> str:
        """Return what its field says of a value."""
        if value is None:
            return ""
        if self.kind == "choice":
            return json.dumps(value)
        return str(value)[:_SECONDS] if self.kind == "moment" else str(value)

    def text(self, value: Any, texts: Mapping[str, str]) -> str:
        """Return a value to be read."""
        if isinstance(value, bool):
            return texts["yes" if value else "no"]
        return "" if value is None else str(value)


def _kind(field: Field) -> str:
    kind = field.kind
    if issubclass(kind, Enum) or (issubclass(kind, bool) and field.column.nullable):
        return "choice"
    if issubclass(kind, datetime):
        return "text" if getattr(field.column.type, "timezone", False) else "moment"  # a field has no time zones
    if issubclass(kind, str):
        return "lines" if field.column.type.__visit_name__ in ("text", "TEXT") else "text"
    known = {bool: "boolean", int: "integer", float: "number", date: "date", Decimal: "decimal"}
    return next((name for of, name in known.items() if issubclass(kind, of)), "text")


def _options(field: Field, texts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if issubclass(field.kind, Enum):
        return tuple((json.dumps(member.value), str(member.value)) for member in field.kind)
    return (("true", texts["yes"]), ("false", texts["no"])) if _kind(field) == "choice" else ()


def _after(values: Binding) -> Any:
    """Return the key after which the page begins, as it stands in the address; None for the first page."""
    text = request.args.get(f"{values.table}_after", "")
    after: Any = int(text) if values.key.kind is int and text.isdecimal() and text.isascii() else text
    return None if _key(values, after) is None else after


def _key(values: Binding, after: Any) -> Any:
    try:
        return values.key.from_json(after)
    except ValueError:
        return None


def _address(values: Binding, after: Any) -> str:
    """Return this page's address with another part of the table."""
    name = f"{values.table}_after"
    args = [(key, value) for key, value in request.args.items(multi=True) if key != name]
    return "?" + urlencode(args if after is None else [*args, (name, after)])


def _new(values: Binding, viewer: Caller, group: str, add: bool | None) -> dict[str, Any] | None:
    """Return what the form for a new row says before anybody has written in it; None for no form."""
    row = values.blank(group)
    for name, field in values.columns.items():
        if field.default is not None:
            setattr(row, name, field.default)
    if add is False or (add is None and not values.may_write(viewer, "create", row)):
        return None
    return {name: field.to_json(getattr(row, name)) for name, field in values.columns.items()}


def _word(values: Binding, group: object) -> str:
    if (group is None) != (values.groups is None):
        has = "has no groups" if values.groups is None else "has groups: say group=…"
        raise TypeError(f"live_table(): the table {values.table} {has}.")
    return "" if values.groups is None else values.groups.word_of(group) or ""


def _check(what: str, given: Iterable[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise TypeError(f"live_table({what}=…) names {name!r}; there are {', '.join(known)}.")


def _element(attributes: Mapping[str, Any], inner: Markup) -> Markup:
    said = [
        Markup("{}").format(name) if value is True else Markup('{}="{}"').format(name, value)
        for name, value in attributes.items()
        if value not in (None, False)
    ]
    return Markup("{}<live-table {}>{}</live-table>").format(assets.table_head(), Markup(" ").join(said), inner)


@cache
def _template() -> Template:
    folder = FileSystemLoader(assets.FOLDER / "table")
    loaded = Environment(
        loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    return loaded.get_template("table.html")
