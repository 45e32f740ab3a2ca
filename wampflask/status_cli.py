"""``flask wamp status``: joins the router as a worker does, calls every worker through it, and says what is there."""

from __future__ import annotations

import json
import ssl
import time
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from . import _control
from ._current import KEY
from .config import Config
from .plugin.meta import LIMIT, PROCEDURES
from .router.wire import CALL, ERROR, RESULT, Refused, Wire, WireError
from .tickets import explain_refusal, issuer_of

PATIENCE = 2.0
"""Seconds that workers have to answer."""


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_appcontext
def status_command(as_json: bool) -> None:
    """Join the router as a worker does, call each worker, and say what is there; exit code 1 unless all is ready."""
    config = current_app.extensions[KEY].config
    found: dict[str, Any] = {"url": config.url, "realm": config.realm}
    try:
        found |= _look(config)
    except Refused as error:
        found |= {"joined": False, "error": explain_refusal(str(error), config.url)}
    except ssl.SSLCertVerificationError as error:
        found |= {"joined": False, "error": f"The router's certificate is not trusted: {error}. Set WAMP_CA."}
    except (OSError, WireError) as error:
        found |= {"joined": False, "error": f"{error}. Is the router running? flask wamp router run starts it."}
    found |= {"ready": not found.get("error")}
    if as_json:
        click.echo(json.dumps(found))
    else:
        _show(found)
    if not found["ready"]:
        raise click.exceptions.Exit(1)


def _show(found: dict[str, Any]) -> None:
    for name, value in found.items():
        if name == "answers":
            for line in value:
                click.echo(f"{'worker':<12} {_describe(line)}")
        else:
            click.echo(f"{name:<12} {value}")


def _describe(worker: dict[str, Any]) -> str:
    if "state" not in worker:
        return f"session {worker['session']} does not answer"
    state = f"{worker['state']}, drained" if worker["drained"] else worker["state"]
    return f"{worker['host']}, process {worker['pid']}: {state}, answered in {worker['milliseconds']:g} ms"


def join(config: Config) -> Wire:
    """Return a session of this command's own. Close it."""
    wire = Wire(config.url, timeout=config.connect_timeout, ca=config.ca)
    try:
        return wire.join(config.realm, issuer_of().mint_backend())
    except BaseException:
        wire.close()
        raise


def _look(config: Config) -> dict[str, Any]:
    with join(config) as wire:
        registrations = wire.call("wamp.registration.list")
        subscriptions = wire.call("wamp.subscription.list")
        answers = _call_workers(wire)
        problem = _problem(answers)
        return {
            "joined": True,
            "workers": wire.call("wamp.session.count", ["backend"]) - 1,
            "sessions": wire.call("wamp.session.count") - 1,
            "procedures": sum(map(len, registrations.values())),
            "topics": sum(map(len, subscriptions.values())),
            "answers": answers,
            **({"error": problem} if problem else {}),
        }


def _problem(answers: list[dict[str, Any]]) -> str:
    if not answers:
        return "No worker serves this app. Is its web server running?"
    silent = sum("state" not in worker for worker in answers)
    if silent:
        return f"{silent} of {len(answers)} workers do not answer within {PATIENCE:g} s."
    waiting = [worker for worker in answers if worker["state"] != "ready"]
    return "; ".join(f"Process {worker['pid']} is {worker['state']}: {worker['reason']}" for worker in waiting)


def _call_workers(wire: Wire) -> list[dict[str, Any]]:
    """Call every worker's own procedure, all at once; one that has no ``state`` in its entry has not answered."""
    found = _controls(wire)
    began = time.perf_counter()
    waiting: dict[int, dict[str, Any]] = {}
    for uri, session in found.items():
        request = next(wire.requests)
        waiting[request] = {"session": session}
        wire.send([CALL, request, {}, uri, [_control.REPORT]])
    answers = list(waiting.values())
    while waiting and (left := began + PATIENCE - time.perf_counter()) > 0:
        try:
            message = wire.receive(left)
        except TimeoutError:
            break
        seconds = time.perf_counter() - began
        if message[0] == RESULT:
            waiting.pop(message[1], {}).update(message[3][0], milliseconds=round(seconds * 1000, 1))
        elif message[0] == ERROR:
            waiting.pop(message[2], None)
    return answers


def _controls(wire: Wire) -> dict[str, int]:
    """Return the URI and session of each worker's own procedure."""
    query = {"text": _control.PREFIX, "internal": True, "limit": LIMIT}
    answer = wire.ask(CALL, PROCEDURES, [], query)
    if answer[0] == ERROR:
        raise Refused(answer[4], "This router has no list of workers. Start it again, with this version of wampflask.")
    return {row["uri"]: row["callees"][0]["session"] for row in answer[3][0]["rows"] if row["callees"]}
