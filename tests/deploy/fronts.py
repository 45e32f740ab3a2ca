"""A real nginx, or Caddy, with the configuration that was rendered for it."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from wampflask.deploy.deployment import Deployment
from wampflask.deploy.rendering import FORMS
from wampflask.router.wire import wait_until

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {file};
}}
"""
CADDY = """
{{
    admin off
    http_port {http_port}
    https_port {https_port}
    auto_https disable_redirects
    storage file_system {folder}/storage
}}
"""


def program(name: str) -> str:
    """The path of a program that the tests need."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin:/sbin:/bin")
    assert found, f"{name} is not installed; the set-up of make test installs it where there is apt-get"
    return found


def write(what: str, deployment: Deployment, folder: Path) -> Path:
    """Render for nginx or Caddy, and return the file to start it with."""
    (folder / what).mkdir(parents=True, exist_ok=True)
    [(name, text)] = FORMS[what](deployment).items()
    file = folder / name
    if what == "caddy":
        ports = {"http_port": deployment.http_port, "https_port": deployment.https_port}
        file.write_text(CADDY.format(folder=folder, **ports) + text, encoding="utf-8")
        return file
    file.write_text(text, encoding="utf-8")
    whole = folder / "nginx.whole"
    whole.write_text(NGINX.format(folder=folder, file=file), encoding="utf-8")
    return whole


def check(what: str, file: Path) -> str:
    """What the program itself says of the file; it must take it."""
    commands = {
        "nginx": ["-t", "-c", str(file)],
        "caddy": ["validate", "--adapter", "caddyfile", "--config", str(file)],
    }
    done = subprocess.run([program(what), *commands[what]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


class Front:
    """Where clients come in: every address of 127.0.0.0/8 is one of a client."""

    def __init__(self, deployment: Deployment, certificate: Path) -> None:
        self.deployment = deployment
        self.certificate = certificate
        self.port = deployment.https_port
        self.address = f"localhost:{self.port}"

    def get(
        self, path: str, *, source: str = "127.0.0.2", body: bytes | None = None, method: str = "", **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """The answer to a request, from one of this machine's addresses."""
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=30, source_address=(source, 0), context=trusted
        )
        with closing(connection):
            verb = method or ("POST" if body else "GET")
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
                connection.request(verb, path, body, {name.replace("__", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer, answer.read()

    def read(self, path: str, **more: Any) -> Any:
        """The JSON of a page."""
        answer, body = self.get(path, **more)
        assert answer.status == 200, body
        return json.loads(body)

    def is_up(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            self.get("/healthz")
            return True
        return False


@contextmanager
def running(what: str, deployment: Deployment, folder: Path) -> Iterator[Front]:
    """Start it, and stop it at the end."""
    file = write(what, deployment, folder)
    options = {"nginx": ["-c", str(file)], "caddy": ["run", "--adapter", "caddyfile", "--config", str(file)]}
    log = folder / f"{what}.out"
    with log.open("wb") as output:
        process = subprocess.Popen([program(what), *options[what]], stdout=output, stderr=output)
    front = Front(deployment, Path(deployment.certificate))
    try:
        assert wait_until(front.is_up, 30), log.read_text(encoding="utf-8")
        yield front
    finally:
        process.terminate()
        process.wait(20)
