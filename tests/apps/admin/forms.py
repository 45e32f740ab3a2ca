"""A page's form as a browser reads it and sends it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

Pairs = dict[str, list[str]]

_UNSENT = ("submit", "button", "image", "reset", "file")


class Form(HTMLParser):
    """The first form of a page that is sent by POST, or the one whose action ends with ``action``.

    ``names``: of every field; ``sent``: what a browser sends when nothing is touched; ``options``: by field, the values
    that can be chosen with their labels.
    """

    def __init__(self, page: str, action: str | None = None) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.sent: Pairs = {}
        self.options: dict[str, dict[str, str]] = {}
        self._action = action
        self._inside = self._found = False
        self._textarea = self._select = ""
        self._option: tuple[str, bool] | None = None
        self._text: list[str] = []
        self._first = self._chosen = ""
        self._multiple = False
        self.feed(page)
        assert self._found, f"no such form: {action or 'POST'}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self._found and self._is_wanted(given):
            self._inside = self._found = True
        if not self._inside:
            return
        name = given.get("name", "")
        if tag == "input" and name and given.get("type") not in _UNSENT:
            self.names.add(name)
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                self._send(name, given.get("value", "on" if given.get("type") == "checkbox" else ""))
        elif tag == "textarea":
            self._textarea, self._text = name, []
        elif tag == "select":
            self._select, self._multiple = name, "multiple" in given
            self._first = self._chosen = ""
            self.names.add(name)
            self.options[name] = {}
        elif tag == "option" and self._select:
            self._option, self._text = (given.get("value", ""), "selected" in given), []

    def _is_wanted(self, given: dict[str, str]) -> bool:
        is_post = given.get("method", "").lower() == "post"
        return is_post and (self._action is None or given.get("action", "").endswith(self._action))

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if not self._inside:
            return
        text = "".join(self._text)
        if tag == "form":
            self._inside = False
        elif tag == "textarea":
            self.names.add(self._textarea)
            text = text.removeprefix("\r\n").removeprefix("\n")
            self._send(self._textarea, text.replace("\r\n", "\n").replace("\n", "\r\n"))
        elif tag == "option" and self._option:
            value, is_selected = self._option
            self.options[self._select][value] = text.strip()
            if is_selected:
                self._send(self._select, value)
            self._option = None
        elif tag == "select":
            if not self._multiple and self._select not in self.sent and self.options[self._select]:
                self._send(self._select, next(iter(self.options[self._select])))  # a browser chooses the first one
            self._select = ""

    def _send(self, name: str, value: str) -> None:
        self.sent.setdefault(name, []).append(value)

    def filled(self, **changes: Any) -> Pairs:
        """What is sent after fields were filled in; ``__`` in a name stands for a dash."""
        return {**self.sent, **{name.replace("__", "-"): _values(value) for name, value in changes.items()}}


def _values(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
