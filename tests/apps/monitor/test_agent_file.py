"""``/agent.py``: what a host fetches."""

from __future__ import annotations

import io
import zipfile

from flask import Flask

from wampflask.apps.monitor import adding, agent_file


def test_a_host_fetches_the_whole_package_and_not_twice(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/agent.py")
    assert answer.status_code == 200
    assert answer.mimetype == "application/zip"
    folder = agent_file.package()
    assert folder is not None
    modules = {f"{folder.name}/{file.name}" for file in folder.glob("*.py")}
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert set(archive.namelist()) == modules | {"__main__.py", f"{folder.name}/requirements.txt"}
    again = client.get("/agent.py", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/agent.py", headers={"If-None-Match": '"another"'}).status_code == 200


def test_the_lines_for_a_host_install_what_the_agent_lists(app: Flask) -> None:
    with app.test_request_context():
        ways = {way.name: "\n".join(way.lines) for way in adding.ways("a-token")}
    listed = agent_file.requirements()
    assert {line.partition(">")[0] for line in listed} == {"psutil", "autobahn"}
    for name in listed:
        assert all(f'"{name}"' in lines for lines in ways.values())
