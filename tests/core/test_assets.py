"""The browser client as an app serves it, and what ``wamp_head()`` writes."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g, render_template_string
from flask_wtf import CSRFProtect

from wampflask import WAMP, ConfigError, assets


def app_in(folder: Path, **config: Any) -> tuple[Flask, WAMP]:
    app = Flask("shop", instance_path=str(folder))
    app.config.update(config)
    wamp = WAMP(app)
    app.before_request_funcs.clear()  # nothing is to connect here
    app.add_url_rule("/", "home", lambda: render_template_string("<head>{{ wamp_head() }}</head>"))
    return app, wamp


def src(html: str) -> str:
    found = re.search(r'<script type="module"[^>]* src="([^"]+)">', html)
    assert found
    return found[1]


def test_the_client_is_kept_for_good(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path)
    client = app.test_client()
    url = src(client.get("/").text)
    answer = client.get(url)
    assert answer.data == assets.BUNDLE.read_bytes()
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    packed = client.get(url, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == answer.data
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert client.get(url, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert packed.headers["ETag"] != answer.headers["ETag"]


@pytest.mark.parametrize("name", ["client-0123456789abcdef.js", "table-0123456789abcdef.js", "table-0.css"])
def test_a_page_from_before_an_update_gets_the_present_client(tmp_path: Path, name: str) -> None:
    answer = app_in(tmp_path)[0].test_client().get(f"/wamp/{name}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")


def test_there_is_no_other_file(tmp_path: Path) -> None:
    assert app_in(tmp_path)[0].test_client().get("/wamp/client-0123456789abcdef.css").status_code == 404


def test_what_tables_need_is_kept_for_good_and_uses_the_same_client(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path)
    app.add_url_rule("/table", "table", lambda: str(assets.table_head()))
    client = app.test_client()
    html = client.get("/table").text
    module, style = client.get(src(html)), client.get(re.findall(r'href="([^"]+)"', html)[0])
    assert (module.mimetype, style.mimetype) == ("text/javascript", "text/css")
    for answer in (module, style):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    built = assets.TABLE.read_text()
    assert built.count('from"wampflask"') == 1
    beside = src(client.get("/").text).rpartition("/")[2]
    assert module.text == built.replace('from"wampflask"', f'from"./{beside}"')  # with no import map in the page, too
    assert style.data == assets.TABLE_STYLE.read_bytes()
    assert client.get("/wamp/table.js").text == f'export * from "{src(html)}";\n'


def test_the_head_of_a_page(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path)
    html = app.test_client().get("/").text
    assert '<meta name="wamp-ticket-url" content="/wamp/ticket">' in html
    found = re.search(r'<script type="importmap">(.*?)</script>', html)
    assert found
    table = f"/wamp/table-{assets.table().digest}.js"
    assert json.loads(found[1]) == {"imports": {"wampflask": src(html), "wampflask/table": table}}
    assert "table" not in html.replace(found[1], "")  # only pages that have one load it
    assert html.index("importmap") < html.index('type="module"')
    assert "csrf-token" not in html
    assert "nonce" not in html


def test_under_a_prefix(tmp_path: Path) -> None:
    app, wamp = app_in(tmp_path)
    client = app.test_client()
    html = client.get("/", environ_overrides={"SCRIPT_NAME": "/shop"}).text
    assert 'content="/shop/wamp/ticket"' in html
    assert src(html).startswith("/shop/wamp/client-")
    with app.test_request_context(environ_overrides={"SCRIPT_NAME": "/shop"}):
        script = re.search(r'importmap">(.*?)</script>', html)
        assert script
        assert wamp.csp_hash == f"'sha256-{b64encode(sha256(script[1].encode()).digest()).decode()}'"


def test_a_prefix_cannot_end_the_script(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path)
    html = app.test_client().get("/", environ_overrides={"SCRIPT_NAME": "/</script><b>"}).text
    assert "</script><b>" not in html


def test_from_a_cdn(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path, WAMP_CLIENT_URL="https://cdn.example/wamp/")
    client = app.test_client()
    url = f"https://cdn.example/wamp/client-{assets.bundle().digest}.js"
    assert src(client.get("/").text) == url
    assert client.get("/wamp/client.js").text == f'export * from "{url}";\n'


def test_a_cdn_that_is_no_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="WAMP_CLIENT_URL='cdn' must begin with"):
        app_in(tmp_path, WAMP_CLIENT_URL="cdn")


def test_without_an_import_map(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path)
    app.add_url_rule("/bare", "bare", lambda: render_template_string("{{ wamp_head(named=False) }}"))
    client = app.test_client()
    html = client.get("/bare").text
    assert "importmap" not in html
    stable = client.get("/wamp/client.js")
    assert stable.text == f'export * from "{src(html)}";\n'
    assert stable.headers["Cache-Control"] == "no-cache"


def test_the_nonce_of_the_request(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path)

    @app.before_request
    def make() -> None:
        g.csp_nonce = "n1"

    assert app.test_client().get("/").text.count('nonce="n1"') == 2


def test_the_nonce_of_flask_talisman(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path)
    app.add_template_global(lambda: "n2", "csp_nonce")
    assert app.test_client().get("/").text.count('nonce="n2"') == 2


def test_the_token_of_flask_wtf(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path, SECRET_KEY="something secret")
    CSRFProtect(app)
    app.add_url_rule("/same", "same", lambda: render_template_string("{{ wamp_head(csrf=False) }}"))
    client = app.test_client()
    token = re.search(r'<meta name="csrf-token" content="([^"]+)">', client.get("/").text)
    assert token
    assert "csrf-token" not in client.get("/same").text
