"""``flask player …``: a program without a page calls functions in browsers, and gets their answers."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from flask.cli import AppGroup

from wampflask import WampError

from . import calls
from .calls import Answer

player = AppGroup("player", help="The players that are open in browsers now.")

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, with the players' full ids.")


@player.command("list")
@_JSON
def list_command(*, as_json: bool) -> None:
    """List the open players and what they are playing."""
    _show(_ask("status"), as_json=as_json)


@player.command("pause-all")
@_JSON
def pause_command(*, as_json: bool) -> None:
    """Pause every open player."""
    _show(_ask("pause"), as_json=as_json)


def _ask(action: str) -> list[Answer]:
    try:
        return calls.ask(calls.find_players(), action)
    except WampError as error:
        raise click.ClickException(str(error)) from None


def _show(answers: list[Answer], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(answer) for answer in answers]))
        return
    for answer in answers:
        # part of the id is enough to distinguish players; all of it is the right to control one
        line = f"{answer.player[:8]}…  {answer.doing:<18} {answer.clock:>6}  {answer.title}"
        click.echo("".join(character if character.isprintable() else "?" for character in line))
    if not answers:
        click.echo("No player is open.")
