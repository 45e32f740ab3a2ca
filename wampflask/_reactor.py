"""The reactor of this process: started once, lazily, in a thread of crochet's. The only importer of crochet.

A reactor belongs to the process that started it: a forked child inherits its objects but not its thread,
so everything here is keyed by the process id, and a reactor from before a fork is refused.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from .errors import QueueFull, UnsafeProcess, WampTimeout, WrongThread

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


class _Process:
    """What this process's reactor is about; a forked child begins with a new one."""

    def __init__(self, inherited_from: int | None = None) -> None:
        self.lock = threading.Lock()
        self.reactor: Any = None
        self.is_io_thread: Callable[[], bool | None] = lambda: False
        self.inherited_from = inherited_from
        self.stoppers: list[Callable[[], None]] = []


_processes = {os.getpid(): _Process()}


def _after_fork() -> None:
    _processes.clear()
    _this_process()


def _this_process() -> _Process:
    """Return what is known of this process. uWSGI forks without Python's hooks, so it may be new at any moment."""
    process = _processes.get(os.getpid())
    if process is None:
        has_reactor = "twisted.internet.reactor" in sys.modules
        process = _processes.setdefault(os.getpid(), _Process(os.getppid() if has_reactor else None))
    return process


os.register_at_fork(after_in_child=_after_fork)


def start() -> Any:
    """Start the reactor unless it runs already, and return it. Any thread.

    When something else runs Twisted's reactor in this process (Twisted hosts the app), that one is used.

    :raises UnsafeProcess: under gevent, or when the reactor was loaded before this process was forked.
    """
    process = _this_process()
    with process.lock:
        if process.reactor is None:
            from twisted.python import threadable

            _refuse_gevent()
            _refuse_threadless_uwsgi()
            _refuse_uwsgis_master()
            _refuse_inherited(process)
            _start_for_good()
            process.reactor = _reactor()
            process.is_io_thread = threadable.isInIOThread
    return process.reactor


def _reactor() -> Any:
    from twisted.internet import reactor  # importing it makes it, so not before it is wanted

    return reactor


def _start_for_good() -> None:
    """Start from a thread that is not a daemon.

    crochet's threads take after the thread that starts them, and as daemons they would be cut off, with the session
    and the running handlers, when the main thread ends. Servers' request threads often are daemons.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            _start()
        except BaseException as error:
            failures.append(error)

    starter = threading.Thread(target=run, name="wampflask-start", daemon=False)
    starter.start()
    starter.join()
    if failures:
        raise failures[0]


def _start() -> None:
    import crochet

    hosted = "twisted.internet.reactor" in sys.modules and _reactor().running
    if hosted:
        crochet.no_setup()
        _reactor().addSystemEventTrigger("before", "shutdown", _stop_in_hosted_reactor)
    else:
        crochet.setup()
        # crochet runs what is registered here, last first, when the main thread has ended and before it stops the
        # reactor; at that point handlers may still call and publish, which a reactor's shutdown trigger would forbid.
        crochet.register(_stop_all)  # type: ignore[attr-defined]  # public by name, missing in its __all__


def _refuse_gevent() -> None:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        raise UnsafeProcess(
            "gevent has patched this process's threads, and a reactor cannot run in one of them. "
            "Use gunicorn's gthread worker: gunicorn --worker-class gthread --threads 8 …"
        )


def _refuse_threadless_uwsgi() -> None:
    uwsgi = sys.modules.get("uwsgi")
    options = getattr(uwsgi, "opt", None)
    if options is not None and not {b"enable-threads", b"threads", "enable-threads", "threads"} & set(options):
        raise UnsafeProcess(
            "uWSGI runs no threads of Python between requests, and the connection lives in one: "
            "start it with --enable-threads (or --threads 8)."
        )


def _refuse_uwsgis_master() -> None:
    """Refuse uWSGI's master: its workers would have no reactor, and the threads would keep it from ending."""
    master = getattr(sys.modules.get("uwsgi"), "masterpid", None)
    if master is not None and master() == os.getpid():
        raise UnsafeProcess(
            "uWSGI has loaded the app in its master, which forks the workers: start it with --lazy-apps, or leave out "
            "wamp.connect(), and the workers serve from their first request on."
        )


def _refuse_inherited(process: _Process) -> None:
    if process.inherited_from is not None:
        raise UnsafeProcess(
            f"Twisted's reactor was loaded in process {process.inherited_from}, before it forked this one "
            f"({os.getpid()}); parent and children would share its sockets. Connect, publish and call only after "
            "the fork: not at import time, and not in gunicorn's master when preload_app is on."
        )


def on_stop(stopper: Callable[[], None]) -> None:
    """Have ``stopper`` called, in a thread of its own, when the process ends and before the reactor stops."""
    _this_process().stoppers.append(stopper)


def _stop_all() -> None:
    stoppers = _this_process().stoppers
    threads = [threading.Thread(target=stopper, name="wampflask-stop", daemon=True) for stopper in stoppers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)


def _stop_in_hosted_reactor() -> Any:
    from twisted.internet.threads import deferToThread

    return deferToThread(_stop_all)


def is_reactor_thread() -> bool:
    """Return whether the caller runs in the reactor's thread."""
    return bool(_this_process().is_io_thread())


def refuse_reactor_thread(what: str) -> None:
    """Raise :class:`WrongThread` in the reactor's thread."""
    if is_reactor_thread():
        raise WrongThread(
            f"{what} waits for the reactor and was called in the reactor's thread: it would wait without end. "
            "Call it from a view, a handler or any other thread (twisted.internet.threads.deferToThread)."
        )


def submit(function: Callable[..., Any], *args: Any) -> None:
    """Run ``function`` in the reactor's thread soon; do not wait. Any thread, after :func:`start`."""
    _this_process().reactor.callFromThread(function, *args)


PARTS_MAX = 10_000
"""Parts of a result that may wait for the thread that takes them."""


def _begin(function: Callable[..., Any], args: tuple[Any, ...], finish: Callable[[Any], None]) -> Callable[[], None]:
    """Run ``function`` in the reactor's thread; ``finish`` gets its result, its Deferred's, or a Failure, in there.

    :returns: what cancels the Deferred, from any thread.
    """
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    pending: list[Deferred[Any]] = []

    def run() -> None:
        try:
            result = function(*args)
        except Exception:  # whatever it is belongs to the waiting thread
            result = Failure()
        if isinstance(result, Deferred):
            pending.append(result)
            result.addBoth(finish)
        else:
            finish(result)

    def cancel() -> None:
        for deferred in pending:
            deferred.cancel()

    submit(run)
    return lambda: submit(cancel)


def _open(answer: Any) -> Any:
    """Return an answer, or raise what it is."""
    from twisted.python.failure import Failure

    if isinstance(answer, Failure):
        answer.raiseException()
    return answer


def wait(function: Callable[..., Any], *args: Any, timeout: float, late: str = "the reactor did not answer") -> Any:
    """Run ``function`` in the reactor's thread and wait for its result, or its Deferred's. Any other thread.

    crochet has this too, but refuses from the moment the reactor begins to stop, which is when running handlers still
    want their answers.

    :param timeout: seconds; then a Deferred is cancelled.
    :param late: what the error says did not happen in time.
    :raises WampTimeout: after ``timeout``.
    """
    answered = threading.Lock()
    answered.acquire()
    answers: list[Any] = []

    def finish(answer: Any) -> None:
        answers.append(answer)
        answered.release()

    cancel = _begin(function, args, finish)
    if not answered.acquire(timeout=timeout):
        cancel()
        raise WampTimeout(f"After {timeout:g} s {late}.")
    return _open(answers[0])


def wait_through(
    function: Callable[..., Any], *args: Any, on_part: Callable[..., object], timeout: float, late: str
) -> Any:
    """Do what :func:`wait` does, and take parts of the result beforehand, in this thread.

    :param function: takes, after ``args``, what is to be called with the arguments and keywords of each part.
    :param on_part: takes them; what it raises cancels the Deferred.
    :param timeout: seconds since the last part.
    :raises WampTimeout: after ``timeout``.
    :raises QueueFull: parts come quicker than ``on_part`` takes them.
    """
    parts: SimpleQueue[tuple[Any, Any] | None] = SimpleQueue()
    answers: list[Any] = []

    def take(values: Any, named: Any) -> None:
        if parts.qsize() < PARTS_MAX:
            parts.put((values, named))

    def finish(answer: Any) -> None:
        answers.append(answer)
        parts.put(None)

    def next_part() -> tuple[Any, Any] | None:
        if parts.qsize() >= PARTS_MAX:
            raise QueueFull(f"{PARTS_MAX} progressive results wait for on_progress: make it quicker.")
        try:
            return parts.get(timeout=timeout)
        except Empty:
            raise WampTimeout(f"After {timeout:g} s {late}.") from None

    cancel = _begin(function, (*args, take), finish)
    try:
        while (part := next_part()) is not None:
            on_part(*part[0], **part[1])
    except BaseException:
        cancel()
        raise
    return _open(answers[0])
