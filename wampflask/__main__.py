"""``python -m wampflask``: what can be done where there is no app yet."""

import shlex
from pathlib import Path

import click

from .starter import make


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Real time for ordinary, synchronous Flask. An app's own commands: flask --app app wamp --help."""


@main.command("new")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def new_command(folder: Path) -> None:
    """Make a small app that works, in FOLDER, which must be new or empty."""
    try:
        made = make(folder)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"Cannot write {error.filename}: {error.strerror}.") from None
    for file in made:
        click.echo(file)
    click.echo(
        f"\nNow:\n  cd {shlex.quote(str(folder))}\n  pip install -r requirements.txt\n  flask --app app wamp dev"
    )


if __name__ == "__main__":
    main(prog_name="python -m wampflask")
