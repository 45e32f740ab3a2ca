"""Blocking work beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def in_thread(function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Run ``function`` in a thread of its own and return its result as a future of the running loop.

    The thread does not keep the program from ending, as a thread of the loop's own pool would.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(set_it: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            set_it(value)

    def work() -> None:
        with suppress(RuntimeError):  # the loop is closed: the program is ending
            try:
                result = function(*args)
            except Exception as error:  # a boundary: the caller, who awaits the future, deals with it
                loop.call_soon_threadsafe(settle, future.set_exception, error)
            else:
                loop.call_soon_threadsafe(settle, future.set_result, result)

    threading.Thread(target=work, name=function.__name__, daemon=True).start()
    return future
