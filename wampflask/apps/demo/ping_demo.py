from wampflask.apps.demo.page import blueprint, demo_page
from wampflask.apps.extensions import wamp


@blueprint.before_request
def ping() -> None:
    wamp.publish_later("demo.ping")  # before each page of the demos, which does not wait for it


@wamp.subscribe("demo.ping", single=True)
def pong() -> None:
    wamp.publish_later("demo.pong")  # Python listens, too: one worker of all


@blueprint.get("/ping/")
def ping_page() -> str:
    return demo_page("ping")
