"""``flask wamp worker`` runs tasks, ``flask wamp tasks`` lists them."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from flask import current_app
from flask.cli import with_appcontext

from ._current import KEY
from .errors import WampError

if TYPE_CHECKING:
    from .tasks import Queue


@click.command("worker")
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@click.option(
    "--threads", default=2, show_default=True, type=click.IntRange(1, 256), help="Tasks of a queue at a time."
)
@click.option(
    "--grace",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, 86_400),
    help="Seconds that running tasks have to finish at the end; others are put back.",
)
@with_appcontext
def worker_command(queues: tuple[str, ...], threads: int, grace: float) -> None:
    """Run the tasks of these queues, or of all, until SIGTERM or Ctrl-C."""
    from .worker import TaskWorker

    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's documented name
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    try:
        worker = TaskWorker(app, queues, threads)
    except WampError as error:
        raise click.ClickException(str(error)) from None
    app.extensions[KEY].begin(serve=False)
    worker.start()
    click.echo(f"Running the tasks of {', '.join(worker.queues)}, {threads} of each at a time.")
    ending.wait()
    worker.stop(grace)


@click.command("tasks")
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Tasks of each queue.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_appcontext
def tasks_command(queues: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the queues with their counts, and their newest tasks."""
    try:
        found = _queues(queues)
    except WampError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps({queue.name: _data(queue, limit) for queue in found}))
        return
    for queue in found:
        counts = ", ".join(f"{count} {state}" for state, count in asdict(queue.counts()).items())
        click.echo(f"{queue.name}: {counts}")
        for task in queue.tasks(limit=limit):
            when = datetime.fromtimestamp(task.appended, UTC).isoformat(timespec="seconds")
            words = f"error {task.error}" if task.error else task.words
            # a part of the id is enough to distinguish tasks; all of it is the right to cancel one
            line = f"  {task.id[:8]}… {task.name:<16} {task.state:<9} {task.fraction:4.0%}  {when}  {words}"
            click.echo("".join(character if character.isprintable() else "?" for character in line).rstrip())


def _queues(names: tuple[str, ...]) -> list[Queue]:
    from .tasks import Queues

    return Queues.of(current_app.extensions[KEY].declarations).find(names)


def _data(queue: Queue, limit: int) -> dict[str, Any]:
    return {"counts": asdict(queue.counts()), "tasks": [asdict(task) for task in queue.tasks(limit=limit)]}
