"""The example app of Flask-SocketIO, ported. In this folder: ``flask --app app wamp dev``."""

from flask import Flask, render_template

from wampflask import WAMP, Permission, caller

app = Flask(__name__)
wamp = WAMP(app)
wamp.permit(Permission("talk.response", subscribe="everyone"))
wamp.permit(Permission("talk.room.<room>", subscribe="everyone"))


@app.get("/")
def index():
    return render_template("index.html")


@wamp.register("talk.echo", allow="everyone")
def echo(text):
    return text  # emit(…) to the sender


@wamp.register("talk.broadcast", allow="everyone")
def broadcast(text):
    wamp.publish("talk.response", text)  # emit(…, broadcast=True)


@wamp.register("talk.room.<room>.send", allow="everyone")
def send_to_room(text, room):
    wamp.publish(f"talk.room.{room}", text)  # emit(…, to=room)


@wamp.register("talk.whisper", allow="everyone")
def whisper(text):
    wamp.to(session=caller.session).publish("talk.response", text)  # emit(…, to=request.sid)


@wamp.presence("talk.room.<room>", allow="everyone")
def member(person):  # join_room, leave_room
    return {"name": person.authid}


@wamp.cron(every=10, name="talk.background")
def background():  # the thread with its socketio.sleep(10)
    wamp.publish("talk.response", "from the server")
