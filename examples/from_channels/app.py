"""The chat of Channels' tutorial, ported. In this folder: ``flask --app app wamp dev``."""

from flask import Flask, render_template

from wampflask import WAMP, Permission

app = Flask(__name__)
wamp = WAMP(app)
wamp.permit(Permission("chat.<room>", subscribe="everyone"))  # group_add at connect, group_discard at disconnect


@app.get("/chat/")
def index():
    return render_template("index.html")


@app.get("/chat/<room>/")
def room(room):
    return render_template("room.html", room=room)


@wamp.register("chat.<room>.send", allow="everyone", rate="10/second")
def receive(message, room):
    wamp.publish(f"chat.{room}", message)  # group_send, and chat_message in each consumer
