"""The least of an app around the browser client: ``wamp_head()``, tickets, and a policy without inline scripts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask, Response, abort, jsonify, render_template_string, request
from werkzeug.serving import make_server

from wampflask import assets, ticket_endpoint
from wampflask.testing import RouterNode

PAGE = """<!doctype html><html lang="en"><head><title>client</title><link rel="icon" href="data:,">
<meta name="csrf-token" content="the-token">{{ wamp_head() }}</head>
<body><main>{{ content|safe }}</main><wamp-status></wamp-status></body></html>"""
SOURCES = Path(assets.__file__).with_name("browser")


class ClientSite:
    """``url``; ``content`` is the page's main part, ``blocked`` what the site answers instead of a ticket."""

    def __init__(self, node: RouterNode) -> None:
        self.content = ""
        self.blocked: dict[str, object] | None = None
        self.tickets = 0
        self.posted: list[dict[str, str]] = []
        app = Flask("client", instance_path=str(node.folder))
        ticket_endpoint.init_app(app, tickets=node.tickets(), public_url=node.ws_url)
        assets.init_app(app)
        app.add_url_rule("/", "page", lambda: render_template_string(PAGE, content=self.content))
        app.add_url_rule("/src/<path:name>", "source", self._source)
        app.add_url_rule("/save", "save", self._save, methods=["POST"])
        app.before_request(self._refuse)
        app.after_request(self._protect)
        self.origin = node.ws_url.rpartition("/")[0]
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def _refuse(self) -> tuple[Response, int] | None:
        if request.path != "/wamp/ticket":
            return None
        self.tickets += 1
        return (jsonify(self.blocked), 403) if self.blocked else None

    def _save(self) -> str:
        self.posted.append(request.form.to_dict())
        return "saved"

    @staticmethod
    def _source(name: str) -> Response:
        file = SOURCES / name
        if not file.is_file():
            abort(404)
        return Response(file.read_text(encoding="utf-8"), mimetype="text/javascript")

    def _protect(self, response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'self' {assets.csp_hash()}; "
            f"connect-src 'self' {self.origin}; img-src data:"
        )
        return response


@contextmanager
def serving(node: RouterNode) -> Iterator[ClientSite]:
    """A site that answers requests in threads."""
    site = ClientSite(node)
    thread = threading.Thread(target=site.server.serve_forever, name="client site")
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        thread.join()
        site.server.server_close()
