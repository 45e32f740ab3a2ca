"""Whatever reads a live thing says that it only reads: no page waits for a writer, none keeps writers waiting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.core.live.shop import make_app
from wampflask import WAMP
from wampflask.caller import Caller
from wampflask.in_memory import in_memory
from wampflask.reading import is_reading


def test_every_kind_is_read_while_only_reading(tmp_path: Path) -> None:
    wamp = WAMP()
    seen: list[tuple[str, bool]] = []
    app = make_app(tmp_path, wamp, {"_note.html": "{{ note }}"})

    def read(name: str) -> Any:
        seen.append((name, is_reading()))
        return []

    wamp.value("note.shared", allow="everyone")(lambda: read("shared"))
    wamp.value("note.own", allow="everyone", per="person")(lambda viewer: read(f"own of {viewer.authid}"))
    wamp.log("note.log", allow="everyone")(lambda since: read(f"log since {since}"))
    wamp.fragment("_note.html", allow="everyone", per="person", name="note")(lambda viewer: {"note": read("fragment")})
    app.add_url_rule("/", view_func=lambda: wamp.render_fragment("note"), endpoint="page", methods=["POST"])
    app.config["WTF_CSRF_ENABLED"] = False
    with in_memory(app) as realm:
        page = app.test_client().post("/").text
        key = re.search('key="(.*?)"', page)
        assert key
        seen.clear()
        calls: list[tuple[str, list[Any], dict[str, Any]]] = [
            ("note.shared", [], {}),
            ("note.own", [], {}),
            ("note.log", [], {"since": 3}),
            ("wampflask.live.fetch", [[["note", {}, key[1], ""]]], {}),
        ]
        for procedure, args, since in calls:
            caller = Caller(2, "visitor:anna", "visitor", procedure)
            realm.invoke(procedure, *args, caller=caller, **since)
    names = ["shared", "own of visitor:anna", "log since 3", "fragment"]
    assert seen == [(name, True) for name in names]
