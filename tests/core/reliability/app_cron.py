"""An app with jobs each second. Each run writes its beginning and its end into the file ``DEMO_LOG``, in one write."""

from __future__ import annotations

import os
import time

from flask import Flask

from wampflask import WAMP

LOG = os.environ["DEMO_LOG"]

wamp = WAMP()


def note(*words: object) -> None:
    file = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{' '.join(map(str, words))}\n".encode())
    os.close(file)


@wamp.cron(every=1, overlap=True, name="quick")
def quick() -> None:
    note("quick", "begin", os.getpid(), time.time())
    time.sleep(0.3)
    note("quick", "end", os.getpid(), time.time())


@wamp.cron(every=1, name="slow")
def slow() -> None:
    note("slow", "begin", os.getpid(), time.time())
    time.sleep(1.6)
    note("slow", "end", os.getpid(), time.time())


app = Flask("cron", instance_path=os.path.join(os.getcwd(), "instance"))  # noqa: PTH109, PTH118 - Flask wants text
app.config.update({key: value for key, value in os.environ.items() if key.startswith("WAMP_")})
wamp.init_app(app)
