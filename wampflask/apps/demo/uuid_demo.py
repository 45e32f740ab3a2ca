from uuid import uuid4

from wampflask.apps.demo.page import blueprint, demo_page
from wampflask.apps.extensions import wamp


@wamp.register("demo.uuid")
def get_uuid() -> str:
    return uuid4().hex


@blueprint.get("/demo/")
def uuid() -> str:
    return demo_page("uuid")
