"""Which server loads the app, and when it has finished: so that its workers connect by themselves.

A worker must register its procedures without waiting for a first request, yet nothing may connect while the app is
still being made, in gunicorn's master before it forks, in the reloader's parent, or for ``flask db upgrade``. The
function that loads the app distinguishes all of these, so :func:`connect_when_served` looks for it on the stack.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

import click
from flask.cli import ScriptInfo
from flask.helpers import get_debug_flag

DEVELOPED = "_WAMPFLASK_DEV"
"""Set in the environment of the pages of ``flask wamp dev``."""

POLL = 0.02
"""Seconds between two looks at whether the server has finished loading the app."""


def connect_when_served(connect: Callable[[], None]) -> None:
    """Call ``connect`` once the server that is loading the app has done so; never, if none is.

    In ``flask run`` and in a gunicorn worker that is right after loading; in gunicorn's master (``--preload``) it is
    in each worker, after the fork. Everything else connects at the first use, or by ``wamp.connect()``.
    """
    loader = _find_loader(sys._getframe(1))
    if loader is None:
        return
    if _is_gunicorn_master(loader):
        master = os.getpid()
        os.register_at_fork(after_in_child=lambda: _connect_in_worker(master, connect))
    elif not _is_flask_loader(loader) or _is_serving_flask_run():
        _connect_after(loader, connect)


def is_loaded_by_command() -> bool:
    """Return whether a command other than ``flask run`` is loading the app: it may use WAMP, but serves nobody."""
    loader = _find_loader(sys._getframe(1))
    return loader is not None and _is_flask_loader(loader) and not _is_flask_run()


def is_loaded_by_server() -> bool:
    """Return whether a web server is loading the app: gunicorn, or ``flask run``."""
    loader = _find_loader(sys._getframe(1))
    return loader is not None and (not _is_flask_loader(loader) or _is_flask_run())


def _find_loader(frame: FrameType | None) -> FrameType | None:
    while frame is not None:
        if _is_flask_loader(frame) or _is_gunicorn_worker(frame) or _is_gunicorn_master(frame):
            return frame
        frame = frame.f_back
    return None


def _is_flask_loader(frame: FrameType) -> bool:
    return frame.f_code is ScriptInfo.load_app.__code__


def _is_gunicorn_worker(frame: FrameType) -> bool:
    return _is_function(frame, "gunicorn.workers.base", "load_wsgi")


def _is_gunicorn_master(frame: FrameType) -> bool:
    return _is_function(frame, "gunicorn.arbiter", "setup")


def _is_function(frame: FrameType, module: str, name: str) -> bool:
    return frame.f_code.co_name == name and frame.f_globals.get("__name__") == module


def _is_serving_flask_run() -> bool:
    """Return whether this is ``flask run``'s process that serves: not its reloader's parent, not another command."""
    context = click.get_current_context(silent=True)
    if context is None or not _is_flask_run():
        return False
    reload = context.params.get("reload")
    return os.environ.get("WERKZEUG_RUN_MAIN") == "true" or not (get_debug_flag() if reload is None else reload)


def _is_flask_run() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "run"


def _connect_in_worker(master: int, connect: Callable[[], None]) -> None:
    if os.getppid() == master:
        threading.Thread(target=connect, name="wampflask-connect", daemon=True).start()


def _connect_after(loader: FrameType, connect: Callable[[], None]) -> None:
    loading_thread = threading.get_ident()

    def wait() -> None:
        while _is_on_stack(loader, sys._current_frames().get(loading_thread)):
            time.sleep(POLL)
        connect()

    threading.Thread(target=wait, name="wampflask-connect", daemon=True).start()


def _is_on_stack(wanted: FrameType, frame: FrameType | None) -> bool:
    while frame is not None:
        if frame is wanted:
            return True
        frame = frame.f_back
    return False
