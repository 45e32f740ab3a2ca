"""The command line. Each command imports what it needs: a service that runs for months holds nothing else."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence

from . import __version__
from .errors import AgentError
from .settings import CONFIG_FILES, Settings


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    text = argparse.ArgumentParser(
        prog="wampflask-agent",
        description="Report this host's CPU, memory, disks and network live to a wampflask dashboard.",
        epilog=(
            "Each option can also be set in the environment (WAMPFLASK_AGENT_SERVER, WAMPFLASK_AGENT_TOKEN, …) or in "
            f"{' or '.join(CONFIG_FILES)} (server = http://hub:8080). For a private certificate authority, "
            "set SSL_CERT_FILE."
        ),
    )
    text.add_argument("--server", metavar="URL", help="address of the hub, such as http://hub:8080")
    text.add_argument("--token", help="from the hub's page “Add a host”; only needed the first time")
    text.add_argument("--name", help="name shown on the dashboard (default: the host name)")
    text.add_argument(
        "--state", metavar="FOLDER", help="where identity and key are kept (for root: /var/lib/wampflask-agent)"
    )
    text.add_argument("--root", metavar="FOLDER", help="where the host's file systems are mounted in a container")
    text.add_argument(
        "--buffer", metavar="MIB", help="size of the buffer for reports while the hub is away (default: 2)"
    )
    text.add_argument("--config", metavar="FILE", help="file with these settings, one a line: name = value")
    text.add_argument("--verbose", action="store_true", help="log more")
    text.add_argument("--version", action="version", version=f"wampflask-agent {__version__}")
    command = text.add_mutually_exclusive_group()
    command.add_argument("--once", action="store_true", help="print one report as JSON and exit")
    command.add_argument("--check", action="store_true", help="check the set-up, print what is wrong and exit")
    command.add_argument("--systemd", action="store_true", help="print a systemd unit and exit")
    command.add_argument("--container", action="store_true", help="print a Docker Compose file and exit")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        return _command(options, Settings.gather(vars(options), os.environ))
    except AgentError as error:
        problem = error
    except ImportError as error:
        from .requirements import missing

        problem = missing(error)
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130
    print(f"wampflask-agent: {problem}", file=sys.stderr)
    return 1


def _command(options: argparse.Namespace, settings: Settings) -> int:
    if options.systemd or options.container:
        from .services import compose_file, systemd_unit

        print(systemd_unit(settings) if options.systemd else compose_file(settings), end="")
    elif options.check:
        return _check(settings)
    elif options.once:
        from .once import once

        print(json.dumps(once(settings), indent=2))
    else:
        from .running import run

        run(settings)
    return 0


def _check(settings: Settings) -> int:
    from .check import check

    logging.disable(logging.WARNING)
    wrong = 0
    for finding in check(settings):
        wrong += not finding.good
        print(finding, flush=True)
    return 1 if wrong else 0
