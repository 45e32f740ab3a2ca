"""Tasks: work that a view hands over, and a worker does later, in another process. Needs ``wampflask[tasks]``.

::

    video = wamp.queue("video")

    @video.task("encode", retries=3, timeout=600)
    def encode(file):
        for part, of in convert(file):
            wampflask.progress(part / of, "Converting")

    task = video.append("encode", "film.avi")       # in a view

``flask wamp worker`` runs them, ``{{ task_progress(task) }}`` shows how far one is, docs/tasks.md has the rules.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from werkzeug.exceptions import NotFound

from . import _reactor, payload
from ._current import current_client
from ._declarations import Declarations, Procedure, check_handler
from .errors import INTERNAL, AlreadyDeclared, CallFailed, Cancelled, ConfigError, InvalidPayload, WampTimeout
from .live_declarations import LiveDeclarations
from .patterns import Pattern
from .permissions import EVERYONE, Permission
from .task_queues import TaskQueues
from .task_rows import ENDED, Counts, State, TaskRows, TaskStatus

if TYPE_CHECKING:
    from ._client import Client

__all__ = ["Counts", "Queue", "Task", "TaskStatus"]

URI = "tasks.<!task>"
CANCEL_URI = f"{URI}.cancel"
TEMPLATE = "wampflask/task.html"
DATA_MAX = 1_000_000
"""Bytes of a task's arguments, and of its result, as JSON: what is larger is a file, and they have its name."""
FAILED = "wampflask.error.task_failed"
"""The error of a task that failed for a reason of its own, in words."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ID = re.compile(r"[0-9a-f]{32}")
_STATES: tuple[State, ...] = ("waiting", "running", *ENDED)
_LONGEST_WAIT = 0.5

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Kind:
    """A function that a queue's tasks run.

    :param retries: how often a task is begun again after an error, or after its worker was lost.
    :param retry_delay: seconds before the first retry; each further one waits twice as long.
    :param timeout: seconds that it may take.
    """

    name: str
    function: Callable[..., Any]
    retries: int
    retry_delay: float
    timeout: float | None


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a queue. Its id is a capability: who knows it may see its progress, and cancel it.

    The methods need an app context, and may be called in any thread but the reactor's.
    """

    id: str
    queue: str
    name: str

    def status(self) -> TaskStatus:
        """Return how it is now.

        :raises LookupError: it is not there: its transaction has not committed, or it ended long ago.
        """
        found = rows_of(current_client()).status(self.id)
        if found is None:
            raise LookupError(f"There is no task {self.id[:8]}… (not committed yet, or deleted after WAMP_TASK_KEEP).")
        return found

    def result(self, timeout: float | None = None) -> Any:
        """Wait until it has ended, and return what its function returned.

        :param timeout: seconds; None waits as long as it takes.
        :raises WampTimeout: it has not ended by then.
        :raises Cancelled: it was cancelled.
        :raises CallFailed: it failed: ``wampflask.error.internal`` with the id of the error in the log, or
            ``wampflask.error.task_failed`` with words.
        :raises LookupError: there is no such task.
        """
        _reactor.refuse_reactor_thread("task.result()")
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.02
        while not (status := self.status()).ended:
            if deadline is not None and time.monotonic() >= deadline:
                raise WampTimeout(f"After {timeout:g} s the task {self.name} is still {status.state}.")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_WAIT)
        if status.state == "cancelled":
            raise Cancelled(f"The task {self.name} was cancelled.")
        if status.state == "failed":
            raise CallFailed(INTERNAL, status.error) if status.error else CallFailed(FAILED, status.words)
        return rows_of(current_client()).result(self.id)

    def cancel(self) -> bool:
        """End it if it waits, or have the next ``wampflask.progress()`` in it raise; False if it has ended."""
        return cancel(self.id)


class Queue:
    """What :meth:`WAMP.queue` returns: tasks of this name, and the functions that they run.

    The methods need an app context, and may be called in any thread but the reactor's.
    """

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"The queue {name!r} needs a name of lower-case letters, digits and _, at most 64.")
        self.name = name
        self.kinds: dict[str, Kind] = {}

    def task(
        self, name: str, *, retries: int = 0, retry_delay: float = 2.0, timeout: float | None = None
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorator: let tasks of this name run a function, in a worker's thread and an app context.

        It returns strict JSON. It may raise :class:`CallFailed` to fail with words of its own, at once; anything else
        is logged with an id, and tried again while there are retries.

        :param retries: how often it is begun again after an error, a time-out, or when its worker was lost. With 0 it
            never runs twice, except after a worker's orderly end.
        :param retry_delay: seconds before the first retry; each further one waits twice as long, an hour at most.
        :param timeout: seconds that it may take; then the next ``wampflask.progress()`` in it raises.
        :raises AlreadyDeclared: the queue has a task of this name.
        :raises ConfigError: for a wrong name or number, and an asynchronous function or a generator.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(f"The task {name!r} needs a name of lower-case letters, digits and _, at most 64.")
        if retries < 0 or retry_delay <= 0 or (timeout is not None and timeout <= 0):
            raise ConfigError(f"The task {name!r}: retries is 0 or more, retry_delay and timeout are above 0.")

        def declare(function: Callable[P, R]) -> Callable[P, R]:
            check_handler(function)
            if name in self.kinds:
                raise AlreadyDeclared(f"The queue {self.name} has a task {name!r} already.")
            self.kinds[name] = Kind(name, function, retries, retry_delay, timeout)
            return function

        return declare

    def append(self, name: str, *args: Any, **kwargs: Any) -> Task:
        """Append a task, and return at once. It is safe then: written down, and run at least once or failed in words.

        A worker may begin it before a transaction of yours commits; where it must not, use
        ``wamp.after_commit(session).append(queue, name, …)``.

        :param name: as it was declared.
        :param args: what the function is called with, as ``kwargs``: strict JSON; of larger data, the name of a file.
        :raises ConfigError: the queue has no such task.
        :raises TypeError: its function does not take these arguments.
        :raises InvalidPayload: a value is not JSON, or all together are larger than 1 MB.
        """
        task, append = self.prepare(name, args, kwargs)
        append()
        return task

    def prepare(self, name: str, args: Iterable[Any], kwargs: Mapping[str, Any]) -> tuple[Task, Callable[[], None]]:
        """Check what is to be appended; return the task, and what appends it."""
        kind = self.kinds.get(name)
        if kind is None:
            raise ConfigError(f"The queue {self.name} has no task {name!r}; it has {', '.join(self.kinds) or 'none'}.")
        clean = payload.clean(tuple(args), kwargs)
        signature(kind.function).bind(*clean[0], **clean[1])
        data = dump(clean, f"The arguments of {name}")
        task = Task(secrets.token_hex(16), self.name, name)
        client = current_client()

        def append() -> None:
            rows_of(client).add(task.id, self.name, name, data, retries=kind.retries)
            carrier_of(client).put(self.name, task.id)

        return task, append

    def counts(self) -> Counts:
        """Return how many tasks are in each state."""
        return rows_of(current_client()).counts(self.name)

    def tasks(self, *states: State, limit: int = 100, args: bool = True) -> list[TaskStatus]:
        """Return the newest tasks, of these states or of all.

        :param args: with their arguments, which may be 1 MB each; otherwise those are empty.
        """
        return rows_of(current_client()).statuses(self.name, states or _STATES, limit, args=args)


def dump(value: object, what: str) -> str:
    """Return clean JSON as text.

    :raises InvalidPayload: it has more than :data:`DATA_MAX` bytes.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if (size := len(text.encode())) > DATA_MAX:
        raise InvalidPayload(f"{what} have {size} bytes; {DATA_MAX} are allowed. Save a file and pass its name.")
    return text


def rows_of(client: Client) -> TaskRows:
    """Return the rows of an app's tasks."""
    return TaskRows(client.store)


def carrier_of(client: Client) -> TaskQueues:
    """Return what carries an app's tasks to its workers."""
    found: TaskQueues | None = client.app.extensions.get(_EXTENSION)
    if found is None:
        config = client.config
        made = TaskQueues(config.queue, config.realm, client.tickets.derive(_EXTENSION))
        found = client.app.extensions.setdefault(_EXTENSION, made)
    return found


def cancel(task: str) -> bool:
    """Do what :meth:`Task.cancel` does, by id, and let pages know. Needs an app context."""
    client = current_client()
    if not _ID.fullmatch(task) or not rows_of(client).cancel(task):
        return False
    Queues.of(client.declarations).announce(task)
    return True


class Queues:
    """The queues of one :class:`WAMP`, and how pages see and cancel their tasks: declared with the first queue."""

    def __init__(self, wamp: LiveDeclarations) -> None:
        self.named: dict[str, Queue] = {}
        self._value = wamp.value(URI, allow=EVERYONE)(_read)
        self.fragment = wamp.fragment(TEMPLATE, allow=EVERYONE, name="task_progress")(_show)
        pattern = Pattern.parse(CANCEL_URI)
        wamp.declare_procedure(Procedure(pattern.uri, cancel, pattern.match, pattern=pattern))
        wamp.permit(Permission(pattern.permission, call=EVERYONE))

    @classmethod
    def of(cls, declarations: Declarations) -> Queues:
        """Return the queues that were declared.

        :raises ConfigError: none was.
        """
        found = _declared.get(declarations)
        if found is None:
            raise ConfigError('This app has no queue of tasks: declare one with wamp.queue("name").')
        return found

    @classmethod
    def declare(cls, wamp: LiveDeclarations, declarations: Declarations, name: str) -> Queue:
        """Return the queue of this name, and declare it the first time."""
        if declarations not in _declared:
            _declared[declarations] = cls(wamp)
        named = _declared[declarations].named
        return named[name] if name in named else named.setdefault(name, Queue(name))

    @staticmethod
    def declared(declarations: Declarations) -> list[Queue]:
        """Return the queues that were declared so far."""
        return list(_declared[declarations].named.values()) if declarations in _declared else []

    def find(self, names: Iterable[str]) -> list[Queue]:
        """Return the queues of these names, or all.

        :raises ConfigError: there is no such queue.
        """
        wanted = list(names) or list(self.named)
        if unknown := [name for name in wanted if name not in self.named]:
            raise ConfigError(f"There is no queue {', '.join(unknown)}; declared are: {', '.join(self.named)}.")
        return [self.named[name] for name in wanted]

    def announce(self, task: str) -> None:
        """Let pages know that a task has changed. Needs an app context."""
        self._value.changed(task=task)
        for can_cancel in (True, False):
            self.fragment.changed(task=task, cancel=can_cancel)


_EXTENSION = "wampflask.tasks"
_declared: WeakKeyDictionary[Declarations, Queues] = WeakKeyDictionary()


def _read(task: str) -> dict[str, Any]:
    """Return what pages may know of a task."""
    found = rows_of(current_client()).status(task) if _ID.fullmatch(task) else None
    if found is None:
        raise NotFound("There is no such task.")
    shown = asdict(found)
    return {name: shown[name] for name in ("queue", "name", "state", "fraction", "words", "error", "cancelling")}


def _show(task: str, cancel: bool) -> dict[str, Any]:
    """Return the variables of the template."""
    return {"id": task, "can_cancel": cancel, "status": _read(task)}
