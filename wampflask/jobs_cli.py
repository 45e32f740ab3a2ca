"""``flask wamp jobs``: what is due when, how it went, and a run by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from ._current import current_client
from .errors import WampError

if TYPE_CHECKING:
    from .jobs import JobStatus


@click.group("jobs", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
@with_appcontext
def jobs(context: click.Context, as_json: bool) -> None:
    """The jobs of @wamp.cron: when each is due next, and how its last run went."""
    if context.invoked_subcommand is not None:
        return
    client = current_client()
    if not client.declarations.jobs:
        click.echo("[]" if as_json else "No job is declared: @wamp.cron does that (docs/cron.md).")
        return
    from .jobs import statuses  # SQLAlchemy is there only where jobs are

    with _database():
        found = statuses(client)
    if as_json:
        click.echo(json.dumps([asdict(job) for job in found], default=datetime.isoformat))
        return
    for job in found:
        click.echo(f"{job.name}\n    {job.trigger}; next: {_time(job.next_run)}\n    last: {_last(job)}")


@contextmanager
def _database() -> Iterator[None]:
    """Say in one line that it does not answer."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        why = str(error).partition("\n")[0]
        raise click.ClickException(f"The database of WAMP_DATABASE does not answer: {why}") from None


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "never"


def _last(job: JobStatus) -> str:
    run = job.last_run
    if run is None:
        return "never"
    words = [_time(run.due), run.outcome]
    if run.outcome in ("done", "failed") and run.ended:
        words.append(f"in {(run.ended - run.started).total_seconds():.1f} s")
    if run.error:
        words.append(f"error {run.error} in the log of")
    return " ".join([*words, run.place])


@jobs.command("run")
@click.argument("name")
@with_appcontext
def run_command(name: str) -> None:
    """Run a job now, in this process; exit code 1 when it fails."""
    client = current_client()
    try:
        client.declarations.job(name)
        from .jobs import run_by_hand  # as above

        with _database():
            run = run_by_hand(client, name)
    except WampError as error:
        raise click.ClickException(str(error)) from None
    if run.error:
        raise click.ClickException(f"The job failed: error {run.error} in the log above.")
    click.echo(f"Done at {_time(run.ended)}.")
