"""What was declared with the decorators: plain data, no connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from . import uris
from .errors import AlreadyDeclared
from .uris import Match

Invoke = Literal["single", "first", "last", "roundrobin", "random"]
Handler = Callable[..., Any]

Direct = Callable[..., None]
"""``(client, args, kwargs, caller, answer, refuse)``: exactly one of the last two is called, there or later."""

INVOKE_POLICIES: tuple[Invoke, ...] = ("single", "first", "last", "roundrobin", "random")


@dataclass(frozen=True, slots=True, eq=False)
class Procedure:
    """A declared procedure.

    :param direct: answers in the reactor's thread in place of ``handler``: for the library's own, which do not block.
    """

    uri: str
    handler: Handler
    match: Match = "exact"
    invoke: Invoke = "roundrobin"
    roles: tuple[str, ...] = ()
    login_required: bool = False
    direct: Direct | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """A declared subscription."""

    uri: str
    handler: Handler
    match: Match = "exact"
    single: bool = False
    limit_calls: int | None = None

    @property
    def turn(self) -> str:
        """The procedure whose registration says which worker's turn a ``single`` subscription is."""
        parts = [uris.component(part) for part in self.uri.split(".")]
        name = uris.component(f"{self.handler.__module__}_{self.handler.__qualname__}")
        return ".".join(["wampflask.single", self.match, *parts, name])


Declaration = Procedure | Subscription


class Registry:
    """Declarations of one :class:`~wampflask.WAMP` object. Safe in any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._declarations: list[Declaration] = []
        self._places: dict[tuple[str, str], Procedure] = {}

    def add(self, declaration: Declaration) -> None:
        """Keep ``declaration``.

        :raises AlreadyDeclared: for a procedure that is there already, naming both places.
        """
        with self._lock:
            if isinstance(declaration, Procedure):
                self._claim(declaration)
            self._declarations.append(declaration)

    def _claim(self, procedure: Procedure) -> None:
        first = self._places.setdefault((procedure.uri, procedure.match), procedure)
        if first is not procedure:
            raise AlreadyDeclared(
                f"The procedure {procedure.uri!r} is declared twice: in {place(first.handler)} and in "
                f"{place(procedure.handler)}. Rename one, or declare it once and call the other from there."
            )

    def __iter__(self) -> Iterator[Declaration]:
        with self._lock:
            return iter(tuple(self._declarations))


def place(handler: Handler) -> str:
    """``file.py:12 (name)`` of a handler."""
    code = getattr(handler, "__code__", None)
    name = getattr(handler, "__qualname__", repr(handler))
    return f"{code.co_filename}:{code.co_firstlineno} ({name})" if code else name
