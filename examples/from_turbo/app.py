"""The load averages of Turbo-Flask's documentation, ported. In this folder: ``flask --app app wamp dev``."""

import os

from flask import Flask, render_template

from wampflask import WAMP

app = Flask(__name__)
wamp = WAMP(app)


@wamp.fragment("_load.html", allow="everyone", every=1)  # the thread with its turbo.push
def load():
    return {"load": os.getloadavg()}


@app.get("/")
def index():
    return render_template("index.html")
