"""Made-up hosts for tests: what an agent sends, without an agent."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from wampflask.apps.extensions import db
from wampflask.apps.monitor.intake import enrolment
from wampflask.caller import Caller
from wampflask.in_memory import MemoryRealm

NASTY = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


class FakeHost:
    """One machine: its identity, and its voice."""

    def __init__(self, app: Flask, name: str = "web1") -> None:
        self.app = app
        self.name = name
        self.host = secrets.token_hex(16)
        self.key = secrets.token_hex(32)
        self.seq = 0
        self.configs: list[dict[str, Any]] = []

    def body(self, **changes: Any) -> dict[str, Any]:
        facts = {"name": self.name, "ip": "192.0.2.7", "agent": "1.0.0", "python": "3.11", "system": "Linux"}
        return {"host": self.host, "key": self.key, **facts, **changes}

    def post(self, address: str = "127.0.0.1", **changes: Any) -> TestResponse:
        body = {key: value for key, value in self.body(**changes).items() if value is not None}
        return self.app.test_client().post("/clients/", json=body, environ_base={"REMOTE_ADDR": address})

    def enrol(self) -> FakeHost:
        answer = self.post(token=new_token(self.app))
        assert answer.status_code == 201, answer.text
        return self

    def sample(self, *, at: float | None = None, cpu: float = 0.25, **more: Any) -> dict[str, Any]:
        """The next sample, numbered."""
        self.seq += 1
        return {
            "host": self.host, "name": self.name, "ip": "192.0.2.7", "time": time.time() if at is None else at,
            "interval": 5.0, "version": 1, "seq": self.seq, "cpu": cpu, "cpus": [cpu, cpu], "load": [1.0, 0.5, 0.2],
            "memory": {"total": 1000, "used": 400, "available": 600, "ratio": 0.4},
            "disks": {"/": {"total": 10, "used": 5, "free": 5, "ratio": 0.5}}, **more,
        }  # fmt: skip

    def append(self, realm: MemoryRealm, samples: list[dict[str, Any]], **more: Any) -> int:
        answer = realm.invoke("monitor.history.append", samples, caller=self.caller("monitor.history.append"), **more)
        return int(answer["stored"])

    def ready(self, realm: MemoryRealm) -> dict[str, Any]:
        hello = {"agent": "1.0.1", "run": "x", "version": 1, "metrics": [], "pending": 0, "dropped": 0, "clock": 0.0}
        return dict(realm.invoke("monitor.agent.ready", hello, caller=self.caller("monitor.agent.ready")))

    def caller(self, uri: str) -> Caller:
        return Caller(session=7, authid=f"agent:{self.host}", role="agent", uri=uri)

    def answers(self, realm: MemoryRealm, **refusal: Any) -> None:
        """Be configurable: accept every configuration, or refuse it."""

        def configure(config: dict[str, Any]) -> dict[str, Any]:
            self.configs.append(config)
            return {"accepted": True, "version": config["version"]} if not refusal else {"accepted": False, **refusal}

        realm.answer(f"monitor.host.{self.host}.configure", configure)


def new_token(app: Flask, *, reusable: bool = False, lifetime: timedelta = timedelta(days=1)) -> str:
    with app.app_context():
        _, text = enrolment.make_token(db.session(), reusable=reusable, lifetime=lifetime)
        db.session.commit()
        return text
