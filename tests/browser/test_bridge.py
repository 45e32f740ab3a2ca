"""The clients and examples of docs/bridge.md, run as they stand there against the running site."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from rig.live_site import LiveSite
from rig.people import Admin
from wampflask.keys import PURPOSE, Keys
from wampflask.router.wire import INVOCATION, REGISTER, REGISTERED, YIELD, Wire

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = FENCE.findall((ROOT / "docs" / "bridge.md").read_text(encoding="utf-8"))


def block(language: str, with_text: str) -> str:
    """The one code block of the page with this text."""
    [found] = [code for kind, code in BLOCKS if kind == language and with_text in code]
    return str(found)


class Shell:
    """A folder with the page's clients, and their environment."""

    def __init__(self, site: LiveSite, folder: Path, key: str) -> None:
        self.folder = folder
        self.env = {**os.environ, "BRIDGE": f"{site.url}/bridge", "KEY": key, "PYTHONPATH": str(ROOT)}
        for name, language, text in (
            ("bridge.sh", "bash", "#!/usr/bin/env bash"),
            ("bridge.py", "python", "import base64"),
            ("say.py", "python", "chat.say"),
        ):
            (folder / name).write_text(block(language, text), encoding="utf-8")
        (folder / "bridge.sh").chmod(0o755)

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder}:{os.environ['PATH']}"
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.env, "PATH": path, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def shell(site: LiveSite, tmp_path: Path) -> Shell:
    keys = Keys(site.folder, site.node.tickets().derive(PURPOSE))
    name = f"shell_{secrets.token_hex(4)}"
    below = ["chat.say", "chat.history", "polls", "player"]
    return Shell(site, tmp_path, keys.create(name, "user", below, roles=["user"]))


@pytest.fixture
def kitchen(site: LiveSite, context: BrowserContext) -> str:
    """The room of the page's examples."""
    assert context.request.get(f"{site.url}/chat/kitchen/").ok
    return "kitchen"


def said_in(shell: Shell, room: str) -> list[str]:
    done = shell.run("bridge.sh", "call", json.dumps({"procedure": "chat.history", "args": [room]}))
    return [message["text"] for message in json.loads(done.stdout)["args"][0]["messages"]]


def test_the_client_in_bash_writes_into_a_room(shell: Shell, kitchen: str) -> None:
    text = f"From bash: “{secrets.token_hex(4)}” & more\n"
    done = shell.run("bridge.sh", "call", json.dumps({"procedure": "chat.say", "args": [kitchen, text]}))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["args"][0]["name"].startswith("shell")
    assert text.strip() in said_in(shell, kitchen)
    refused = shell.run("bridge.sh", "call", json.dumps({"procedure": "chat.rename", "args": [kitchen, "Boss"]}))
    assert refused.returncode != 0
    assert json.loads(refused.stdout)["error"] == "wamp.error.not_authorized"


def test_the_clients_in_python_do_the_same(shell: Shell, kitchen: str) -> None:
    done = shell.run(sys.executable, "say.py")
    assert done.returncode == 0, done.stderr
    assert "The tea is ready." in done.stdout
    text = f"From Python: “{secrets.token_hex(4)}”"
    said = json.dumps({"procedure": "chat.say", "args": [kitchen, text]})
    done = shell.run(sys.executable, "-I", "bridge.py", "call", said)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["args"][0]["text"] == text
    refused = json.loads(shell.run(sys.executable, "-I", "bridge.py", "publish", '{"topic": "no.topic"}').stdout)
    assert refused["error"] == "wamp.error.not_authorized"


class Player(threading.Thread):
    """A player's page, as the router sees it: it holds the claim of its id, and answers one procedure."""

    def __init__(self, site: LiveSite) -> None:
        super().__init__(name="wampflask-test-player", daemon=True)
        self.id = secrets.token_hex(16)
        self.wire: Wire = site.node.session("visitor", "visitor:tv", player=self.id)
        assert self.wire.ask(REGISTER, f"player.{self.id}.pause")[0] == REGISTERED
        self.asked: list[Any] = []

    def run(self) -> None:
        message = self.wire.receive(30)
        self.asked.append(message)
        if message[0] == INVOCATION:
            self.wire.send([YIELD, message[1], {}, [{"present": True, "playing": False}]])


@pytest.fixture
def player(site: LiveSite) -> Iterator[Player]:
    playing = Player(site)
    playing.start()
    yield playing
    playing.join(30)
    playing.wire.close()


def test_the_examples_of_the_site_run_as_they_stand(
    shell: Shell, kitchen: str, player: Player, admin: Admin, site: LiveSite
) -> None:
    question = admin.new_poll("Which tea?", "Green", "Black")
    examples = block("bash", 'bridge.sh call \'{"procedure": "chat.say"')
    assert kitchen in examples
    own = examples.replace('"args": [1, [2]]', json.dumps({"args": [question, [admin.choices(question)[1]]]})[1:-1])
    assert own != examples
    done = shell.run("bash", "-euc", own, PLAYER=player.id)
    assert done.returncode == 0, (done.stdout, done.stderr)
    said, voted, paused = [json.loads(line)["args"][0] for line in done.stdout.replace("}{", "}\n{").splitlines()]
    assert said["text"] == "The tea is ready."
    assert (voted["voters"], voted["choices"][1]["votes"]) == (1, 1)
    assert paused == {"present": True, "playing": False}
    assert site.is_ready()
