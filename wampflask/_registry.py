"""What was declared with the decorators: plain data, no connection."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from . import uris
from .errors import AlreadyDeclared, ConfigError
from .permissions import BACKEND, ROLES
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
        self.user_loader: Callable[[str], Any] | None = None

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


def check_handler(handler: Handler) -> None:
    """See that calling ``handler`` runs it: handlers are plain functions, run in threads.

    :raises ConfigError: for one that is asynchronous, or a generator.
    """
    kinds = {
        "async def": (inspect.iscoroutinefunction, inspect.isasyncgenfunction),
        "a generator (it has a yield)": (inspect.isgeneratorfunction,),
    }
    call = getattr(type(handler), "__call__", None)  # noqa: B004 - an object's own __call__ may be asynchronous
    for kind, tests in kinds.items():
        if any(test(handler) or test(call) for test in tests):
            raise ConfigError(
                f"The handler {place(handler)} is {kind}: calling it would run nothing. Handlers have threads and may "
                "block: write a plain def that returns its result; asyncio.run(...) in it runs what is asynchronous."
            )


def check_roles(uri: str, roles: Iterable[str]) -> tuple[str, ...]:
    """``roles`` of a procedure, when all of them exist.

    :raises ConfigError: for one that does not, which would refuse everybody.
    """
    if isinstance(roles, str):
        raise ConfigError(f"The roles of {uri!r} are a tuple: write roles=({roles!r},).")
    named = tuple(roles)
    for role in named:
        if role not in (*ROLES, BACKEND):
            raise ConfigError(f"{uri!r} is for the role {role!r}; the roles are {', '.join((*ROLES, BACKEND))}.")
    return named


def place(handler: Handler) -> str:
    """``file.py:12 (name)`` of a handler."""
    code = getattr(handler, "__code__", None)
    name = getattr(handler, "__qualname__", repr(handler))
    return f"{code.co_filename}:{code.co_firstlineno} ({name})" if code else name
