"""The todo lists of teams. In this folder: ``flask --app app wamp dev``; then log in as ann, bob and cleo."""

import os
from threading import Thread

from flask import Flask, abort, current_app, redirect, render_template, request, url_for
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from flask_sqlalchemy import SQLAlchemy

from wampflask import WAMP, CallOptions, Identity, Permission, caller

db, logins, wamp = SQLAlchemy(), LoginManager(), WAMP()
logins.login_view = "login"
wamp.permit(Permission("todo.notice", subscribe="user"), Permission("todo.progress", subscribe="user"))
wamp.permit(Permission("todo.confirm.{session}", register="user"))  # each page its own

_keys = [db.Column(f"{kind}_id", db.ForeignKey(f"{kind}.id"), primary_key=True) for kind in ("user", "team")]
members = db.Table("members", *_keys)


class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40), unique=True)
    teams = db.relationship("Team", secondary=members, backref="members")


class Team(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40))


class Todo(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    team_id = db.Column(db.ForeignKey("team.id"))
    text = db.Column(db.String(200))
    done = db.Column(db.Boolean, default=False)


@logins.user_loader
def load(number):
    return db.session.get(User, int(number))


@wamp.identify
def who():  # {team} in a URI then means any of these
    known = current_user.is_authenticated
    return Identity("user", current_user.id, team=[team.id for team in current_user.teams]) if known else None


@wamp.fragment("_todos.html", allow="user", per="person", of={Todo: lambda todo: {"team": todo.team_id}})
def todos(team, viewer):
    is_member = team in [own.id for own in load(viewer.user_id).teams]
    found = db.session.scalars(db.select(Todo).filter_by(team_id=team)).all()
    return {"team": team, "todos": found} if is_member else None


@wamp.presence("todo.team.{team}", allow="user")
def member(person):
    return {"name": load(person.user_id).name}


@wamp.register("todo.clear.{team}", allow="user")  # only for the caller's teams: their ticket says which
def clear(team):
    if not wamp.to(session=caller.session).call(
        "todo.confirm", "Delete what is done?", options=CallOptions(timeout=60)
    ):
        return 0
    done = db.session.scalars(db.select(Todo).filter_by(team_id=int(team), done=True)).all()
    for todo in done:
        db.session.delete(todo)
    db.session.commit()
    return len(done)


def finish(app, team, user):
    """The job: one thing after the other, its progress to the person who asked for it."""
    with app.app_context():
        left = db.session.scalars(db.select(Todo).filter_by(team_id=team, done=False)).all()
        for number, todo in enumerate(left, 1):
            todo.done = True
            db.session.commit()
            wamp.to(user=user).publish_latest("todo.progress", done=number, total=len(left))


def create_app(instance=None):
    app = Flask(__name__, instance_path=instance)
    app.secret_key = os.environ.get("SECRET_KEY") or ("dev" if app.debug else None)
    database = os.environ.get("TODO_DATABASE", "sqlite:///todo.db")
    app.config.update(SQLALCHEMY_DATABASE_URI=database, SESSION_COOKIE_SAMESITE="Lax")
    for extension in (db, logins, wamp):
        extension.init_app(app)
    with app.app_context():
        db.create_all()
        if not db.session.get(Team, 1):
            kitchen, garden = Team(name="Kitchen"), Team(name="Garden")
            ann = User(name="ann", teams=[kitchen, garden])
            db.session.add_all([ann, User(name="bob", teams=[kitchen]), User(name="cleo", teams=[garden])])
            db.session.commit()
    app.add_url_rule("/login", view_func=login, methods=["GET", "POST"])
    app.add_url_rule("/logout", view_func=logout, methods=["POST"])
    app.add_url_rule("/", "home", view_func=login_required(lambda: redirect(f"/teams/{current_user.teams[0].id}")))
    show = login_required(lambda team: render_template("team.html", team=own(team)))
    app.add_url_rule("/teams/<int:team>", "show", show)
    app.add_url_rule("/teams/<int:team>/<action>", view_func=change, methods=["POST"])
    return app


def login():  # an example: people have no passwords here
    user = db.session.scalar(db.select(User).filter_by(name=request.form.get("name")))
    if user is None:
        return render_template("login.html")
    login_user(user)
    return redirect(url_for("home"))


def logout():
    wamp.refresh(user=current_user)  # pages that are still open join again, as nobody
    logout_user()
    return redirect(url_for("login"))


@login_required
def change(team, action):
    form, found = request.form, own(team)
    if action == "add":
        db.session.add(Todo(team_id=team, text=form["text"]))
    elif action == "toggle":
        todo = db.first_or_404(db.select(Todo).filter_by(id=int(form["todo"]), team_id=team))
        todo.done = not todo.done
    elif action == "finish":
        Thread(target=finish, args=(current_app._get_current_object(), team, current_user.id)).start()
    elif action == "invite":
        guest = db.first_or_404(db.select(User).filter_by(name=form["name"]))
        found.members.append(guest)
        db.session.commit()
        wamp.to(user=guest).publish_later("todo.notice", text=f"You are in the team {found.name} now")
        wamp.refresh(user=guest)  # their pages join again, with a ticket that has the team
    db.session.commit()
    return redirect(url_for("show", team=team))


def own(team):
    found = db.get_or_404(Team, team)
    return found if current_user in found.members else abort(404)
