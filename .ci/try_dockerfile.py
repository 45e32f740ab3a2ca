"""Run the Dockerfile's steps without Docker, in a scratch folder, and the site from what they made: `make try-docker`.

What a container has at /opt, /build, /srv and /instance lies in the scratch folder here; the commands are the file's
own, but for the user. It says nothing of the base images: this machine's Python and Node.js stand for them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
ROOTS = re.compile(r"(?<![\w.])/(opt|build|srv|instance)\b")
WITHIN = 120.0  # seconds for the site to be ready
USER = "useradd"


class Build:
    """The stages as far as they are built; all share one folder for what a container has at its root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self.place = folder
        self.command: list[str] = []

    def here(self, text: str) -> str:
        """A step's text with a container's paths in the scratch folder."""
        return ROOTS.sub(lambda found: f"{self.folder}/{found[1]}", text)

    def step(self, word: str, rest: str) -> None:
        """Carry out one instruction."""
        if word == "WORKDIR":
            self.place = Path(self.here(rest))
            self.place.mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            self.copy(shlex.split(rest))
        elif word == "ENV":
            for name, _, value in (pair.partition("=") for pair in shlex.split(rest)):
                self.env[name] = os.path.expandvars(self.here(value).replace("$PATH", self.env["PATH"]))
        elif word == "CMD":
            self.command = shlex.split(rest.strip("[]").replace(",", " "))
        elif word == "RUN" and USER not in rest:
            print(f"  {rest}", flush=True)
            subprocess.run(["/bin/sh", "-ec", self.here(rest)], cwd=self.place, env=self.env, check=True)

    def copy(self, words: list[str]) -> None:
        """Copy from the checkout, or from where an earlier stage has left it."""
        *sources, target = words
        if sources[0].startswith("--from="):
            made, end = Path(self.here(sources[1])), self.place / self.here(target)
            if made != end:
                shutil.copytree(made, end, dirs_exist_ok=True)
            return
        for source in sources:
            path = ROOT / source
            if path.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "vendor", "built")
                shutil.copytree(path, self.place / target, dirs_exist_ok=True, ignore=ignored)
            else:
                end = self.place / target
                (end if target.endswith("/") else end.parent).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, end)


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in lines]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def try_site(build: Build) -> None:
    """Run the last stage's command until /healthz says that pages, database and router work."""
    port = free_port()
    env = {**build.env, "PORT": port, "WAMP_PORT": free_port()}
    with subprocess.Popen(build.command, cwd=build.place, env=env) as site:
        try:
            deadline = time.monotonic() + WITHIN
            while not is_ready(port):
                if site.poll() is not None or time.monotonic() > deadline:
                    sys.exit("The site did not become ready.")
                time.sleep(0.2)
        finally:
            site.terminate()
    print("Every step of the Dockerfile worked, and the site runs from what they made.")


def is_ready(port: str) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except (URLError, OSError):
        return False


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="wampflask-docker-") as name:
        build = Build(Path(name))
        for word, rest in instructions():
            build.step(word, rest)
        try_site(build)


if __name__ == "__main__":
    main()
