"""Fragments: pieces of a page that stay true, without any JavaScript of the app's.

::

    @wamp.fragment("shop/_stock.html", allow="everyone", of=Item)
    def stock_card(item):
        return {"item": db.get_or_404(Item, item)}

A template shows one with ``{{ fragment("stock_card", item=3) }}``: it is rendered in place, so that the page works
without JavaScript too, and what has changed is sent and put in where the reader's focus and what they typed stay.

A fragment's arguments stand in the page, so they are signed: the key is both the signature and the topic's last word.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from typing import Any

from flask import Flask, current_app
from markupsafe import Markup, escape

from . import impersonal, payload
from ._current import current_client
from ._live_protocol import Per
from .errors import ConfigError
from .live import LiveThing, P, R
from .permissions import Permission
from .plugin.tickets import Tickets

__all__ = ["Fragment", "ListFragment"]

TOPICS = "wampflask.fragments"
FETCH = "wampflask.live.fetch"
"""The procedure by which a page asks for all its fragments at once."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PURPOSE = "wampflask.fragments"
_LISTS_MAX = 1000


class Fragment(LiveThing[P, R]):
    """What :meth:`wampflask.WAMP.fragment` makes of a function that returns a template's variables.

    A function that returns None has nothing to show; pages then remove it.

    :param template: its name, such as ``shop/_stock.html``.
    :param name: what templates call it.
    """

    def __init__(self, template: str, read: Callable[P, R], *, name: str, per: Per = "all", **options: Any) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"The fragment {name!r} needs a name of lower-case letters, digits and _.")
        self.name = name
        self.template = template
        self.per = per  # what is offered depends on it
        names = tuple(item for item in signature(read).parameters if item not in self.offered)
        super().__init__(f"the fragment {name}", names, read, per=per, **options)

    def topic(self, args: Mapping[str, Any]) -> str:
        """Return where its HTML goes."""
        return f"{TOPICS}.{self.name}.{self.key(args, current_client().tickets)}"

    def permissions(self) -> list[Permission]:
        """Subscribe, for a client that knows the key."""
        return [Permission.of_library(f"{TOPICS}.{self.name}.<!key>", subscribe=self.allow)]

    def key(self, args: Mapping[str, Any], tickets: Tickets) -> str:
        """Return the signature of these arguments: nobody without the ticket secret can find another's. Any thread.

        :raises TypeError: when they are not the fragment's arguments.
        """
        if set(args) != set(self.names):
            given = ", ".join(args) or "nothing"
            raise TypeError(f"{self.label} takes {', '.join(self.names) or 'no arguments'}; it was given {given}.")
        text = json.dumps([self.name, args], sort_keys=True, separators=(",", ":"))
        return hmac.digest(tickets.derive(_PURPOSE).encode(), text.encode(), "sha256").hex()[:32]

    # -- what is sent

    def state(self, args: Mapping[str, Any], offered: Mapping[str, Any], keys: Iterable[str] | None) -> Any:  # noqa: ARG002 - HTML has no keys
        """Return ``[digest, html]``; None when there is nothing to show."""
        html = self.html(args, offered, "")
        return None if html is None else [digest(html), html]

    # -- rendering

    def html(self, args: Mapping[str, Any], offered: Mapping[str, Any], token: str) -> str | None:
        """Return the HTML now.

        :param token: the value of ``csrf_field()``.
        """
        found = self._call({**args, **offered})
        return None if found is None else self.render_with({**args, **offered, **found}, token)

    def render_with(self, variables: dict[str, Any], token: str) -> str:
        """Return the template with these variables."""
        if self.per == "person":
            current_app.update_template_context(variables)
        else:
            variables |= impersonal.names_for(self.label)
        template = current_app.jinja_env.get_template(self.template)
        return template.render({**variables, "csrf_field": lambda: _csrf_field(token)})

    def render(self, **args: Any) -> Markup:
        """Return the element, for the page that is being rendered: ``{{ fragment(name, …) }}`` in a template.

        :raises Personal: when a fragment for all, or for a role, asks who somebody is.
        """
        clean = payload.clean_value(args, self.label)
        key = self.key(clean, current_client().tickets)
        mark = secrets.token_hex(16)  # it cannot stand in a text that is shown
        have, html = self._inline(clean, mark) or (digest(""), "")
        attributes = {
            "name": self.name,
            "args": json.dumps(clean, separators=(",", ":")),
            "key": key,
            "have": have,
        }
        text = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
        return Markup(f"<live-fragment {text}>{html.replace(mark, str(escape(_csrf_token())))}</live-fragment>")  # noqa: S704 - a template's output, escaped there

    def _inline(self, args: Mapping[str, Any], mark: str) -> tuple[str, str] | None:
        viewer = current_client().viewer()
        if self.per == "person":
            return self.first(args, {"viewer": viewer}, mark)
        offered = {"role": viewer.role} if self.per == "role" else {}
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's documented name
        return impersonal.run(app, self.label, lambda: self.first(args, offered, mark))

    def first(self, args: Mapping[str, Any], offered: Mapping[str, Any], mark: str) -> tuple[str, str] | None:
        """Return digest and HTML for a page that is being rendered.

        :param mark: the value of ``csrf_field()``, which the digest leaves out.
        """
        html = self.html(args, offered, mark)
        return None if html is None else (digest(html.replace(mark, "")), html)


class ListFragment(Fragment[P, R]):
    """A fragment whose function returns rows, each rendered by the template: rows appear, move and go by their key.

    :param row: what the template calls a row.
    :param key: a row's attribute that identifies it.

    The template gets ``key`` as well, and its outermost element says ``data-key="{{ key }}"``.
    """

    def __init__(self, template: str, read: Callable[P, R], *, row: str, key: str = "id", **options: Any) -> None:
        self._row = row
        self._row_key = key
        self._sent: OrderedDict[tuple[str, str], dict[str, str]] = OrderedDict()
        super().__init__(template, read, **options)

    def state(self, args: Mapping[str, Any], offered: Mapping[str, Any], keys: Iterable[str] | None) -> Any:  # noqa: ARG002 - the order needs all rows
        """Return ``[digest, {"order": [[key, digest], …], "rows": {key: html}}]``; the first digest is of the order."""
        rows = self._rows(args, offered, "")
        if rows is None:
            return None
        order = [[key, digest(html)] for key, html in rows.items()]
        return [digest(json.dumps(order)), {"order": order, "rows": rows}]

    def event(self, topic: str, role: str, state: Any, keys: Iterable[str] | None) -> Any:  # noqa: ARG002 - see state
        """Return the order, and the rows that changed since this worker sent them last."""
        if state is None:
            return None
        whole, content = state
        before = self._sent.pop((topic, role), {})
        now = self._sent[topic, role] = dict(content["order"])
        if len(self._sent) > _LISTS_MAX:
            self._sent.popitem(last=False)
        changed = {key: html for key, html in content["rows"].items() if before.get(key) != now[key]}
        return [whole, {"order": content["order"], "rows": changed}]

    def first(self, args: Mapping[str, Any], offered: Mapping[str, Any], mark: str) -> tuple[str, str] | None:
        """Return all rows, each with its digest, so that the page knows which it has."""
        rows = self._rows(args, offered, mark)
        if rows is None:
            return None
        order = [[key, digest(html.replace(mark, ""))] for key, html in rows.items()]
        texts = [
            rows[key].replace(_key_attribute(key), f'{_key_attribute(key)} data-digest="{known}"', 1)
            for key, known in order
        ]
        return digest(json.dumps(order)), "\n".join(texts)

    def _rows(self, args: Mapping[str, Any], offered: Mapping[str, Any], token: str) -> dict[str, str] | None:
        found = self._call({**args, **offered})
        if found is None:
            return None
        rows: dict[str, str] = {}
        for row in found:
            key = str(row[self._row_key] if isinstance(row, Mapping) else getattr(row, self._row_key))
            rows[key] = self.render_with({**args, **offered, self._row: row, "key": key}, token).strip()
            if _key_attribute(key) not in rows[key].partition(">")[0]:
                raise ConfigError(
                    f'The template {self.template} renders a row without data-key="{{{{ key }}}}" in its first tag.'
                )
        return rows


def _key_attribute(key: str) -> str:
    return f'data-key="{escape(key)}"'


def digest(html: str) -> str:
    """Return what a page's copy of the HTML is compared by."""
    return hashlib.sha256(html.encode()).hexdigest()[:16]


def _csrf_field(token: str) -> Markup:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(token)


def _csrf_token() -> str:
    """Return the token of the page that is being rendered; empty where the app has no Flask-WTF."""
    generate = current_app.jinja_env.globals.get("csrf_token")
    return str(generate()) if callable(generate) else ""
