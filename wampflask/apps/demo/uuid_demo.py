from uuid import uuid4

from flask import Response

from wampflask.apps.demo.page import blueprint, demo_page
from wampflask.apps.extensions import wamp


@wamp.register("demo.uuid")
def get_uuid() -> str:
    return uuid4().hex


@blueprint.get("/demo/plain")
def plain_uuid() -> Response:
    answer = wamp.call("demo.uuid")  # a view calls the same function, which any worker may answer
    return Response(answer, mimetype="text/plain")


@blueprint.get("/demo/")
def uuid() -> str:
    return demo_page("uuid")
