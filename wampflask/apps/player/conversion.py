"""Uploads that browsers do not play become files that they do: a task, run by ``flask wamp worker``."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from flask import current_app

from wampflask import CallFailed, progress
from wampflask.apps.errors import Conflict, Invalid
from wampflask.apps.extensions import wamp
from wampflask.task_rows import TaskStatus

from . import ffmpeg, media

FOLDER = ".conversions"
"""In the media folder, so that a file that is finished need not be copied."""
WAITING_MAX = 20
TIMEOUT = 6 * 3600.0
_STALE = 600.0  # seconds after which a file here belongs to a task, or to nobody
_FAILED_SHOWN = 24 * 3600.0

conversions = wamp.queue("media")


def add(folder: Path, item: media.Item, source: IO[bytes]) -> None:
    """Keep an uploaded file, and append the task that converts it.

    :raises Invalid: ffmpeg is not installed.
    :raises Conflict: too many wait already.
    :raises SiteError: it could not be written.
    """
    kind = media.CONVERTED[item.type]
    if not ffmpeg.is_installed():
        raise Invalid(
            f"Browsers cannot play {kind}, and ffmpeg, which would convert it, is not installed on this server. "
            "Install it, or convert the file to WebM or MP4 first."
        )
    clean_up(folder)
    if len(conversions.tasks("waiting", "running")) >= WAITING_MAX:
        raise Conflict(f"{WAITING_MAX} files wait to be converted already. Try again later.")
    kept = secrets.token_hex(8)
    media.store(folder / FOLDER, kept, source)
    conversions.append("convert", kept, item.name)
    converting.changed()


@conversions.task("convert", retries=1, timeout=TIMEOUT)
def convert(kept: str, name: str) -> str:
    """Convert a file that was kept; return the name of what it has become.

    :param name: as it was uploaded.
    """
    folder = Path(current_app.instance_path) / media.FOLDER
    source, draft = folder / FOLDER / kept, folder / FOLDER / f"{kept}.draft"
    converting.changed()
    try:
        with _failing_in_words():
            progress(0.0, "Looking into it")
            film = ffmpeg.look_into(source)
            limit = int(current_app.extensions["site"].media_max)
            ffmpeg.convert(source, film, draft, limit, lambda part: progress(part, "Converting"))
            made = _publish(folder, draft, f"{Path(name).stem}.{film.ending}")
    finally:
        draft.unlink(missing_ok=True)
        converting.changed()
    source.unlink(missing_ok=True)
    return made


@contextmanager
def _failing_in_words() -> Iterator[None]:
    try:
        yield
    except Invalid as error:
        raise CallFailed("player.error.unplayable", str(error)) from None


def _publish(folder: Path, draft: Path, wanted: str) -> str:
    """Give a finished file its name, or that with a number where there is one; return it."""
    name = media.clean_name(wanted)
    stem, _, ending = name.rpartition(".")
    for number in range(1, 1000):
        try:
            (folder / name).hardlink_to(draft)
        except FileExistsError:
            name = f"{stem} ({number + 1}).{ending}"
        else:
            return name
    raise Invalid("There are too many files of this name.")


def clean_up(folder: Path) -> None:
    """Delete what was kept for tasks that have ended without it, such as those that were cancelled."""
    needed = {str(task.args[0]) for task in conversions.tasks("waiting", "running", limit=1000)}
    place = folder / FOLDER
    for file in tuple(place.iterdir()) if place.is_dir() else ():
        if file.name.partition(".")[0] not in needed and time.time() - file.stat().st_mtime > _STALE:
            file.unlink(missing_ok=True)


def listed() -> list[TaskStatus]:
    """Return what is converted now or waits, and what failed of late."""
    recent = time.time() - _FAILED_SHOWN
    return [
        task
        for task in conversions.tasks("waiting", "running", "failed")
        if task.state != "failed" or task.changed > recent
    ]


@wamp.fragment("player/_converting.html", allow="everyone", every=5)
def converting() -> dict[str, Any]:
    """What visitors see of it: titles, not the tasks' ids, which would let them cancel."""
    return {"titles": [Path(str(task.args[1])).stem for task in conversions.tasks("waiting", "running")]}
