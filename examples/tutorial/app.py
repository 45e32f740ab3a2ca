"""The tutorial's four pages. In this folder: ``flask --app app wamp dev``."""

from pathlib import Path
from uuid import uuid4

from flask import Flask, render_template

from wampflask import WAMP, Permission, prove

app = Flask(__name__)
wamp = WAMP(app)


@wamp.register("demo.uuid", allow="everyone")
def make_uuid():
    return uuid4().hex


@app.get("/")
def uuid():
    return render_template("uuid.html", first=wamp.call("demo.uuid"))


wamp.permit(Permission("demo.ping", subscribe="everyone"))


@app.get("/ping")
def ping():
    wamp.publish_later("demo.ping")
    return render_template("ping.html")


@wamp.subscribe("demo.ping", single=True)
def note():
    with Path(app.root_path, "pings.txt").open("a") as file:
        file.write("ping\n")


wamp.permit(Permission("demo.bam", publish="everyone", subscribe="everyone"))


@app.get("/bam")
def bam():
    return render_template("bam.html")


wamp.permit(
    Permission("film.{film}.<action>", register="everyone"),
    Permission("film.<!film>.<action>", call="everyone"),
    Permission("film.{film}.state", publish="everyone"),
    Permission("film.<!film>.state", subscribe="everyone"),
)


@app.get("/film")
def film():
    number = uuid4().hex
    return render_template("film.html", film=number, proof=prove(film=number))


@app.get("/remote")
def remote():
    return render_template("remote.html")
