"""What was declared with the decorators: plain data, no connection."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from . import uris
from ._incoming import Incoming, Invocation
from .errors import AlreadyDeclared, ConfigError
from .patterns import Pattern
from .roles import Roles
from .uris import Match

if TYPE_CHECKING:
    from .triggers import Trigger

Invoke = Literal["single", "first", "last", "roundrobin", "random"]
Handler = Callable[..., Any]

Direct = Callable[[Any, Invocation], None]
"""``(client, invocation)``: answers or refuses it, there or later."""

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NO_NAME = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

INVOKE_POLICIES: tuple[Invoke, ...] = ("single", "first", "last", "roundrobin", "random")


@dataclass(frozen=True, slots=True, eq=False)
class Procedure:
    """A declared procedure.

    :param pattern: whose named components the handler is given.
    :param direct: answers in the reactor's thread in place of ``handler``: for the library's own, which do not block.
    :param stays: it is answered by a drained worker, too.
    """

    uri: str
    handler: Handler
    match: Match = "exact"
    invoke: Invoke = "roundrobin"
    roles: tuple[str, ...] = ()
    login_required: bool = False
    direct: Direct | None = None
    pattern: Pattern | None = None
    stays: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """A declared subscription.

    :param direct: takes events in the reactor's thread in place of ``handler``, as :class:`Procedure`'s.
    """

    uri: str
    handler: Handler
    match: Match = "exact"
    single: bool = False
    limit_calls: int | None = None
    pattern: Pattern | None = None
    direct: Callable[[Incoming], None] | None = None

    @property
    def turn(self) -> str:
        """The procedure whose registration says which worker's turn a ``single`` subscription is."""
        parts = [uris.component(part) for part in self.uri.split(".")]
        name = uris.component(f"{self.handler.__module__}_{self.handler.__qualname__}")
        return ".".join(["wampflask.single", self.match, *parts, name])


Declaration = Procedure | Subscription


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A declared job.

    :param handler: takes no arguments.
    :param trigger: when it is due, given the time zone of an app.
    :param overlap: whether a run may begin while another one goes on.
    :param grace: milliseconds that a run may be late.
    """

    name: str
    handler: Handler
    trigger: Callable[[str], Trigger]
    overlap: bool
    grace: int


class Declarations:
    """Declarations of one :class:`~wampflask.WAMP` object. Safe in any thread.

    ``included`` are those of other ``WAMP`` objects that were taken over here; they are ``closed`` since.
    """

    def __init__(self, roles: Roles = Roles()) -> None:  # noqa: B008 - it is frozen
        self.roles = roles
        self._lock = Lock()
        self._declarations: list[Declaration] = []
        self._places: dict[tuple[str, str], Procedure] = {}
        self._jobs: dict[str, Job] = {}
        self.user_loader: Callable[[str], Any] | None = None
        self.included: list[Declarations] = []
        self.closed = False

    def add(self, declaration: Declaration) -> None:
        """Keep ``declaration``.

        :raises AlreadyDeclared: for a procedure that is there already, naming both places.
        :raises ConfigError: another ``WAMP`` has taken over what was declared here.
        """
        self.check_open()
        with self._lock:
            if isinstance(declaration, Procedure):
                self._claim(declaration)
            self._declarations.append(declaration)

    def check_open(self) -> None:
        """See that something can be declared here.

        :raises ConfigError: another ``WAMP`` has taken over what was declared here.
        """
        if self.closed:
            raise ConfigError(
                "This WAMP is included in another one: declare everything on it before include(), or there."
            )

    def _claim(self, procedure: Procedure) -> None:
        first = self._places.setdefault((procedure.uri, procedure.match), procedure)
        if first is not procedure:
            raise AlreadyDeclared(
                f"The procedure {procedure.uri!r} is declared twice: in {place(first.handler)} and in "
                f"{place(procedure.handler)}. Rename one, or declare it once and call the other from there."
            )

    def add_job(self, job: Job) -> None:
        """Keep ``job``.

        :raises AlreadyDeclared: there is one of this name, naming both places.
        """
        self.check_open()
        with self._lock:
            first = self._jobs.setdefault(job.name, job)
        if first is not job:
            raise AlreadyDeclared(
                f"The job {job.name!r} is declared twice: in {place(first.handler)} and in {place(job.handler)}. "
                "Give one of them another name=."
            )

    @property
    def jobs(self) -> dict[str, Job]:
        """The jobs by their names."""
        with self._lock:
            return dict(self._jobs)

    def job(self, name: str) -> Job:
        """Return a job.

        :raises ConfigError: there is none of this name.
        """
        found = self.jobs
        if name not in found:
            raise ConfigError(f"There is no job {name!r}; declared are: {', '.join(sorted(found)) or 'none'}.")
        return found[name]

    def remove(self, uri: str) -> list[Declaration]:
        """Keep no longer what is declared as ``uri``; what that was."""
        pattern = Pattern.parse(uri) if "<" in uri or "{" in uri else None

        def is_meant(item: Declaration) -> bool:
            return (item.uri, item.match) == (pattern.uri, pattern.match) if pattern else item.uri == uri

        with self._lock:
            found = [item for item in self._declarations if is_meant(item)]
            self._declarations = [item for item in self._declarations if not is_meant(item)]
            self._places = {place: item for place, item in self._places.items() if not is_meant(item)}
        return found

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


def check_names(handler: Handler, pattern: Pattern) -> None:
    """See that ``handler`` can be given the named components of ``pattern``.

    :raises ConfigError: naming those that it does not take.
    """
    taken = inspect.signature(handler).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    missing = [name for name in pattern.names if name not in taken or taken[name].kind in _NO_NAME]
    if missing:
        raise ConfigError(
            f"{pattern.text} names {', '.join(missing)}, which the handler {place(handler)} does not take: "
            f"give it {'arguments of these names' if len(missing) > 1 else 'an argument of this name'}."
        )


def arrange(
    handler: Handler, pattern: Pattern, uri: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]] | None:
    """Return the arguments of ``handler``: the components of ``uri`` at their names, what was sent at the others.

    None when ``uri`` does not match, such as ``tea`` for ``<int:item>``.

    :raises TypeError: what was sent has a component's name.
    """
    found = pattern.read(uri)
    if found is None:
        return None
    if twice := found.keys() & kwargs.keys():
        raise TypeError(f"{', '.join(sorted(twice))}: stands in the URI already")
    sent, placed = list(args), list[Any]()
    for name, parameter in inspect.signature(handler).parameters.items():
        if parameter.kind not in _BY_PLACE or not (sent or name in found):
            break
        placed.append(found.pop(name) if name in found else sent.pop(0))
    return [*placed, *sent], {**found, **kwargs}


def place(handler: Handler) -> str:
    """Return where a handler is: ``file.py:12 (name)``."""
    code = getattr(handler, "__code__", None)
    name = getattr(handler, "__qualname__", repr(handler))
    return f"{code.co_filename}:{code.co_firstlineno} ({name})" if code else name
