"""``flask wamp deploy``: what a server needs around an app, rendered with the app's own parameters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import ScriptInfo, with_appcontext

from .deploy import deployment as parameters
from .deploy.rendering import FORMS, NoName


@click.command("deploy")
@click.argument("what", type=click.Choice(tuple(FORMS)))
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="A folder to write to. [default: stdout]"
)
@click.option("--name", "names", multiple=True, help="By which browsers find the pages. [repeatable]")
@click.option("--user", help="That the programs run as. [default: www-data]")
@click.option("--settings", help="A file with the environment of all programs, for systemd.")
@click.option("--certificate", help="A file in PEM format, with its chain.")
@click.option("--key", help="The certificate's key.")
@with_appcontext
def deploy_command(what: str, output: Path | None, **given: Any) -> None:
    """Render the configuration of a web server, systemd's units, or Docker's Compose file."""
    loaded_as = click.get_current_context().ensure_object(ScriptInfo).app_import_path or "app"
    found = parameters.of_app(current_app, loaded_as)
    try:
        files = FORMS[what](replace(found, **{key: value for key, value in given.items() if value}))
    except NoName as error:
        raise click.ClickException(str(error)) from None
    for hint in found.hints:
        click.echo(hint, err=True)
    if output is None:
        click.echo("\n".join(files.values()), nl=False)
        return
    output.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (output / name).write_text(text, encoding="utf-8")
        click.echo(f"Wrote {output / name}")
