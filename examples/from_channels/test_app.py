"""The port of the chat: what somebody sends is seen in the same room only."""


def test_a_message_is_for_its_room(wamp_memory):
    one, other, elsewhere = (wamp_memory.page() for _ in range(3))
    one.subscribe("chat.lobby")
    other.subscribe("chat.lobby")
    elsewhere.subscribe("chat.attic")
    one.call("chat.lobby.send", "hello")
    assert [[event.args for event in page.heard] for page in (one, other, elsewhere)] == [[["hello"]], [["hello"]], []]


def test_the_pages(app):
    assert "Which room" in app.test_client().get("/chat/").text
    assert 'data-room="lobby"' in app.test_client().get("/chat/lobby/").text
