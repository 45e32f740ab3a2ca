"""The app without a router: who sees and may do what, by the rules that the router would have."""

import pytest

from examples.todo.app import Todo, User, db, finish
from wampflask import NotAuthorized

ANN, BOB, CLEO = 1, 2, 3
KITCHEN, GARDEN = 1, 2


@pytest.fixture
def browser(app, wamp_memory):  # noqa: ARG001 - views publish to it
    """Log in and send forms."""

    def logged_in(name):
        client = app.test_client()
        client.post("/login", data={"name": name})
        return client

    return logged_in


def add(client, text):
    return client.post(f"/teams/{KITCHEN}/add", data={"text": text}, follow_redirects=True)


def all_todos(app):
    with app.app_context():
        return [(todo.text, todo.done) for todo in db.session.scalars(db.select(Todo))]


def test_a_team_has_a_list_that_others_do_not_see(browser):
    ann, cleo = browser("ann"), browser("cleo")
    add(ann, "milk")
    assert "milk" in ann.get(f"/teams/{KITCHEN}").text
    assert cleo.get(f"/teams/{KITCHEN}").status_code == 404
    assert cleo.post(f"/teams/{GARDEN}/toggle", data={"todo": 1}).status_code == 404


def test_who_is_here_is_for_the_team(wamp_memory):
    ann = wamp_memory.page(user=ANN, team=[KITCHEN, GARDEN])
    bob = wamp_memory.page(user=BOB, team=KITCHEN)
    cleo = wamp_memory.page(user=CLEO, team=GARDEN)
    ann.subscribe("todo.team.1.here")
    bob.subscribe("todo.team.1.here")
    assert [person["name"] for person in bob.call("todo.team.1.here").values()] == ["ann", "bob"]
    with pytest.raises(NotAuthorized):
        cleo.subscribe("todo.team.1.here")


def test_a_notice_is_for_one_person(browser, wamp_memory):
    pages = [wamp_memory.page(user=number) for number in (ANN, BOB, CLEO)]
    for page in pages:
        page.subscribe("todo.notice")
    browser("ann").post(f"/teams/{KITCHEN}/invite", data={"name": "cleo"})
    assert [len(page.heard) for page in pages] == [0, 0, 1]
    assert pages[2].heard[0].kwargs == {"text": "You are in the team Kitchen now"}
    assert wamp_memory.ended[-1][:2] == ("user:3", "wampflask.close.refresh"), "pages join again, with a new ticket"


def test_the_job_tells_its_progress_to_who_asked(app, browser, wamp_memory):
    ann, bob = (wamp_memory.page(user=number) for number in (ANN, BOB))
    ann.subscribe("todo.progress")
    bob.subscribe("todo.progress")
    client = browser("ann")
    for text in ("milk", "bread"):
        add(client, text)
    finish(app, KITCHEN, ANN)
    assert [event.kwargs for event in ann.heard] == [{"done": 1, "total": 2}, {"done": 2, "total": 2}]
    assert bob.heard == []
    assert all_todos(app) == [("milk", True), ("bread", True)]


@pytest.mark.parametrize("answer", [True, False])
def test_nothing_is_cleared_before_the_page_has_said_yes(app, browser, wamp_memory, answer):
    add(browser("ann"), "milk")
    finish(app, KITCHEN, ANN)
    ann = wamp_memory.page(user=ANN, team=[KITCHEN, GARDEN])
    ann.register(f"todo.confirm.{ann.session}", lambda _question: answer)
    assert ann.call("todo.clear.1") == (1 if answer else 0)
    assert all_todos(app) == ([] if answer else [("milk", True)])
    with pytest.raises(NotAuthorized):
        wamp_memory.page(user=CLEO, team=GARDEN).call("todo.clear.1")


def test_tickets_say_which_teams(browser, app):
    with app.app_context():
        assert [user.name for user in db.session.scalars(db.select(User)) if len(user.teams) == 2] == ["ann"]
    assert browser("ann").get("/wamp/ticket").json["role"] == "user"
