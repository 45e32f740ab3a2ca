"""The port does what the original does: to the sender, to all, to a room, from the background."""


def texts(page):
    return [event.args[0] for event in page.heard]


def test_echo_whisper_and_broadcast(wamp_memory):
    one, other = wamp_memory.page(), wamp_memory.page()
    for page in (one, other):
        page.subscribe("talk.response")
    assert one.call("talk.echo", "hello") == "hello"
    one.call("talk.whisper", "to me")
    one.call("talk.broadcast", "to all")
    assert (texts(one), texts(other)) == (["to me", "to all"], ["to all"])


def test_rooms(wamp_memory):
    one, other = wamp_memory.page(), wamp_memory.page()
    one.subscribe("talk.room.kitchen")
    other.subscribe("talk.room.garden")
    other.call("talk.room.kitchen.send", "soup")
    assert (texts(one), texts(other)) == (["soup"], [])


def test_the_background(example, wamp_memory):
    page = wamp_memory.page()
    page.subscribe("talk.response")
    with example.app.app_context():
        example.wamp.run_job("talk.background")
    assert texts(page) == ["from the server"]
