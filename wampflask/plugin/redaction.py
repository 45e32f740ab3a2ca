"""Details that clients should not see are taken out of Crossbar's messages as they are made.

*RESULT* names the callee's session, authid and role to the caller, even where that was not declared,
and takes another name from the callee's own word (``forward_for``). *WELCOME* names the router's host,
process and worker. The handler's side of a call (INVOCATION) is not touched: that is ``rules``' to decide.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from autobahn.wamp import message

CALLEE = ("callee", "callee_authid", "callee_authrole", "forward_for")
ROUTER = ("custom",)
INTERNAL = "x_cb_"


def apply(messages: ModuleType = message) -> str | None:
    """Redact ``Result`` and ``Welcome``.

    :returns: why it is impossible, or None.
    """
    for name, fields in (("Result", CALLEE), ("Welcome", (*ROUTER, "authextra"))):
        kind = getattr(messages, name, None)
        if kind is None or not set(fields) <= set(inspect.signature(kind.__init__).parameters):
            return f"autobahn.wamp.message.{name} has not the fields {', '.join(fields)}"
    _leave_out(messages.Result, CALLEE)
    _leave_out(messages.Welcome, ROUTER)
    return None


def _leave_out(kind: Any, fields: tuple[str, ...]) -> None:
    made = kind.__init__

    def make(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in fields:
            kwargs.pop(name, None)
        if kwargs.get("authextra"):
            kwargs["authextra"] = without_internals(kwargs["authextra"])
        made(self, *args, **kwargs)

    kind.__init__ = make


def without_internals(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a session's extra is its own."""
    return {name: value for name, value in extra.items() if not name.startswith(INTERNAL)}
